import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tunewright.cli.explore.parts import (
    AddedOutputOption,
    Answer,
    Asked,
    EmbeddingModelOption,
    ItemOption,
    OverwriteOutOption,
    TableArgument,
    UserOption,
    beginning,
    give,
    opened,
    progress,
)
from tunewright.cli.explore.search import added
from tunewright.cli.explore.search_options import (
    FilterOption,
    MetricOption,
    TopOption,
    VarietyOption,
)
from tunewright.cli.table_options import (
    ColumnOption,
    PromptNameOption,
    SheetOption,
    TemplateOption,
)
from tunewright.cli.terminal import HomeOption, JsonOption, note
from tunewright.errors import BadRequest
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.analysis.hit_rates import HitRates
    from tunewright.analysis.interactions import Suggestion
    from tunewright.analysis.intervals import Interval
    from tunewright.analysis.recommending import Recommendation
    from tunewright.resources.explored import Explored

_LikeOption = Annotated[
    list[int] | None,
    typer.Option(
        "--like",
        metavar="LINE",
        help="A line of the table that is liked; several times for several.",
    ),
]
_UnlikeOption = Annotated[
    list[int] | None,
    typer.Option(
        "--unlike",
        metavar="LINE",
        help="A line that is disliked: what is like it falls behind.",
    ),
]
_ForOption = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="USER",
        help="A user, who is recommended items that he or she has not had; with --user, --item.",
        show_default=False,
    ),
]
_RatingOption = Annotated[
    str | None,
    typer.Option(
        "--rating",
        metavar="COLUMN",
        help="The column with how a user rated an item: below the middle of the scale is disliked.",
        show_default=False,
    ),
]


