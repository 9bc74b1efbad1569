"""Does the row hold what its answer needs? General knowledge is no part of the question: only
what an answer says of a given text, or of the user, has to stand in the row."""

import re
from collections.abc import Iterator, Sequence, Set
from itertools import combinations

from tunewright.quality.evidence import found, share, some
from tunewright.quality.rows import Row
from tunewright.quality.words import content, plain, words
from tunewright.records.findings import Finding

_SOURCE = 25  # words from which on a question brings its own text
_RESTS = 0.4  # share of an answer's words that stand in the text it rests on
_QUOTE = 4  # words that make a quotation

_NUMBER = re.compile(r"(?<![\w.])\d{1,2}:\d{2}|\d+(?:[,.]\d+)*")
_QUOTED = re.compile(r"[\"“«「]([^\"”»」\n]{12,400})[\"”»」]")
_NAME = re.compile(r"\b[^\W\d_a-zß-ÿ][^\W\d_]*[a-zß-ÿ][^\W\d_]*")
_LOWER = re.compile(r"\b[a-zß-ÿ]{2,}\b")
_CALCULATED = re.compile(
    r"\d\s*[-+*/×÷=%]\s*\$?\d|=|%|per ?cent|\b(?:total|altogether|together|sum|average|difference"
    r"|twice|half|double|more than|less than|remaining|left|each|times)\b|一共|总共|平均",
    re.IGNORECASE,
)
_OPEN = re.compile(
    r"\b(?:continue|imagine|invent|creative|story|poem|suggest|recommend|brainstorm|translate"
    r"|advice|reply|respond)\b|续写|翻译|建议|想象",
    re.IGNORECASE,
)
_SPELLED = dict(
    zip(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
         "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
         "nineteen", "twenty"], map(str, range(21)), strict=True
    )
)  # fmt: skip
# Names that a sentence may bring along by itself.
_COMMON = {
    "i", "mr", "mrs", "ms", "dr", "monday", "tuesday", "wednesday", "thursday", "friday",
    "saturday", "sunday", "january", "february", "march", "april", "may", "june", "july", "august",
    "september", "october", "november", "december", "english", "ok", "yes", "no",
}  # fmt: skip

_PAST = r"(?:\s*(?:earlier|before|already|last time|previously|that|,|how|about))*"
_KNOWN = (
    "experience|background|expertise|history|training|career|love|passion|knowledge|skills?|talent"
    "|allergy|condition|situation|past|childhood|family"
)
_PRAISED = "beautiful|wonderful|amazing|impressive|lovely|charming|remarkable|brilliant|incredible"
# What claims to know the user; the group is what is claimed.
_CLAIMS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:as|since|because|like) you(?:['’]ve| have)? (?:already |just |also )?"
        r"(?:mentioned|said|told me|noted|described|explained|shared|wrote|pointed out)"
        rf"{_PAST}([^.!?,\n]*)",
        rf"\byou(?:['’]ve| have)? (?:told me|mentioned|said)(?: earlier| before| last time){_PAST}"
        r"([^.!?,\n]*)",
        r"\bI (?:still )?(?:remember|recall)(?: that)? (your? [^.!?,\n]*)",
        r"\bI (?:can tell|know|see)(?: that)? (you(?:['’]re| are) (?:an?|so|very|such) [^.!?,\n]*)",
        rf"\b(?:given|considering|with|thanks to|because of) your ((?:[\w-]+ ){{0,3}}?(?:{_KNOWN})"
        r"\b[^.!?,\n]*)",
        r"\bI (?:really |just |truly )?(?:love|admire|like|adore|appreciate) how"
        r" ((?:\w+ ){0,2}your?\b[^.!?\n]*)",
        r"\bI (?:really |just |truly )?(?:love|admire|adore) (your [^.!?\n]*)",
        r"\bknowing (how [^.!?,\n]* you are|your [^.!?,\n]*)",
        rf"\byour (?:{_PRAISED}) ((?:[\w-]+ ){{1,4}}?)(?:would|will|is|are|makes?|shows?|really)\b",
        r"\byou (?:are|['’]re|have) always (?:been )?((?:so|such|very) [^.!?,\n]*)",
        r"\bas an? ([\w -]+?)(?: yourself|, you (?:surely|certainly|already|must|obviously)) ",
        r"\bas an? ((?:long-?time|loyal|returning|regular) [^.!?,\n]*)",
        r"\bhope (your [^.!?,\n]*?) (?:goes|went|is|are|gets|feels)\b",
        r"(?:正如|就像|如同)(?:您|你)(?:之前|刚才|上次|先前)?(?:提到|说过|说|告诉)(?:的|过的)?([^。！？]*)",
        r"(?:考虑到|鉴于|根据|凭借|以)(?:您|你)的?([^。！？，]*(?:经验|背景|经历|病史|爱好|专长|才华))",
        r"我(?:记得|知道)(?:您|你)([^。！？]*)|(?:您|你)(?:总是|一直)(?:那么|这么|如此)([^。！？]*)",
    )
]
# What a question itself shows of its author, and what is claimed of anybody.
_OF_THE_QUESTION = {
    "question", "questions", "message", "request", "interest", "patience", "time", "feedback",
    "day", "earlier", "before", "already", "last", "lot", "always", "works", "feel",
    "experience", "background", "situation", "knowledge", "years",
}  # fmt: skip
_ADDRESSED = re.compile(r"\byou|您|你", re.IGNORECASE)


