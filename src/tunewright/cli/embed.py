from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, JsonOption, notes, print_json, print_table, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tunewright.app import Tunewright
    from tunewright.embedding.embedder import Embedder

_NAMED = 10  # rows that are left out and named
_SHOWN = 1000  # characters of a text that was found

_TextsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="TEXT", help="Texts to embed, each in quotes.")
]
_FileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="Embed a table: .csv, .tsv, .xlsx, .parquet, .json or .jsonl; or a file that "
        "--output wrote.",
    ),
]
_ColumnOption = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN[,COLUMN...]",
        help="The column of the table that holds the texts; of several, a text is put together. "
        "Not given: those of --template, or `text`.",
        show_default=False,
    ),
]
_TemplateOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="How to put a text together: columns in braces, such as '{title}: {text}'.",
    ),
]
_PromptNameOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of the model's prompts, the one to put before each text. Not given: its default.",
        show_default=False,
    ),
]
_SheetOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of a .xlsx file. Not given: the first.")
]
_OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite", help="Replace OUT, and drop what another command has begun to write there."
    ),
]
_OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUT",
        help="Write the table with its vectors: .parquet, .csv, .jsonl, or .npy (a matrix). Of any "
        "length: killed at any moment, the same command goes on.",
    ),
]
_QueueOption = Annotated[
    bool,
    typer.Option(
        "--queue",
        help="Have the worker embed the table, beside this command, and follow it: a running "
        "server goes on when the command ends.",
    ),
]
_SearchOption = Annotated[
    str | None, typer.Option(metavar="QUERY", help="Show the texts most similar to this one.")
]
_TopOption = Annotated[int, typer.Option(help="How many of them to show.", min=1)]
_ModelOption = Annotated[str, typer.Option(metavar="MODEL", help="An embedding model.")]


