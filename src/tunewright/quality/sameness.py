"""The same row twice, a row that is held out too, and rows written in another frame than most."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from tunewright.analysis.neighbours import MOST_CLOSE, between
from tunewright.quality.evidence import found, share, some
from tunewright.quality.questions import EVERY
from tunewright.quality.rows import Row, Rows
from tunewright.quality.words import changes, plain, same
from tunewright.records.findings import Finding

_CLOSE = 0.85  # cosine of what is asked, below which no pair is compared word by word
_PREVAILS = 0.6  # share of the rows from which on a frame is the file's own
_STRAY = 0.1  # share up to which another frame is a slip rather than another task
_LONGEST_SEPARATOR = 16

Key = tuple[str, str, str]


def find(rows: Rows, held_out: Rows | None = None) -> Iterator[Finding]:
    twins, near = duplicates(rows)
    if twins:
        yield found(
            "duplicate_example",
            f"{share(len(twins), len(rows))} are duplicates of an earlier row.",
            "Remove the duplicates. To give rows more weight, train more epochs instead.",
            list(twins),
            severity="warning",
            excerpt=_pairs(twins),
        )
    if near:
        yield found(
            "near_duplicate_example",
            f"{share(len(near), len(rows))} are near duplicates of an earlier row: only spelling "
            "or small words differ.",
            "Keep the better one of each pair.",
            list(near),
            excerpt=_pairs(near),
        )
    if held_out and (leaked := leaks(rows, held_out)):
        yield found(
            "leaked_example",
            f"{share(len(leaked), len(rows))} are in the validation file too: the validation loss "
            "will look better than the model is.",
            "Remove them from one of the two files, for example with --fix.",
            list(leaked),
            severity="warning",
            excerpt=_pairs(leaked),
        )
    yield from _systems(rows, held_out)
    yield from _separators(rows.rows, held_out.rows if held_out else ())


def duplicates(rows: Rows) -> tuple[dict[int, int], dict[int, int]]:
    """Lines that repeat an earlier one, exactly and nearly, each with that line."""
    first: dict[tuple[str, int, str], int] = {}
    twins: dict[int, int] = {}
    singles: dict[int, list[int]] = defaultdict(list)  # places of rows, by their question
    for at, (row, number) in enumerate(zip(rows.rows, rows.questions.of, strict=True)):
        line = first.setdefault((plain(row.system), number, plain(row.answer)), row.line)
        if line == row.line:
            singles[number].append(at)
        else:
            twins[row.line] = line
    near: dict[int, int] = {}
    for one, other in _comparable(rows, singles):
        earlier, later = rows.rows[one], rows.rows[other]
        if later.line not in near and _answers_repeat(earlier, later):
            near[later.line] = earlier.line
    return twins, dict(sorted(near.items()))


def _comparable(rows: Rows, singles: Mapping[int, Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Places (earlier, later) of rows whose questions are the same or alike. Of a question that
    many rows ask, each is held against so many as `neighbours` would look at."""
    for places in singles.values():
        for at, one in enumerate(places):
            yield from ((one, other) for other in places[at + 1 : at + 1 + MOST_CLOSE])
    for pair in rows.questions.alike:
        both = product(singles[pair.one][:MOST_CLOSE], singles[pair.other][:MOST_CLOSE])
        yield from ((min(places), max(places)) for places in both)


def leaks(rows: Rows, held_out: Rows) -> dict[int, int]:
    """Lines of the training file, each with the line of the held-out file that it repeats."""
    known = {_key(row): row.line for row in held_out.rows}
    leaked = {row.line: known[key] for row in rows.rows if (key := _key(row)) in known}
    for one, other in between(rows.asked, held_out.asked, _CLOSE).at_least(_CLOSE):
        row = rows.rows[one]
        if row.line not in leaked and _repeats(row, held_out.rows[other]):
            leaked[row.line] = held_out.rows[other].line
    return dict(sorted(leaked.items()))


def _key(row: Row) -> Key:
    return plain(row.system), plain(row.asked), plain(row.answer)


