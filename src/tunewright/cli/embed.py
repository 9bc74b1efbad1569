from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import (
    HomeOption,
    JsonOption,
    note,
    note_left_out,
    print_json,
    print_table,
    say,
)

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.resources.whole_tables import WholeTable

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
    column: ColumnOption = None,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    prompt_name: PromptNameOption = None,
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


def _table(tw: "Tunewright", asked: Asked) -> "WholeTable":
    from tunewright.errors import BadRequest

    given = _given(asked)
    if asked.file is None:
        table = _of_texts(tw, asked.model, given, asked.prompt_name)
        if not table.texts:
            raise BadRequest(
                f"{asked.model} knows no token of these texts. Use a multilingual embedding model."
            )
        return table
    with _shown() as progress:
        return tw.explore.tables.read(
            asked.file,
            asked.model,
            column=asked.column,
            template=asked.template,
            sheet=asked.sheet,
            prompt_name=asked.prompt_name,
            progress=progress,
        )


def _of_texts(
    tw: "Tunewright", model: str, texts: Sequence[str], prompt_name: str | None = None
) -> "WholeTable":
    if len(texts) == 1:
        return tw.explore.tables.of_texts(texts, model, prompt_name)
    with _shown() as progress:
        return tw.explore.tables.of_texts(texts, model, prompt_name, progress)


@contextmanager
def _shown() -> Iterator[Callable[[float], None]]:
    from tunewright.cli.verbs import bar

    with bar() as show:
        yield lambda share: show("Embedding", share, 1.0, f"{share:.0%}")


def _wire(table: "WholeTable") -> list[dict[str, object]]:
    rows = zip(table.lines, table.texts, table.vectors, strict=True)
    return [{"line": at, "text": text, "embedding": row.tolist()} for at, text, row in rows]


def _print(table: "WholeTable") -> None:
    """A vector a line, as JSON."""
    import json

    for vector in table.vectors:
        say(json.dumps([round(float(number), 7) for number in vector]))


def _report(table: "WholeTable", output: Path | None) -> None:
    """On the side: what is on the standard output are vectors, or texts that were found."""
    count = len(table.texts)
    where = f", written to {output}" if output else ""
    tokens = f", {table.tokens:,} tokens" if not table.before else ", computed before"
    what = "text" if count == 1 else "texts"
    note(f"{count:,} {what}{tokens}, {table.vectors.shape[1]} dimensions{where}")
    if table.kept and not output:
        note(f"Kept for the next search in {table.kept}. For a file of your own: --output NAME")
    if table.unknown:
        note(
            f"The model does not know {table.unknown:,} of {table.tokens:,} tokens: it cannot tell "
            "other languages and emoji apart. A multilingual embedding model can."
        )
    note_left_out(table.left_out)


def _search(tw: "Tunewright", model: str, search: str, table: "WholeTable", top: int) -> None:
    from tunewright.analysis.nearest import nearest
    from tunewright.errors import BadRequest

    query = _of_texts(tw, model, [search])
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
