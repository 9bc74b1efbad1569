"""Texts as words: what is the same, what differs, what carries meaning. English and Chinese."""

import re
import unicodedata
from collections import Counter
from difflib import SequenceMatcher
from functools import lru_cache

_WORD = re.compile(r"\d[\d.,:]*\d|\d|[^\W\d_一-鿿]+|[一-鿿]")
_ASCII_WORD = re.compile(r"[a-z]+|\d[\d.,:]*\d|\d", re.ASCII)  # the same, four times as fast
_BREAK = re.compile(r"[.!?]\s+|[。！？]|\n")
NEGATIONS = {"not", "no", "never", "none", "nothing", "without", "cannot", "不", "没", "无", "非"}
_FUNCTION_WORDS = """
    a an the and or of to in on at for by with from as is are was were be been being it its this
    that these those i me my we us our you your he him his she her they them their do does did have
    has had will would can could may might shall should please kindly hi hello hey dear thanks thank
    so just very really also then there here if but about into indeed well ok okay what which who
    how when where why am s t re ll ve d m 的 了 吗 呢 啊 吧 请 您 你 好 也 就 都 是 在 和
"""
_SMALL = set(_FUNCTION_WORDS.split())  # their coming and going leaves a text what it is
MOST_TYPOS = 4
_TYPO = 0.8  # how alike two spellings of one word are, by difflib


def plain(text: str) -> str:
    """Without what never tells two examples apart: case, width, white space, last marks."""
    return " ".join(_folded(text).split()).rstrip(".!?。…")


def words(text: str) -> list[str]:
    """Lower case, a Chinese character being a word; ``n't`` is written out."""
    folded = _folded(text).replace("’", "'")
    if "n't" in folded:
        folded = folded.replace("can't", "cannot").replace("won't", "will not")
        folded = folded.replace("n't", " not")
    return (_ASCII_WORD if folded.isascii() else _WORD).findall(folded)


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()


def content(text: str) -> list[str]:
    return [word for word in words(text) if word not in _SMALL]


def sentences(text: str) -> list[str]:
    """Without the white space around them; a line break ends one too."""
    parts, start = list[str](), 0
    for match in _BREAK.finditer(text):
        parts.append(text[start : match.start() + 1].strip())
        start = match.end()
    return [part for part in (*parts, text[start:].strip()) if part]


_TASK = re.compile(
    r"(?:^|[.!?:\n][ \t]*)(?:please\s+|(?:can|could|would) you (?:please )?)?(?:help me )?"
    r"(?:write|draft|compose|invent|imagine|suggest|brainstorm|create|continue|tell me a"
    r"|give (?:me|us|it|the)|think of|come up with|generate|make up|rewrite|rephrase|paraphrase)\b"
    r"|写|起草|续写|改写|想象|编一",
    re.IGNORECASE,
)


def is_open(asked: str) -> bool:
    """Whether a task has many right answers: something is to be written or invented."""
    return bool(_TASK.search(asked))


_WRITING = re.compile(
    r"\b(?:write|draft|compose|rewrite|rephrase|translate|reply to|role-?play|pretend|act as|story"
    r"|poem|dialogue|script|letter|essay)\b|写|扮演|起草|翻译|改写",
    re.IGNORECASE,
)


def is_writing(asked: str) -> bool:
    """Whether the answer is a text that somebody else will say."""
    return bool(_WRITING.search(asked))


def is_number(word: str) -> bool:
    return word[0].isdigit()


@lru_cache(maxsize=1 << 15)  # a row is compared with up to some twenty others
def _meant(text: str) -> Counter[str]:
    return Counter(content(text))


def changes(one: str, other: str) -> tuple[list[str], list[str]]:
    """Words of meaning that only the one and only the other has; spellings of one word are none."""
    gone, come = _only(one, other)
    for word in list(gone):
        for twin in come:
            if _is_typo(word, twin):
                gone.remove(word)
                come.remove(twin)
                break
    return gone, come


def _only(one: str, other: str) -> tuple[list[str], list[str]]:
    first, second = _meant(one), _meant(other)
    return list((first - second).elements()), list((second - first).elements())


def _is_typo(one: str, other: str) -> bool:
    if min(len(one), len(other)) < 4 or not (one.isalpha() and other.isalpha()):
        return False
    return SequenceMatcher(None, one, other).ratio() >= _TYPO


def same(one: str, other: str, *, every: int) -> bool:
    """Whether texts say the same: no number or negation differs, and of other words of meaning at
    most one in `every`, with up to `MOST_TYPOS` spellings more."""
    first, second = _meant(one), _meant(other)
    room = min(first.total(), second.total()) // every
    most = room + MOST_TYPOS
    left, right = first.keys() - second.keys(), second.keys() - first.keys()
    if max(len(left), len(right)) > most or any(map(is_number, left | right)):
        return False  # most pairs end here: spellings are slow to compare, bags of words too
    gone, come = _only(one, other)
    if max(len(gone), len(come)) > most:
        return False
    gone, come = changes(one, other)
    if any(is_number(word) or word in NEGATIONS for word in (*gone, *come)):
        return False
    return max(len(gone), len(come)) <= room