def _repeats(one: Row, other: Row) -> bool:
    return same(one.asked, other.asked, every=EVERY) and _answers_repeat(one, other)


def _answers_repeat(one: Row, other: Row) -> bool:
    """Of rows that ask the same. A word that changes in the question and in the answer makes
    another example of it, however alike the rest: ``sum of 2 and 3``, ``capital of Peru``."""
    if not same(one.answer, other.answer, every=10):
        return False
    gone, come = changes(one.asked, other.asked)
    left, new = changes(one.answer, other.answer)
    return not (set(gone) & set(left) or set(come) & set(new))


def _pairs(pairs: dict[int, int]) -> str:
    return some([f"{line} as {other}" for line, other in pairs.items()])


def _systems(rows: Rows, held_out: Rows | None) -> Iterator[Finding]:
    counts = Counter(row.system for row in rows.rows)
    prevailing = _prevailing(counts)
    if not prevailing:
        return
    rare = [text for text, n in counts.items() if text and n <= len(rows) * _STRAY]
    lines = [row.line for row in rows.rows if row.system != prevailing and row.system in rare]
    if lines:
        yield found(
            "system_prompt_drift",
            f"{share(len(lines), len(rows))} have a different system prompt from most.",
            "Give all rows exactly the system prompt that you will send when you use the model.",
            lines,
            excerpt=some(rare),
        )
    used = _prevailing(Counter(row.system for row in held_out.rows)) if held_out else None
    if used is not None and used != prevailing:
        yield found(
            "system_prompt_differs",
            "Most validation rows have a different system prompt from most training rows.",
            "Make them the same: validation should show how the model will be used.",
            severity="warning",
            excerpt=used or "(none)",
        )


def _prevailing(counts: Counter[str]) -> str | None:
    if not counts:
        return None
    text, number = counts.most_common(1)[0]
    return text if number >= counts.total() * _PREVAILS else None


def _separators(rows: Sequence[Row], held_out: Sequence[Row]) -> Iterator[Finding]:
    """Of prompt/completion rows, where the end of a prompt is a mark of one's own."""
    rows = [row for row in rows if row.completion]
    held_out = [row for row in held_out if row.completion]
    ends = separator([row.asked for row in rows])
    stops = separator([row.answer for row in rows])
    spaced = _spaced(rows)
    wrong = [
        row.line
        for row in rows
        if not (row.asked.endswith(ends) and row.answer.endswith(stops))
        or (spaced is not None and row.answer[:1].isspace() != spaced)
    ]
    if wrong:
        marks = [f"the prompt ends with {ends!r}"] * bool(ends)
        marks += [f"the completion ends with {stops!r}"] * bool(stops)
        marks += ["the completion begins with white space"] * bool(spaced)
        yield found(
            "separator_drift",
            f"{share(len(wrong), len(rows))} begin or end differently from most, where "
            f"{', '.join(marks) or 'the completion begins with no space'}.",
            "Use the same separators in all rows, and in the prompts that you will send to "
            "the model.",
            wrong,
            severity="warning",
        )
    if held_out and separator([row.asked for row in held_out]) != ends:
        yield found(
            "separator_differs",
            f"Most training prompts end with {ends!r}, most validation prompts do not.",
            "Use the same separators in both files.",
            severity="warning",
        )


def _spaced(rows: Sequence[Row]) -> bool | None:
    """Whether completions begin with white space; None where neither prevails."""
    spaced = sum(row.answer[:1].isspace() for row in rows)
    if not rows or 1 - 2 * _STRAY > spaced / len(rows) > 2 * _STRAY:
        return None
    return spaced > len(rows) / 2


def separator(texts: Sequence[str]) -> str:
    """The longest ending that prevails, from its first mark that no sentence ends with."""
    if len(texts) < 5:
        return ""
    best = ""
    for size in range(1, _LONGEST_SEPARATOR + 1):
        ending, count = Counter(text[-size:] for text in texts).most_common(1)[0]
        if count < len(texts) * _PREVAILS:
            break
        best = ending
    return re.sub(r"^[\w.,!?。！？\"')]+", "", best)