def embed(
    texts: _TextsArgument = None,
    file: _FileOption = None,
    column: _ColumnOption = None,
    template: _TemplateOption = None,
    sheet: _SheetOption = None,
    prompt_name: _PromptNameOption = None,
    output: _OutputOption = None,
    overwrite: _OverwriteOption = False,
    queue: _QueueOption = False,
    search: _SearchOption = None,
    top: _TopOption = 5,
    model: _ModelOption = "text-embedding-ada-002",
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Turn texts, or a table of any length, into vectors of length 1, and search among them.

    A table that was embedded before, or a file that --output wrote, is searched without computing
    its vectors again.

    Example: tunewright embed --file reviews.csv --column text --search 'arrived broken' --top 3
    """
    from tunewright.cli import embed_table
    from tunewright.cli.opening import embedding, running

    asked = Asked(model, texts, file, column, template, sheet, prompt_name)
    if queue:
        out = _queued(asked, output, search)
        with running(home) as tw:
            return embed_table.queue(tw, asked, out, overwrite=overwrite, json=json)
    with embedding(home, model) as tw:
        if json and file is None:
            made = tw.embeddings.create(model=model, input=_given(asked), prompt_name=prompt_name)
            return print_json(made.wire())
        if file and output and _given(asked) == [] and not embed_table.has_vectors(file, sheet):
            embed_table.write(tw, asked, output, overwrite=overwrite, json=json)
            if search is not None:
                _search(tw, model, search, _table(tw, Asked(model, None, output)), top)
            return None
        if output:
            embed_table.check(output, overwrite=overwrite)
        table = _table(tw, asked)
        if json:
            return print_json(_wire(table))
        if output:
            embed_table.save(output, table.texts, table.vectors)
        _report(table, output)
        if search is not None:
            _search(tw, model, search, table, top)
        elif file is None and output is None:
            _print(table)
    return None


@dataclass(frozen=True)
class Asked:
    """The texts, or the table and what of it, that one command is about."""

    model: str
    texts: list[str] | None
    file: Path | None
    column: str | None = None
    template: str | None = None
    sheet: str | None = None
    prompt_name: str | None = None


@dataclass
class _Table:
    """`vectors` float32 [texts, dimensions]. `left_out`: what is wrong, by the line of a row.

    `tokens`, `unknown`: together; 0 of saved vectors. `before`: nothing was computed. `kept`: where
    the vectors lie.
    """

    texts: list[str]
    vectors: "NDArray[np.float32]"
    lines: list[int]
    left_out: dict[int, str] = field(default_factory=dict)
    tokens: int = 0
    unknown: int = 0
    before: bool = False
    kept: Path | None = None


def _queued(asked: Asked, output: Path | None, search: str | None) -> Path:
    from tunewright.errors import BadRequest

    _given(asked)
    if asked.file is None or output is None or search is not None:
        raise BadRequest("--queue goes with --file TABLE and --output OUT, and without --search.")
    return output


def _given(asked: Asked) -> list[str]:
    from tunewright.errors import BadRequest

    if bool(asked.texts) == bool(asked.file):
        raise BadRequest("Give either texts or --file TABLE.")
    for number, text in enumerate(asked.texts or (), start=1):
        if not text.strip():
            raise BadRequest(f"Text {number} is empty: there is nothing to embed.", param="input")
    return list(asked.texts or ())


def _table(tw: "Tunewright", asked: Asked) -> _Table:
    from tunewright.errors import BadRequest
    from tunewright.tables.saved import saved

    given = _given(asked)
    if asked.file is None:
        table = _computed(tw, asked, list(enumerate(given, start=1)))
        if not table.texts:
            raise BadRequest(
                f"{asked.model} knows no token of these texts. Use a multilingual embedding model."
            )
        return table
    if (found := saved(asked.file, asked.column)) is not None:
        return _Table(*found, list(range(1, len(found[0]) + 1)), before=True)
    table = _of_rows(tw, asked, asked.file)
    if not table.texts:
        raise BadRequest(
            f"{asked.file} has no row with a text of which {asked.model} knows a token."
        )
    return table


def _of_rows(tw: "Tunewright", asked: Asked, file: Path) -> _Table:
    """As computed before, where it was."""
    from tunewright.cli import kept_vectors

    weights = tw.models.weights(asked.model, ("embedding",))
    read = list(
        tw.embeddings.tables.texts(
            file, column=asked.column, template=asked.template, sheet=asked.sheet
        )
    )
    rows = [(row.line, row.text) for row in read if not row.reason]
    left_out = {row.line: row.reason for row in read if row.reason}
    name = f"{weights.id}\0{asked.prompt_name}" if asked.prompt_name else weights.id
    key = kept_vectors.key(name, weights.base_fingerprint, [text for _, text in rows])
    found = kept_vectors.kept(tw.home, key, len(rows))
    if found is not None:
        table = _Table([text for _, text in rows], found, [line for line, _ in rows], left_out)
        table.before = True
        _count(table, tw.embedder(weights, tw.models))
        return table
    table = _computed(tw, asked, rows)
    if rows and not table.left_out:
        table.kept = kept_vectors.keep(tw.home, key, table.vectors)
    table.left_out = dict(sorted((table.left_out | left_out).items()))
    return table


def _count(table: _Table, embedder: "Embedder") -> None:
    """What the model does not know is told each time: it is the same vectors that are searched."""
    for ids in embedder.tokenize(table.texts):
        table.tokens += len(ids)
        table.unknown += 0 if embedder.unknown is None else ids.count(embedder.unknown)


def _computed(tw: "Tunewright", asked: Asked, rows: Sequence[tuple[int, str]]) -> _Table:
    import numpy as np
    from rich.progress import Progress

    table = _Table([], np.zeros((0, 0), np.float32), [])
    parts: list[NDArray[np.float32]] = []
    quiet = len(rows) == 1 or not notes.is_terminal
    with Progress(console=notes, transient=True, disable=quiet) as progress:
        task = progress.add_task("Embedding", total=len(rows))
        texts = [text for _, text in rows]
        parts_of = tw.embeddings.tables.embedded(texts, asked.model, asked.prompt_name)
        for start, found in parts_of:
            here = rows[start : start + len(found.vectors) + len(found.left_out)]
            for at, (line, text) in enumerate(here):
                if at in found.left_out:
                    table.left_out[line] = found.left_out[at]
                else:
                    table.texts.append(text)
                    table.lines.append(line)
            table.tokens += found.tokens
            table.unknown += found.unknown
            parts.append(found.vectors)
            progress.update(task, advance=len(here))
    if table.texts:
        table.vectors = np.concatenate([part for part in parts if len(part)])
    return table


def _wire(table: _Table) -> list[dict[str, object]]:
    rows = zip(table.lines, table.texts, table.vectors, strict=True)
    return [{"line": at, "text": text, "embedding": row.tolist()} for at, text, row in rows]


def _print(table: _Table) -> None:
    """A vector a line, as JSON."""
    import json

    for vector in table.vectors:
        say(json.dumps([round(float(number), 7) for number in vector]))


def _report(table: _Table, output: Path | None) -> None:
    """On the side: what is on the standard output are vectors, or texts that were found."""
    count = len(table.texts)
    where = f", written to {output}" if output else ""
    tokens = f", {table.tokens:,} tokens" if not table.before else ", computed before"
    what = "text" if count == 1 else "texts"
    _note(f"{count:,} {what}{tokens}, {table.vectors.shape[1]} dimensions{where}")
    if table.kept and not output:
        _note(f"Kept for the next search in {table.kept}. For a file of your own: --output NAME")
    if table.unknown:
        _note(
            f"The model does not know {table.unknown:,} of {table.tokens:,} tokens: it cannot tell "
            "other languages and emoji apart. A multilingual embedding model can."
        )
    for line in list(table.left_out)[:_NAMED]:
        _note(f"left out: line {line}: {table.left_out[line]}")
    if len(table.left_out) > _NAMED:
        _note(f"left out: {len(table.left_out) - _NAMED:,} more")


def _note(said: str) -> None:
    notes.print(said, markup=False, soft_wrap=True)


def _search(tw: "Tunewright", model: str, search: str, table: _Table, top: int) -> None:
    from tunewright.analysis.nearest import nearest
    from tunewright.errors import BadRequest

    query = _computed(tw, Asked(model, [search], None), [(1, search)])
    if not query.texts:
        raise BadRequest(f"'{search}' cannot be searched for: {query.left_out[1]}.")
    if query.vectors.shape[1] != table.vectors.shape[1]:
        raise BadRequest(
            f"The vectors have {table.vectors.shape[1]} dimensions, and those of {model} have "
            f"{query.vectors.shape[1]}. Name the model that made them with --model."
        )
    ids, scores = nearest(query.vectors, table.vectors, top)
    print_table(
        [">similarity", ">line", "text"],
        [
            (f"{score:.3f}", table.lines[id], _beginning(table.texts[id]))
            for id, score in zip(ids[0], scores[0], strict=True)
        ],
    )


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
