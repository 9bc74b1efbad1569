from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tunewright.cli.explore.clusters import SeedOption
from tunewright.cli.explore.parts import (
    AddedOutputOption,
    Answer,
    Asked,
    EmbeddingModelOption,
    OverwriteOutOption,
    TableArgument,
    give,
    opened,
    progress,
)
from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import HomeOption, JsonOption

if TYPE_CHECKING:
    from tunewright.analysis.maps import Map
    from tunewright.resources.explored import Explored

_DIGITS = 4  # of a position from -1 to 1: finer than any screen
_WIDE, _HIGH = 72, 24  # of the picture, in characters
_SHADES = " .:*#"

_MethodOption = Annotated[
    Literal["t-sne", "pca"],
    typer.Option(
        help="t-sne keeps similar rows together; pca is there at once and shows in which two "
        "directions the table is widest."
    ),
]


def map(
    table: TableArgument,
    column: ColumnOption = None,
    method: _MethodOption = "t-sne",
    seed: SeedOption = 0,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Place every row in the plane, near the rows that are like it.

    Example: tunewright explore map reviews.csv --column text -o placed.csv
    """
    asked = Asked(
        table,
        column,
        template,
        sheet,
        model,
        prompt_name,
        home,
        output=output,
        overwrite=overwrite,
        json=json,
        adds=("x", "y"),
    )
    with opened(asked) as explored:
        with progress("Mapping") as share:
            found = explored.map(method=method, seed=seed, progress=share)
        answer = Answer(
            columns=[f"the darker, the more rows ({_SHADES.strip()})"],
            rows=[(row,) for row in _picture(found)],
            wire=_wire(explored, found),
            added=dict(zip("xy", _positions(found), strict=True)),
            said=_said(found),
        )
        give(asked, explored, answer)


def _positions(found: "Map") -> list[list[float]]:
    """[2][n]: x and y."""
    return [[round(value, _DIGITS) for value in column] for column in found.positions.T.tolist()]


def _said(found: "Map") -> list[str]:
    said = [f"{len(found.positions):,} rows by {found.method}."]
    if found.sample is not None:
        said.append(
            f"t-SNE placed {len(found.sample):,} of them, drawn at random; each other row lies "
            "amid those that are nearest to it."
        )
    if found.method == "t-sne":
        said.append("What lies together is alike; how far groups lie apart means nothing.")
    return said


def _picture(found: "Map") -> list[str]:
    """A line for each row of characters: the darker, the more rows lie there."""
    counts = [[0] * _WIDE for _ in range(_HIGH)]
    for x, y in found.positions.tolist():
        across, down = (x + 1) / 2 * (_WIDE - 1), (1 - y) / 2 * (_HIGH - 1)
        counts[round(down)][round(across)] += 1
    most = max(max(line) for line in counts)
    return [
        "".join(_SHADES[-(-count * (len(_SHADES) - 1) // most)] for count in line).rstrip()
        for line in counts
    ]


def _wire(explored: "Explored", found: "Map") -> dict[str, Any]:
    return {
        "method": found.method,
        "sample": None if found.sample is None else len(found.sample),
        "data": [
            {"line": line, "x": x, "y": y}
            for line, x, y in zip(explored.lines, *_positions(found), strict=True)
        ],
    }