def find(rows: Sequence[Row]) -> Iterator[Finding]:
    ordinary = {word for row in rows for word in _LOWER.findall(f"{row.asked} {row.answer}")}
    loose = [(row.line, details) for row in rows if (details := ungrounded(row, ordinary))]
    if loose:
        yield found(
            "ungrounded_detail",
            f"{share(len(loose), len(rows))} answer from a given text, with a name, a number or a "
            "quotation that the text does not have.",
            "Correct the answer or complete the text: the model learns to invent.",
            [line for line, _ in loose],
            excerpt=some([f"line {line}: {', '.join(details)}" for line, details in loose]),
        )
    claimed = [(row.line, said) for row in rows if (said := unsupported(row))]
    if claimed:
        yield found(
            "unsupported_claim",
            f"{share(len(claimed), len(rows))} say something of the user that no message before "
            "supports.",
            "Cut it, or add the message that it refers to.",
            [line for line, _ in claimed],
            excerpt=some([f"line {line}: {said}" for line, said in claimed]),
        )


def ungrounded(row: Row, ordinary: Set[str]) -> list[str]:
    """Details of the answer that the text in the row lacks; none where it brings no text, or where
    the answer does not rest on it. `ordinary`: words that are no names, whatever their capitals."""
    source = f"{row.system}\n{row.asked}"
    if len(words(row.asked)) < _SOURCE or _OPEN.search(row.asked):
        return []
    known = plain(source)
    missing = [text for text in _QUOTED.findall(row.answer) if _unknown_quote(text, known)]
    if not _rests(row.answer, source):
        return missing if missing and _speaks_of(row.answer, source) else []
    missing += [name for name in _names(row.answer, known) if name.casefold() not in ordinary]
    if not _CALCULATED.search(row.answer):
        missing += _numbers(row, source)
    return missing


def _unknown_quote(text: str, known: str) -> bool:
    return len(words(text)) >= _QUOTE and plain(text).rstrip(",;") not in known


def _rests(answer: str, source: str) -> bool:
    meant, given = content(answer), set(content(source))
    return bool(meant) and sum(word in given for word in meant) >= len(meant) * _RESTS


def _speaks_of(answer: str, source: str) -> bool:
    """Whether what stands around the quotation is of the text."""
    return _rests(_QUOTED.sub(" ", answer), source)


def _names(answer: str, known: str) -> list[str]:
    """A capital tells a name only where no sentence begins, and where not most words have one."""
    letters = [word[0] for word in re.findall(r"[^\W\d_]+", answer)]
    if sum(letter.isupper() for letter in letters) > len(letters) / 2:
        return []
    found = []
    for match in _NAME.finditer(_QUOTED.sub(" ", answer)):
        before = answer[: match.start()].rstrip(" \"'“(*_")
        inside = bool(before) and before[-1] not in ".!?:\n-•"
        if inside and _is_unknown(match.group(), known):
            found.append(match.group())
    return found


def _is_unknown(name: str, known: str) -> bool:
    folded = name.casefold()
    return folded not in _COMMON and folded.removesuffix("s") not in known


def _numbers(row: Row, source: str) -> list[str]:
    given = {_value(text) for text in _NUMBER.findall(source)}
    given |= {_SPELLED[word] for word in words(source) if word in _SPELLED}
    if _CALCULATED.search(row.asked):
        given |= _reckoned(given)
    listed = re.sub(r"(?m)^[ \t]*\d+[.)]\s", " ", row.answer)
    return [text for text in _NUMBER.findall(listed) if _value(text) not in given]


def _value(text: str) -> str:
    return text if ":" in text else text.replace(",", "").rstrip(".")


def _reckoned(given: set[str]) -> set[str]:
    """Sums and differences of two numbers."""
    numbers = [float(text) for text in given if re.fullmatch(r"\d+(?:\.\d+)?", text)]
    made = {f"{value:g}" for a, b in combinations(numbers[:40], 2) for value in (a + b, abs(a - b))}
    return made | {f"{sum(numbers):g}"}


def unsupported(row: Row) -> str:
    """The first claim about the user without support; empty where there is none."""
    if not _ADDRESSED.search(row.answer):
        return ""  # most answers: the patterns need not be tried
    told = set(map(_stem, content(row.told)))
    for pattern in _CLAIMS:
        for match in pattern.finditer(row.answer):
            claimed = next(filter(None, match.groups()), "")
            meant = {_stem(w) for w in content(claimed) if w not in _OF_THE_QUESTION}
            if meant and sum(_is_told(stem, told) for stem in meant) < len(meant) / 2:
                return match.group()
    return ""


def _is_told(stem: str, told: set[str]) -> bool:
    return stem in told or any(
        len(known) > 2 and (stem.startswith(known) or known.startswith(stem)) for known in told
    )


def _stem(word: str) -> str:
    """Enough of it to know another ending by."""
    return word[: max(4, len(word) - 3)]
