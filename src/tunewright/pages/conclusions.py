"""The first screen of the explore report: what was found, in sentences, and what to do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from tunewright import suggestions
from tunewright.analysis.anomalies import Anomalies
from tunewright.analysis.classification import Classification
from tunewright.analysis.clusters import Cluster, Clusters
from tunewright.analysis.diversity import Diversity
from tunewright.analysis.exploration import About, Exploration
from tunewright.analysis.intervals import Interval
from tunewright.analysis.regression import Regression
from tunewright.pages.packing import cut
from tunewright.suggestions import Value
from tunewright.wording import counted

SHOWN = 4
_FEW_ROWS = 100  # below this, what is said of a table can turn over with another sample
_FEW_OF_A_CLASS = 20


@dataclass(frozen=True)
class Conclusion:
    """`said`: the sentence, its numbers in bold. `thin`: why it is not to be relied on, if so.
    `command` does something about it, `does` says what. `section`: the id of its part."""

    topic: str
    section: str
    said: Markup
    command: str
    does: str
    thin: str = ""


def conclusions(explored: Exploration) -> list[Conclusion]:
    """Of every part that is there, the four that say most; the others stand in their parts."""
    found: list[Conclusion] = []
    for part, conclude in _PARTS:
        if (result := getattr(explored, part)) is not None:
            found.append(conclude(explored, result))
    return found[:SHOWN]


def command(about: About, use: str, **more: Value) -> str:
    """What does `use` with this table, as it is typed."""
    return suggestions.command("explore", use, about.table, **dict(about.options), **more)


def percent(share: float) -> str:
    """Two digits that count, and a space that keeps the line: 21 %, 2.4 %, 0.31 %."""
    hundredths = share * 100
    digits = 0 if hundredths >= 10 else 1 if hundredths >= 1 else 2
    return f"{round(hundredths, digits):g}\N{NO-BREAK SPACE}%"


def interval(found: Interval, form: str = ".2f") -> str:
    return f"95\u00a0% interval {found.low:{form}} to {found.high:{form}}"


def _said(template: str, *values: object) -> Markup:
    """*{}* stands for a value in bold; every value is escaped."""
    return Markup(template.replace("*{}*", "<b>{}</b>")).format(*values)


def _clusters(explored: Exploration, clusters: Clusters) -> Conclusion:
    rows = len(explored.texts)
    largest = max(clusters.all, key=lambda cluster: len(cluster.rows), default=None)
    known = [cluster for cluster in clusters.all if cluster.stability is not None]
    stable = sum(cluster.stable for cluster in known)
    said = _said(
        "The {} fall into *{}*", counted(rows, "row"), counted(len(clusters.all), "cluster")
    )
    if largest is not None:
        share = percent(len(largest.rows) / rows)
        said += _said(
            "; the largest, “{}”, has *{}* of them ({})",
            cut(largest.name, 60),
            f"{len(largest.rows):,}",
            share,
        )
    if known:
        words = ". *{}* of {} are stable: clear, and given again by other samples of the rows"
        said += _said(words, stable, len(known))
    return Conclusion(
        *("Clusters", "clusters", said + "."),
        command(explored.about, "clusters", output="clusters.csv"),
        "adds the cluster of each row to a copy of the table",
        " ".join(_thin_clusters(clusters, known, rows)),
    )


def _thin_clusters(clusters: Clusters, known: list[Cluster], rows: int) -> Iterator[str]:
    noise = float((clusters.of < 0).mean())
    if rows < _FEW_ROWS:
        yield f"{counted(rows, 'row')} are few for clusters: {_FEW_ROWS} or more show what lasts."
    if 2 * sum(cluster.stable for cluster in known) < len(known):
        yield "Most clusters are not stable: read them as a sketch."
    if clusters.silhouette is not None and clusters.silhouette <= (clusters.chance or 0):
        yield "They lie no farther apart than clusters of rows without any groups do."
    if noise > 0.3:
        yield f"{percent(noise)} of the rows belong to none."


def _labels(explored: Exploration, found: Classification) -> Conclusion:
    name = explored.labels[0][0] if explored.labels else "label"
    said = _said(
        "“{}” can be told from the text for *{}* of the rows (95\u00a0% interval {} to {})",
        *(
            name,
            percent(found.accuracy.value),
            percent(found.accuracy.low),
            percent(found.accuracy.high),
        ),
    ) + _said("; always saying the most frequent would be right for *{}*", percent(found.majority))
    if (suspects := len(found.suspects)) and found.accuracy.low > found.majority:
        noun = "row has a label that is" if suspects == 1 else "rows have a label that is"
        said += _said("; *{}* " + noun + " likely wrong", f"{suspects:,}")
    return Conclusion(
        *("Labels", "labels", said + "."),
        command(explored.about, "classify", label=name, output="labels.csv"),
        "adds what is predicted for each row, and how surely",
        " ".join(_thin_labels(found)),
    )


def _thin_labels(found: Classification) -> Iterator[str]:
    if found.accuracy.low <= found.majority:
        yield "The interval reaches down to that: the texts may say nothing of the label."
    elif found.accuracy.high - found.accuracy.low > 0.1:
        yield f"The interval is wide: {counted(found.rows, 'labelled row')} are few."
    smallest = int(found.confusion.sum(axis=1).min())
    if smallest < _FEW_OF_A_CLASS:
        yield f"The rarest label has {counted(smallest, 'row')} only."


def _duplicates(explored: Exploration, found: Diversity) -> Conclusion:
    rows = len(explored.texts)
    if many := found.duplicate_rows:
        said = _said(
            "*{}* of {} ({}) could go", f"{many:,}", counted(rows, "row"), percent(many / rows)
        )
        groups = counted(len(found.duplicates), "group")
        said += f": each is a near-duplicate of a row that stays ({groups})"
    else:
        said = _said("<b>None</b> of {} is a near-duplicate of another", counted(rows, "row"))
    return Conclusion(
        *("Near-duplicates", "diversity", said + "."),
        command(explored.about, "diversity", output="duplicates.csv"),
        "adds the group of near-duplicates to each row, so that one of each can be kept",
        ""
        if rows >= _FEW_ROWS
        else f"{counted(rows, 'row')} only: a larger table has more of them.",
    )


def _diversity(explored: Exploration, found: Diversity) -> Conclusion:
    alike, distance = counted(round(found.vendi), "row"), found.mean_distance
    said = _said("The table is as varied as *{}* that have nothing in common", alike)
    said += _said("; two rows taken at random are *{}* apart", f"{distance.value:.2f}")
    said += f" ({interval(distance)}; 0: the same, 1: nothing in common)."
    return Conclusion(
        *("Diversity", "diversity", said),
        command(explored.about, "diversity"),
        "says it again, and how a second table compares",
    )


def _anomalies(explored: Exploration, found: Anomalies) -> Conclusion:
    if found.found:
        first = found.found[0]
        line, times = f"{explored.lines[first.row]:,}", f"{first.times_usual:.1f}"
        quoted = cut(explored.texts[first.row], 90)
        said = _said("The most unusual row, line {}, is *{}* times as far", line, times)
        said += _said(" from its nearest rows as is usual: “{}”.", quoted)
        listed = _said(" *{}* are listed", counted(len(found.found), "row"))
        said += listed + f" (the share that was asked for: {percent(found.share)})."
    else:
        said = Markup("No row lies far from all others.")
    return Conclusion(
        *("Anomalies", "anomalies", said),
        command(explored.about, "anomalies", output="anomalies.csv"),
        "adds each row's anomaly score",
        _thin_anomalies(found),
    )


def _thin_anomalies(found: Anomalies) -> str:
    if found.found and found.found[0].times_usual < 2:
        return "Even the farthest is not far: this table may have no anomaly at all."
    return ""


def _numbers(explored: Exploration, found: Regression) -> Conclusion:
    name = explored.numbers[0][0] if explored.numbers else "number"
    error = [f"{value:.3g}" for value in (found.mae.value, found.mae.low, found.mae.high)]
    said = _said("“{}” is predicted from the text with a mean error of *{}*", name, error[0])
    said += _said(" (95\u00a0% interval {} to {})", *error[1:])
    said += _said("; always saying the mean errs by *{}*.", f"{found.baseline_mae:.3g}")
    useless = "The interval reaches up to that: the texts may say nothing of the number."
    return Conclusion(
        *("Number", "number", said),
        command(explored.about, "classify", number=name, output="numbers.csv"),
        "adds the predicted number to each row",
        useless if found.mae.high >= found.baseline_mae else "",
    )


_PARTS: tuple[tuple[str, Callable[[Exploration, Any], Conclusion]], ...] = (
    ("clusters", _clusters),
    ("classification", _labels),
    ("diversity", _duplicates),
    ("anomalies", _anomalies),
    ("regression", _numbers),
    ("diversity", _diversity),
)
