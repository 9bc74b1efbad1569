import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tunewright.cli.terminal import HomeOption, notes, print_json, print_table, say

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tunewright.app import Tunewright

_BATCH = 256


def embed(
    texts: Annotated[list[str] | None, typer.Argument(metavar="TEXT...")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="TABLE", help="A .csv, .tsv or .jsonl file instead.")
    ] = None,
    column: Annotated[str, typer.Option(help="The table's column that holds the text.")] = "text",
    output: Annotated[
        Path | None,
        typer.Option(help="Write the vectors: .npy (a float32 matrix) or .jsonl (with the text)."),
    ] = None,
    search: Annotated[
        str | None, typer.Option(metavar="QUERY", help="Show the texts nearest to this.")
    ] = None,
    top: Annotated[int, typer.Option(help="How many of them.", min=1)] = 5,
    model: Annotated[str, typer.Option(help="An embedding model.")] = "text-embedding-ada-002",
    home: HomeOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the API's JSON object.")] = False,
) -> None:
    """Turn texts, or a column of a table, into vectors of length 1; search among them.

    Example: tunewright embed --file reviews.csv --column text --search 'arrived broken' --top 3
    """
    from tunewright.cli.opening import records

    chosen = _texts(texts, file, column)
    writer = _writer(output)
    with records(home) as tw:
        if json:
            return print_json(tw.embeddings.create(model=model, input=chosen).wire())
        vectors, tokens = _embed(tw, model, chosen)
        if output:
            writer(output, chosen, vectors)
        where = f", written to {output}" if output else ""
        say(f"{len(chosen)} texts, {tokens:,} tokens, {vectors.shape[1]} dimensions{where}")
        if search is not None:
            _search(tw, model, search, chosen, vectors, top)
    return None


def _texts(texts: list[str] | None, file: Path | None, column: str) -> list[str]:
    from tunewright.dataset.tables import read_column
    from tunewright.errors import BadRequest

    if bool(texts) == bool(file):
        raise BadRequest("Give either texts or --file TABLE.")
    chosen = read_column(file, column) if file else list(texts or [])
    if not chosen:
        raise BadRequest(f"{file} has no rows.")
    for number, text in enumerate(chosen, start=1):
        if not text:
            raise BadRequest(f"Text {number} is empty: there is nothing to embed.", param="input")
    return chosen


def _embed(tw: "Tunewright", model: str, texts: list[str]) -> tuple["NDArray[np.float32]", int]:
    """Vectors [texts, dimensions] and the tokens of all texts."""
    import numpy as np
    from rich.progress import track

    from tunewright.records.embeddings import EmbeddingRequest

    parts: list[NDArray[np.float32]] = []
    tokens = 0
    batches = list(_batches(texts))
    for batch in track(
        batches, "Embedding", console=notes, transient=True, disable=len(batches) == 1
    ):
        embedded = tw.embeddings.embed(EmbeddingRequest(model=model, input=batch))
        parts.append(embedded.vectors)
        tokens += sum(embedded.tokens)
    return np.concatenate(parts), tokens


def _batches(texts: list[str]) -> Iterator[list[str]]:
    rest = iter(texts)
    while batch := list(itertools.islice(rest, _BATCH)):
        yield batch


def _search(
    tw: "Tunewright",
    model: str,
    query: str,
    texts: list[str],
    vectors: "NDArray[np.float32]",
    top: int,
) -> None:
    from tunewright.analysis.nearest import nearest

    ids, scores = nearest(_embed(tw, model, [query])[0], vectors, top)
    print_table(
        [">cosine", ">row", "text"],
        [(f"{score:.3f}", id + 1, texts[id]) for id, score in zip(ids[0], scores[0], strict=True)],
    )


def _writer(output: Path | None):
    """How to write `output`, by its ending; refused before the work, not after it."""
    from tunewright.errors import BadRequest

    if output is None or output.suffix == ".npy":
        return _write_npy
    if output.suffix == ".jsonl":
        return _write_jsonl
    raise BadRequest(f"{output}: expected a name ending in .npy or .jsonl.", param="output")


def _write_npy(path: Path, texts: list[str], vectors: "NDArray[np.float32]") -> None:
    import io

    import numpy as np

    from tunewright import durable

    buffer = io.BytesIO()
    np.save(buffer, vectors, allow_pickle=False)
    durable.write_bytes(path, buffer.getvalue())


def _write_jsonl(path: Path, texts: list[str], vectors: "NDArray[np.float32]") -> None:
    import orjson

    from tunewright import durable

    rows = (
        orjson.dumps({"text": text, "embedding": vector.tolist()})
        for text, vector in zip(texts, vectors, strict=True)
    )
    durable.write_bytes(path, b"\n".join(rows) + b"\n")