def similar(
    table: TableArgument,
    like: _LikeOption = None,
    unlike: _UnlikeOption = None,
    column: ColumnOption = None,
    user: UserOption = None,
    item: ItemOption = None,
    rating: _RatingOption = None,
    for_: _ForOption = None,
    top: TopOption = 10,
    filter: FilterOption = None,
    metric: MetricOption = None,
    variety: VarietyOption = 0.0,
    output: AddedOutputOption = None,
    overwrite: OverwriteOutOption = False,
    template: TemplateOption = None,
    sheet: SheetOption = None,
    model: EmbeddingModelOption = None,
    prompt_name: PromptNameOption = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Find rows like a row, or like some and unlike others; or recommend items to a user.

    With --user and --item, how often such a recommendation is right is measured too: of each user
    one liked item is taken away, and looked for.

    Example: tunewright explore similar reviews.csv --like 12 --column text
    """
    from tunewright.cli.attributes import filters

    _check(like, unlike, user, item, for_, filter, metric, output)
    asked = Asked(
        table,
        column,
        template,
        sheet,
        model,
        prompt_name,
        home,
        user=user,
        item=item,
        number=rating,
        output=output,
        overwrite=overwrite,
        json=json,
        adds=("score", "rank"),
    )
    with opened(asked) as explored:
        if like is None:
            return give(asked, explored, _for_users(explored, for_, top, variety))
        liked, disliked = explored.rows_of(like), explored.rows_of(unlike or [])
        most, where = len(explored) if output else top, filters(filter or [])
        if len(liked) > 1 or disliked:
            found = explored.recommend(liked, disliked, top=most, where=where, variety=variety)
        else:
            found = explored.similar(
                liked[0], top=most, metric=metric or "cosine", where=where, variety=variety
            )
        if not found:
            note("No other row matches the filter." if filter else "There is no other row.")
        return give(asked, explored, _of_rows(explored, found, top))


def _check(
    like: Sequence[int] | None,
    unlike: Sequence[int] | None,
    user: str | None,
    item: str | None,
    for_: str | None,
    filter: Sequence[str] | None,
    metric: str | None,
    output: object,
) -> None:
    """Raises BadRequest for options that do not go together."""
    if bool(like) == bool(user or item or for_):
        raise BadRequest(
            "Say what it is to be like: a row, by --like LINE; or who a user is and what the items "
            "are, by --user COLUMN and --item COLUMN."
        )
    if like and metric and (unlike or len(like) > 1):
        raise BadRequest(
            "--metric is for one row: what several have in common is a direction, and rows are "
            "compared with it by cosine.",
            param="metric",
        )
    if like:
        return
    if not (user and item):
        raise BadRequest(
            "Recommendations for users need both columns: --user COLUMN and --item COLUMN."
        )
    for name, given in (("unlike", unlike), ("filter", filter), ("metric", metric)):
        if given:
            raise BadRequest(f"--{name} goes with --like, not with --user.", param=name)
    if output and not for_:
        raise BadRequest("--output needs --for USER: whose recommendations?", param="output")


def _of_rows(explored: "Explored", found: Sequence["Recommendation"], top: int) -> Answer:
    several = len({one.because for one in found}) > 1
    data = [
        {
            "line": explored.lines[one.row],
            "score": one.score,
            "because": explored.lines[one.because],
            "text": explored.texts[one.row],
        }
        for one in found[:top]
    ]
    names = ["line", *(["because"] if several else [])]
    return Answer(
        columns=[">score", *(f">{name}" for name in names), "text"],
        rows=[
            (f"{one['score']:.3f}", *(one[name] for name in names), beginning(str(one["text"])))
            for one in data
        ],
        wire={"data": data},
        added=added(len(explored), [(one.row, one.score) for one in found]),
    )


def _for_users(explored: "Explored", user: str | None, top: int, variety: float) -> Answer:
    if user is None:
        rates = _measured(explored, top)
        return Answer(
            columns=["recommended", ">hits", ">95 % interval"],
            rows=[(name, *_share(rate)) for name, rate in _rates(rates).items()],
            wire={"hit_rates": _wire(rates)},
            added={},
            said=_said(rates),
        )
    found = explored.recommend_for(user, top=top, variety=variety)
    try:
        rates = _measured(explored, top)
    except BadRequest as error:
        note(str(error))
        rates = None
    if not found:
        note(f"{user} has had every item.")
    data = [
        {
            "item": one.item,
            "score": one.score,
            "because": one.because,
            "lines": [explored.lines[row] for row in one.rows],
        }
        for one in found
    ]
    return Answer(
        columns=["item", ">score", "because"],
        rows=[(one.item, f"{one.score:.3f}", one.because) for one in found],
        wire={"user": user, "data": data, "hit_rates": _wire(rates) if rates else None},
        added=_of_items(len(explored), found),
        said=_said(rates) if rates else (),
    )


def _measured(explored: "Explored", top: int) -> "HitRates":
    with progress("Measuring") as share:
        return explored.hit_rates(top=top, progress=share)


def _rates(rates: "HitRates") -> dict[str, "Interval"]:
    return {
        "like what a user liked": rates.ours,
        "the most popular": rates.popularity,
        "by chance": rates.chance,
    }


def _share(rate: "Interval") -> tuple[str, str]:
    return f"{rate.value:.1%}", f"{rate.low:.1%} to {rate.high:.1%}"


def _said(rates: "HitRates") -> list[str]:
    """With what it is worth: that is not always more than the most popular items."""
    ours, among = rates.ours, rates.over_popularity
    sample = f" (a sample of {rates.possible:,})" if rates.users < rates.possible else ""
    said = (
        f"Of {counted(rates.users, 'user')}{sample}, {ours.value:.0%} ({ours.low:.0%} to "
        f"{ours.high:.0%}) have an item that they liked, and that was taken away for this, among "
        f"{rates.k} that are recommended. The most popular items: {rates.popularity.value:.0%}; "
        f"chance: {rates.chance.value:.0%}."
    )
    if among.high < 0:
        return [said, "The most popular items do better here: recommend those."]
    if among.low <= 0:
        return [said, "That is not surely more than the most popular items give."]
    return [said]


def _wire(rates: "HitRates") -> dict[str, Any]:
    return dataclasses.asdict(rates)


def _of_items(rows: int, found: Sequence["Suggestion"]) -> dict[str, list[float | None]]:
    """Of each row the score and rank of its item."""
    columns: dict[str, list[float | None]] = {"score": [None] * rows, "rank": [None] * rows}
    for rank, one in enumerate(found, start=1):
        for row in one.rows:
            columns["score"][row], columns["rank"][row] = round(one.score, 6), rank
    return columns
