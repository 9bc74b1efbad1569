"""Do answers to one question agree? Contradictions, annotators, and what a model can reach."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from tunewright.quality.evidence import found, share, some
from tunewright.quality.questions import Alike
from tunewright.quality.rows import Row, Rows
from tunewright.quality.words import NEGATIONS, changes, is_number, is_open, plain, same, words
from tunewright.records.findings import Finding

_CLOSE = 0.9  # cosine of questions that may be one
_ALIKE = 0.8  # cosine of longer answers that may say the same in other words
_SHORT = 6  # words up to which an answer has to be the same
_POLARITY = {"yes", "no", "true", "false", "是", "否", "对"}
_POOR = 0.667  # Krippendorff: below it, not even tentative conclusions


@dataclass
class Agreement:
    """`bound`: the share of rows that a model can answer as they are answered, if it gives each
    question the answer that most of its rows have. `kappas`: Cohen's, by pair of annotators."""

    bound: float = 1.0
    repeated: int = 0
    alpha: float | None = None
    kappas: dict[str, float] = field(default_factory=dict)


def find(rows: Rows) -> Iterator[Finding]:
    groups = questions(rows)
    closed = [group for group in groups if not is_open(rows.rows[group[0]].asked)]
    bad = [group for group in closed if _contradict(rows, group)]
    measured = measure(rows.rows, closed)
    if bad:
        lines = sorted(rows.rows[at].line for group in bad for at in group)
        yield found(
            "contradictory_answers",
            f"{len(bad):,} questions have answers that contradict each other, in "
            f"{share(len(lines), len(rows))}; at best {measured.bound:.1%} of the rows can be "
            "answered as they are.",
            "Decide on one answer for each, or add to the question what makes the difference.",
            lines,
            severity="warning",
            excerpt=some([" / ".join(str(rows.rows[at].line) for at in group) for group in bad]),
        )
    if measured.alpha is not None and measured.alpha < _POOR:
        pairs = [f"{pair}: {kappa:.2f}" for pair, kappa in measured.kappas.items()]
        yield found(
            "annotators_disagree",
            f"The annotators agree little: Krippendorff's alpha is {measured.alpha:.2f} over "
            f"{measured.repeated:,} questions; Cohen's kappa is {some(pairs)}.",
            "Write down how to decide, and have the disputed questions answered again.",
            severity="warning",
        )


def questions(rows: Rows) -> list[list[int]]:
    """Places of rows that ask the same under one system prompt, two or more of each question."""
    groups: dict[tuple[str, int], list[int]] = defaultdict(list)
    systems: dict[int, dict[str, None]] = defaultdict(dict)  # of a question, in their order
    for at, (row, number) in enumerate(zip(rows.rows, rows.questions.of, strict=True)):
        system = plain(row.system)
        groups[system, number].append(at)
        systems[number][system] = None
    joined = {key: key for key in groups}
    for pair in rows.questions.alike:
        if pair.cosine >= _CLOSE and _same(rows, pair):
            for system in systems[pair.one].keys() & systems[pair.other].keys():
                joined[system, pair.other] = joined[system, pair.one]
    together: dict[tuple[str, int], list[int]] = defaultdict(list)
    for key, places in groups.items():
        together[joined[key]] += places
    return [sorted(group) for group in together.values() if len(group) > 1]


def _same(rows: Rows, pair: Alike) -> bool:
    one, other = (rows.questions.rows[number][0] for number in (pair.one, pair.other))
    return same(rows.rows[one].asked, rows.rows[other].asked, every=1_000_000)


def _contradict(rows: Rows, group: Sequence[int]) -> bool:
    distinct = {plain(rows.rows[at].answer): at for at in group}
    return any(_differ(rows, one, other) for one, other in combinations(distinct.values(), 2))


def _differ(rows: Rows, one: int, other: int) -> bool:
    first, second = rows.rows[one].answer, rows.rows[other].answer
    if same(first, second, every=10):
        return False
    gone, come = changes(first, second)
    if any(is_number(w) or w in NEGATIONS or w in _POLARITY for w in (*gone, *come)):
        return True
    if min(len(words(first)), len(words(second))) <= _SHORT:
        return True
    return float(rows.answered[one] @ rows.answered[other]) < _ALIKE


def measure(rows: Sequence[Row], groups: Sequence[Sequence[int]]) -> Agreement:
    """Of the questions that `groups` names by the places of their rows."""
    lost = 0
    for group in groups:
        lost += len(group) - Counter(plain(rows[at].answer) for at in group).most_common(1)[0][1]
    said = [
        {rows[at].annotator: plain(rows[at].answer) for at in group if rows[at].annotator}
        for group in groups
    ]
    said = [one for one in said if len(one) > 1]
    bound = 1 - lost / max(len(rows), 1)
    return Agreement(bound, len(said), krippendorff(said), _kappas(said))


def _kappas(said: Sequence[dict[str, str]]) -> dict[str, float]:
    names = sorted({name for one in said for name in one})
    found: dict[str, float] = {}
    for one, other in combinations(names, 2):
        both = [
            (labels[one], labels[other]) for labels in said if one in labels and other in labels
        ]
        if both:
            found[f"{one} and {other}"] = cohen(both)
    return found


def cohen(pairs: Sequence[tuple[str, str]]) -> float:
    """Cohen's kappa of two annotators' labels: 1 agree always, 0 as by chance. 1 where both know
    but one label."""
    agree = sum(one == other for one, other in pairs) / len(pairs)
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[label] * second[label] for label in first) / len(pairs) ** 2
    return 1.0 if chance == 1 else (agree - chance) / (1 - chance)


def krippendorff(said: Sequence[dict[str, str]]) -> float | None:
    """Krippendorff's alpha for names without order: each item's label by annotator. None where
    nobody answered an item that another answered."""
    together: Counter[str] = Counter()
    disagree = 0.0
    for labels in said:
        counts, number = Counter(labels.values()), len(labels)
        if number > 1:
            together.update(counts)
            disagree += sum(n * (number - n) for n in counts.values()) / (number - 1)
    total = together.total()
    if not total:
        return None
    expected = sum(n * (total - n) for n in together.values()) / (total - 1)
    return 1.0 if expected == 0 else 1 - disagree / expected
