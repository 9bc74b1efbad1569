from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunewright.cli.explore.parts import (
    AddedOutputOption,
    Answer,
    Asked,
    EmbeddingModelOption,
    OverwriteOutOption,
    TableArgument,
    beginning,
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
from tunewright.wording import counted, of

if TYPE_CHECKING:
    from tunewright.analysis.diversity import Diversity
    from tunewright.analysis.intervals import Interval
    from tunewright.analysis.two_tables import Comparison, Coverage
    from tunewright.resources.explored import Explored

_ReferenceOption = Annotated[
    Path | None,
    typer.Option(
        metavar="TABLE",
        help="Another table with the same columns: which share of it is covered, and which of "
        "the two is more varied.",
        show_default=False,
    ),
]
_ThresholdOption = Annotated[
    float | None,
    typer.Option(
        metavar="COSINE",
        help="The similarity from which on rows are near-duplicates. Not given: the words of "
        "the nearest rows decide.",
        show_default=False,
    ),
]
_SHOWN_LINES = 8
_SHOWN_HOLES = 5


def diversity(
    table: TableArgument,
    column: ColumnOption = None,
    reference: _ReferenceOption = None,
    threshold: _ThresholdOption = None,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """How varied a table is, and which rows say the same.

    Example: tunewright explore diversity reviews.csv --column text -o marked.csv
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
        adds=("duplicate_group", "duplicate_of"),
    )
    with ExitStack() as stack:
        explored = stack.enter_context(opened(asked))
        other = replace(asked, table=reference, output=None) if reference else None
        beside = stack.enter_context(opened(other)) if other else None
        with progress("Diversity") as done:
            found = explored.diversity(threshold=threshold, progress=done)
        answer = _answer(explored, found)
        give(asked, explored, _beside(answer, explored, beside) if beside else answer)


def _answer(explored: "Explored", found: "Diversity") -> Answer:
    groups = [[explored.lines[row] for row in rows] for rows in found.duplicates]
    return Answer(
        columns=[">group", "lines", "text"] if groups else [],
        rows=[
            (number, _few(lines), beginning(explored.texts[rows[0]]))
            for number, (lines, rows) in enumerate(
                zip(groups, found.duplicates, strict=True), start=1
            )
        ],
        wire={
            "mean_distance": asdict(found.mean_distance),
            "vendi": found.vendi,
            "effective_rows": found.effective_rows,
            "threshold": found.threshold,
            "duplicate_rows": found.duplicate_rows,
            "duplicates": [
                {"group": number, "lines": lines} for number, lines in enumerate(groups, start=1)
            ],
        },
        added=_added(explored, found),
        said=_said(found),
    )


def _few(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN_LINES]))
    more = len(lines) - _SHOWN_LINES
    return shown if more <= 0 else f"{shown} and {more:,} more"


def _added(explored: "Explored", found: "Diversity") -> dict[str, list[int | None]]:
    group: list[int | None] = [None] * len(explored)
    first: list[int | None] = [None] * len(explored)
    for number, rows in enumerate(found.duplicates, start=1):
        for row in rows:
            group[row] = number
        for row in rows[1:]:
            first[row] = explored.lines[rows[0]]
    return {"duplicate_group": group, "duplicate_of": first}


def _said(found: "Diversity") -> list[str]:
    said = [
        f"{counted(found.rows, 'row')}. The mean distance of two is {found.mean_distance} "
        "(0: the same; 1: nothing in common).",
        f"Vendi score {found.vendi:,.1f}: as varied as so many rows that have nothing in common. "
        f"Near-duplicates counted once: {found.effective_rows:,.0f} effective rows.",
    ]
    if not found.duplicates:
        return [*said, "No row is a near-duplicate of another."]
    many = of(found.duplicate_rows, "is a near-duplicate", "are near-duplicates")
    return [
        *said,
        f"{counted(found.duplicate_rows, 'row')} {many} of an earlier one, in "
        f"{counted(len(found.duplicates), 'group')}. With --output OUT, keep the rows in which "
        "duplicate_of is empty: of each group the first one stays.",
    ]


def _beside(answer: Answer, explored: "Explored", other: "Explored") -> Answer:
    """The answer, and what another table shows."""
    with progress("Coverage") as done:
        covered = explored.coverage(other, progress=done)
    with progress("Comparison") as done:
        compared = explored.compare(other, progress=done)
    wire = {"reference": _wire(other, covered, compared)}
    said = [*_covered(other, covered), *_compared(explored, other, compared)]
    return replace(answer, wire={**answer.wire, **wire}, said=[*answer.said, *said])


def _wire(other: "Explored", covered: "Coverage", compared: "Comparison") -> dict[str, Any]:
    return {
        "table": other.name,
        "rows": len(other),
        "coverage": asdict(covered.share),
        "expected_coverage": covered.expected,
        "uncovered": [other.lines[row] for row in covered.uncovered],
        "holes": [
            {"lines": [other.lines[row] for row in hole.rows], "text": other.texts[hole.rows[0]]}
            for hole in covered.holes
        ],
        "more_diverse": asdict(compared.more_diverse),
        "vendi_of_as_many_rows": list(compared.vendi),
        "energy_coefficient": compared.apart,
        "p_value": compared.p_value,
        "sample": list(compared.sample),
    }


def _covered(other: "Explored", covered: "Coverage") -> list[str]:
    said = [
        f"Near {_percent(covered.share)} of the rows of {other.name} there is a row of this "
        f"table; if both had the same kinds of text it would be {covered.expected * 100:.1f} %."
    ]
    for hole in covered.holes[:_SHOWN_HOLES]:
        text = beginning(other.texts[hole.rows[0]], 80)
        line = other.lines[hole.rows[0]]
        said.append(f"  {counted(len(hole.rows), 'row')} not covered, such as line {line}: {text}")
    return said


def _compared(explored: "Explored", other: "Explored", compared: "Comparison") -> list[str]:
    more = compared.more_diverse
    verdict = f"{explored.name} is as varied as {other.name}, as far as can be told"
    if more.low > 0 or more.high < 0:
        first, second = (explored, other) if more.low > 0 else (other, explored)
        verdict = f"{first.name} is more varied than {second.name}"
    same = "differ by more than chance" if compared.differ else "may be of one kind"
    return [
        f"{verdict}: the mean distance differs by {more}.",
        f"The texts of the two {same}: energy coefficient {compared.apart:.3f} (0: the same "
        f"distribution, 1: nothing in common), p = {compared.p_value:.3f}, by permutation of "
        f"{compared.sample[0]:,} and {compared.sample[1]:,} rows.",
    ]


def _percent(share: "Interval") -> str:
    return f"{share.value * 100:.1f} % ({share.low * 100:.1f} to {share.high * 100:.1f})"
