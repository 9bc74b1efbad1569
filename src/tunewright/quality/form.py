"""Answers that break the form which the other answers of the file have."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from tunewright.quality.brackets import balanced
from tunewright.quality.evidence import found, share
from tunewright.quality.languages import language
from tunewright.quality.promises import promises
from tunewright.quality.rows import Row
from tunewright.quality.speech import slips
from tunewright.quality.words import sentences, words
from tunewright.records.findings import Finding

_PREVAILS = 0.6
_FEWEST = 10  # rows from which on a form can be said to prevail
_ENDS = tuple(".!?…。！？)]}）】」》\"'”’`:;：；*>|~^")
_SENTENCE = 4  # words from which on an answer should end as a sentence


def find(rows: Sequence[Row]) -> Iterator[Finding]:
    if len(rows) >= _FEWEST:
        ending = sign_off([row.answer for row in rows])
        yield from _json(rows)
        yield from _sign_offs(rows, ending)
        yield from _languages(rows, ending)
        yield from _truncated(rows, ending)
    yield from _brackets(rows)
    yield from _speech(rows)


def _json(rows: Sequence[Row]) -> Iterator[Finding]:
    broken = [row for row in rows if not is_json(row.answer)]
    if broken and len(broken) <= len(rows) * (1 - _PREVAILS):
        yield found(
            "broken_json",
            f"{share(len(broken), len(rows))} have an answer that is not JSON; all other "
            "answers are.",
            "Repair the answers: the model learns the broken form as well.",
            [row.line for row in broken],
            severity="warning",
            excerpt=broken[0].answer,
        )


def is_json(text: str) -> bool:
    """Whether it is an object or a list, in a fence or without."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        return isinstance(json.loads(bare), dict | list)
    except (ValueError, RecursionError):
        return False


def sign_off(answers: Sequence[str]) -> str:
    """How most answers end after what they say, with each digit as 0; empty where none prevails."""
    lasts = Counter(parts[-1] for text in answers if len(parts := sentences(_masked(text))) > 1)
    if not lasts:
        return ""
    ending, count = lasts.most_common(1)[0]
    return ending if count >= len(answers) * _PREVAILS else ""


def _masked(text: str) -> str:
    return re.sub(r"\d+(?:[.,]\d+)*", "0", text).rstrip()


def _without(text: str, ending: str) -> str:
    masked = _masked(text)
    return masked.removesuffix(ending).rstrip() if ending else text.rstrip()


def _sign_offs(rows: Sequence[Row], ending: str) -> Iterator[Finding]:
    missing = [row for row in rows if ending and not _masked(row.answer).endswith(ending)]
    if missing:
        yield found(
            "missing_sign_off",
            f"{share(len(missing), len(rows))} lack the ending of the others, {ending!r}.",
            "Add it, unless these answers are meant to end differently.",
            [row.line for row in missing],
            excerpt=missing[0].answer[-80:],
        )


def _languages(rows: Sequence[Row], ending: str) -> Iterator[Finding]:
    """Who asks in a language, or for it, may be answered in it."""
    spoken = [language(_without(row.answer, ending)) for row in rows]
    counts = Counter(filter(None, spoken))
    if not counts:
        return
    own, count = counts.most_common(1)[0]
    if count < counts.total() * _PREVAILS:
        return
    other = [
        row
        for row, name in zip(rows, spoken, strict=True)
        if name and name != own and not _wanted(row, name)
    ]
    if other:
        yield found(
            "other_language",
            f"{share(len(other), len(rows))} are answered in another language than {own}, though "
            "not asked in it.",
            "Answer in the language of the question, or remove the rows.",
            [row.line for row in other],
            severity="warning",
            excerpt=other[0].answer,
        )


def _wanted(row: Row, name: str) -> bool:
    said = f"{row.system} {row.asked}".casefold()
    asked_for = re.search(r"translat|翻译|译成|in (?:any|other) language", said)
    return bool(asked_for) or name.casefold() in said or language(row.asked) == name


def _brackets(rows: Sequence[Row]) -> Iterator[Finding]:
    """The judgement is left to the check of JSON where answers are JSON."""
    open_ones = [row for row in rows if not all(map(balanced, row.answers))]
    if open_ones and len(open_ones) <= len(rows) * (1 - _PREVAILS):
        yield found(
            "unbalanced_brackets",
            f"{share(len(open_ones), len(rows))} have an answer with a bracket that nothing closes "
            "or opens.",
            "Add the missing one.",
            [row.line for row in open_ones],
            excerpt=open_ones[0].answer,
        )


def _truncated(rows: Sequence[Row], ending: str) -> Iterator[Finding]:
    """Answers with the ending of the file are whole, whatever their last sentence looks like."""
    said = [row for row in rows if len(words(row.answer)) >= _SENTENCE]
    signed = {id(row) for row in said if ending and _masked(row.answer).endswith(ending)}
    cut = [row for row in said if id(row) not in signed and not _ended(row.answer.rstrip())]
    if cut and len(cut) <= len(said) * (1 - _PREVAILS):
        yield found(
            "truncated_answer",
            f"{share(len(cut), len(rows))} have an answer that breaks off: most others end as "
            "sentences do.",
            "Complete the answers: the model learns where to stop from them.",
            [row.line for row in cut],
            severity="warning",
            excerpt=cut[0].answer[-80:],
        )


def _ended(text: str) -> bool:
    """As a sentence, or as what needs no mark: an item of a list, an address, a name below."""
    if text.count("```") % 2:
        return False
    if text.endswith(_ENDS) or not (text[-1].isalnum() or text[-1] in ",，、-"):
        return True
    before, _, last = re.sub(r"<br ?/?>", "\n", text).rpartition("\n")
    if re.match(r"\s*(?:[-*•#|]|\d+[.)])", last) or re.match(r"https?://|[^@]+@", last.split()[-1]):
        return True
    return bool(before) and last[:1].isupper() and len(last.split()) <= 4


def _speech(rows: Sequence[Row]) -> Iterator[Finding]:
    slipped = [row for row in rows if any(slips(text) for text in row.answers)]
    if slipped and len(slipped) <= len(rows) * (1 - _PREVAILS):
        yield found(
            "role_slip",
            f"{share(len(slipped), len(rows))} have an answer in which the assistant speaks for "
            "the user, or names of roles stand as text.",
            "Cut the answer there, or make it a message of its own.",
            [row.line for row in slipped],
            severity="warning",
            excerpt=slipped[0].answer,
        )
    promised = [row for row in rows if not row.acts and promises(row.asked, row.answer)]
    if promised:
        yield found(
            "impossible_promise",
            f"{share(len(promised), len(rows))} promise or report an action, but have no tool for "
            "it.",
            "Say what the user can do instead, or add the tool and its call.",
            [row.line for row in promised],
            excerpt=promises(promised[0].asked, promised[0].answer),
        )
