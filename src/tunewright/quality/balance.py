"""What the rows are about, and how often: refusals, stock phrases, labels, topics, diversity."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tunewright.analysis.diversity import distances_of_rows
from tunewright.analysis.neighbours import Vectors, crowd
from tunewright.analysis.topics import assign, topics
from tunewright.quality.evidence import found, share
from tunewright.quality.refusals import refuses
from tunewright.quality.rows import Row, Rows
from tunewright.quality.words import plain, sentences, words
from tunewright.records.findings import Finding
from tunewright.wording import counted, of

_MANY = 0.05  # share of refusals from which on they are worth a look
_APART = 0.15  # by which shares in training and in use may differ
_STOCK = 0.3  # share of the answers that begin with one sentence
_ONE = 0.95  # cosine from which on what is asked counts as one
_COUNTED = 2_000  # the share of distinct rows is then known to within one in a hundred
_MOST_LABELS = 50
_LABEL_WORDS = 4


@dataclass(frozen=True)
class Diversity:
    """`distance`: the mean of 1 - cosine of two rows' questions, taken at random. `distinct`: how
    many rows there are if all that ask nearly the same count as one; beyond `_COUNTED` rows an
    estimate from so many of them."""

    distance: float
    distinct: float


def find(rows: Rows, held_out: Rows | None = None) -> Iterator[Finding]:
    yield from _refusals(rows, held_out)
    yield from _stock(rows.rows)
    yield from _labels(rows.rows, held_out.rows if held_out else ())
    yield from _diversity(rows, held_out)
    if held_out and len(held_out):
        yield from _topics(rows, held_out)


def _refusals(rows: Rows, held_out: Rows | None) -> Iterator[Finding]:
    lines = [row.line for row in rows.rows if refuses(row.answer)]
    part = len(lines) / max(len(rows), 1)
    if part < _MANY:
        return
    said = f"{share(len(lines), len(rows))} refuse to answer"
    far = part > 2 * _APART
    if held_out and len(held_out):
        used = sum(refuses(row.answer) for row in held_out.rows)
        said += f", against {share(used, len(held_out))} in the validation file"
        far = part - used / len(held_out) > _APART
    yield found(
        "refusal",
        f"{said}: the model will refuse about as often.",
        "Keep the refusals that you want, and about as large a share of them as use will need.",
        lines,
        severity="warning" if far else "advice",
    )


def _stock(rows: Sequence[Row]) -> Iterator[Finding]:
    opening = [parts[0] if len(parts := sentences(row.answer)) > 1 else "" for row in rows]
    counts = Counter(map(plain, filter(None, opening)))
    if not counts:
        return
    text, count = counts.most_common(1)[0]
    if count >= max(_STOCK * len(rows), 5):
        lines = [row.line for row, said in zip(rows, opening, strict=True) if plain(said) == text]
        yield found(
            "boilerplate",
            f"{share(len(lines), len(rows))} begin with the same sentence.",
            "Keep it only if the model is to begin its answers like that.",
            lines,
            excerpt=text,
        )


def labels(rows: Sequence[Row]) -> Counter[str]:
    """How often each answer is given, where answers are a few short names; else empty."""
    counts = Counter(row.answer.strip() for row in rows)
    few = len(counts) <= min(_MOST_LABELS, len(rows) / 4)
    short = all(len(words(label)) <= _LABEL_WORDS for label in counts)
    return counts if few and short else Counter()


def _labels(rows: Sequence[Row], held_out: Sequence[Row]) -> Iterator[Finding]:
    counts = labels(rows)
    if len(counts) < 2:
        return
    total, even = counts.total(), counts.total() / len(counts)
    said = ", ".join(f"{label!r} {n / total:.0%}" for label, n in counts.most_common(5))
    rare = {label for label, n in counts.items() if n < even / 4}
    if rare or counts.most_common(1)[0][1] > 0.8 * total:
        yield found(
            "label_imbalance",
            f"The answers are {len(counts)} labels, and some are much rarer than others: {said}.",
            "Add rows with the rare labels, unless they will be as rare when the model is used.",
            [row.line for row in rows if row.answer.strip() in rare],
        )
    used = Counter(row.answer.strip() for row in held_out)
    apart = _distance(counts, used) if used else 0.0
    if apart > _APART:
        told = ", ".join(f"{label!r} {n / used.total():.0%}" for label, n in used.most_common(5))
        yield found(
            "labels_differ",
            f"The shares of the labels differ from the validation file: {said} here, {told} there.",
            "Give the training file the shares that the model will meet when it is used.",
            severity="warning",
        )


def _distance(one: Counter[str], other: Counter[str]) -> float:
    """Total variation: the share that would have to move."""
    names = one.keys() | other.keys()
    return sum(abs(one[n] / one.total() - other[n] / other.total()) for n in names) / 2


def diversity(vectors: Vectors) -> Diversity:
    number = len(vectors)
    if number < 2:
        return Diversity(0.0, float(number))
    asked = vectors
    if number > _COUNTED:
        asked = vectors[np.random.default_rng(0).choice(number, _COUNTED, replace=False)]
    distinct = float((1 / crowd(asked, vectors, _ONE)).mean()) * number
    return Diversity(float(distances_of_rows(vectors).mean()), distinct)


def _diversity(rows: Rows, held_out: Rows | None) -> Iterator[Finding]:
    own = diversity(rows.asked)
    if len(rows) >= 20 and own.distinct < len(rows) / 2:
        yield found(
            "few_distinct",
            f"{counted(len(rows), 'row')} {of(len(rows), 'asks', 'ask')} about "
            f"{own.distinct:,.0f} different things; the mean similarity of two rows is "
            f"{1 - own.distance:.2f} (1: the same).",
            "Add questions of other kinds, rather than more of the same.",
        )
    if held_out and len(held_out) >= 20:
        used = diversity(held_out.asked)
        if own.distance < 0.75 * used.distance:
            yield found(
                "narrower_than_use",
                f"The mean similarity of two training questions is {1 - own.distance:.2f}, of two "
                f"validation questions {1 - used.distance:.2f}: training covers less.",
                "Add rows of the kinds that are missing.",
                severity="warning",
            )


def _topics(rows: Rows, held_out: Rows) -> Iterator[Finding]:
    """Topics of training that are rarer in use, and the other way about."""
    if len(rows) < 40 or len(held_out) < 20:
        return
    found_topics = topics(rows.asked)
    topic = [str(of) for of in found_topics.of.tolist()]
    own = Counter(topic)
    places = assign(held_out.asked, found_topics.centres)
    used = Counter(map(str, places.tolist()))
    apart = _distance(own, used)
    if apart <= 2 * _APART:
        return
    gaps = {name: used[name] / used.total() - own[name] / own.total() for name in own | used}
    lacking = max(gaps, key=lambda name: gaps[name])
    lines = [rows.rows[at].line for at, of in enumerate(topic) if of == lacking]
    example = held_out.rows[places.tolist().index(int(lacking))]
    yield found(
        "topics_differ",
        f"{apart:.0%} of the rows would need another topic to match the validation file. The topic "
        f"of its line {example.line} is missing most: {own[lacking] / own.total():.0%} of the "
        f"training rows have it, and {used[lacking] / used.total():.0%} of the validation rows.",
        "Add rows on that topic.",
        lines,
        severity="warning",
        excerpt=example.asked,
    )
