"""Names of clusters, from the words in which each differs from the others.

Class-based TF-IDF (Grootendorst 2022) on rows instead of occurrences, so that one long row counts
like a short one: the share of the cluster's rows that have a term, times the logarithm of how much
larger that is than in the mean of the other clusters. What all clusters have alike, such as
function words of any language, comes out at nothing.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from tunewright.analysis.neighbours import Places
from tunewright.analysis.words import runs, singular

TERMS = 8
_NAMED = 3  # terms in a name
_READ = 200  # rows of a cluster, its most central
_LETTERS = 1_000  # of a row
_LEAST_LIFT = 1.5  # times more frequent than elsewhere
_LEAST_SHARE = 0.04  # of the cluster's rows
_LEAST_ROWS = 2
_UNSEEN = 0.01  # added to the share elsewhere: one row in a hundred
_WITHIN = 0.7  # of a term's rows, from which on a longer term stands for it
_GRAMS = range(2, 9)  # letters of a term in a script without blanks
_PHRASE = 20  # letters of a whole run, from mark to mark
_UNPARTED = 300  # letters of such a run: each is in 35 terms
_STEM = 4  # letters that two forms of a word share
_BEGINNING = 60  # letters of a row that serves as a name
# What belongs to no topic and yet differs between clusters: who speaks, and of when.
_FUNCTION_WORDS = """
    a an and are as at be been but by can could did do does for from had has have he her his i if in
    is it its me my no not of on or our she so than that the their them then there these they this
    to up was we were what when which who will with would you your s t m ve re ll d don didn
    的 了 是 在 和 我 你 他 她 它 们 这 那 不 也 就 都 很 有 吗 呢 吧 我们 你们 他们
    这个 那个 一个 没有
"""
_SMALL = frozenset(_FUNCTION_WORDS.split())


# Neither marks of HTML nor addresses are words.
_PLACE = re.compile(r"</?[A-Za-z][^<>]{0,200}>|https?://\S+|www\.\S+")


@dataclass(frozen=True)
class Name:
    name: str
    terms: tuple[str, ...]


def named(members: Sequence[Places], noise: Places, texts: Sequence[str]) -> list[Name]:
    """Of each cluster (places in `texts`, the most central first) its name and up to 8 terms, the
    most telling first; noise counts among the others. A cluster without terms is called as its most
    central text begins."""
    spelled: dict[str, Counter[str]] = {}
    shares = [_shares(_read(places, texts), spelled) for places in (*members, noise)]
    total = Counter[str]()
    for one in shares:
        total.update(one)
    others = max(1, len(members) - (len(noise) == 0))
    return [
        _name(_telling(own, total, others), spelled, texts[int(places[0])])
        for places, own in zip(members, shares, strict=False)
    ]


def _read(places: Places, texts: Sequence[str]) -> list[str]:
    """What names are made of: the most central texts, each once."""
    distinct = dict.fromkeys(texts[int(place)] for place in places)
    return [_PLACE.sub(" ", text[:_LETTERS]) for text in islice(distinct, _READ)]


def _shares(texts: list[str], spelled: dict[str, Counter[str]]) -> dict[str, float]:
    """Of each term that two rows have, the share of rows that have it."""
    counts = Counter[str]()
    for text in texts:
        found = dict(_terms(text))
        counts.update(found.keys())
        for term, written in found.items():
            if written:
                spelled.setdefault(term, Counter())[written] += 1
    return {term: count / len(texts) for term, count in counts.items() if count >= _LEAST_ROWS}


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """(without case and plural, as it is written): words, two neighbours, and of scripts without
    blanks, where both are the same and the second is left out, each 2 to 8 letters."""
    before = ""
    for run, unparted in runs(text):
        if unparted:
            yield from _grams(run)
            before = ""
            continue
        if run.casefold() in _SMALL or len(run) == 1 or run.isdigit():
            before = ""
            continue
        yield _key(run), run
        if before:
            yield f"{_key(before)} {_key(run)}", f"{before} {run}"
        before = run


def _key(word: str) -> str:
    """What the forms of a word have in common: no case, no plural."""
    return singular(word.casefold())


def _grams(run: str) -> Iterator[tuple[str, str]]:
    run = run[:_UNPARTED]
    for size in _GRAMS:
        for start in range(len(run) - size + 1):
            gram = run[start : start + size]
            if gram not in _SMALL and gram[0] not in _SMALL and gram[-1] not in _SMALL:
                yield gram, ""
    if _GRAMS.stop <= len(run) <= _PHRASE:  # else a phrase that repeats would be cut in it
        yield run, ""


def _telling(own: dict[str, float], total: Counter[str], others: int) -> list[str]:
    """The terms of a cluster by weight, without those that are a part or a form of another."""
    weights: dict[str, float] = {}
    for term, share in own.items():
        elsewhere = (total[term] - share) / others
        lift = share / (elsewhere + _UNSEEN)
        if share >= _LEAST_SHARE and lift >= _LEAST_LIFT:
            weights[term] = share * math.log(lift)
    chosen: list[str] = []
    for term in sorted(weights, key=lambda one: (-weights[one], one)):
        longer = _longer(term, weights, own)
        if not any(_alike(longer, one) for one in chosen):
            chosen.append(longer)
        if len(chosen) == TERMS:
            break
    return chosen


def _longer(term: str, weights: dict[str, float], own: dict[str, float]) -> str:
    """The longest term that holds this one and is in nearly all of its rows."""
    holding = [
        one for one in weights if term in one and one != term and own[one] >= _WITHIN * own[term]
    ]
    return max(holding, key=lambda one: (len(one), weights[one], one), default=term)


def _alike(term: str, other: str) -> bool:
    """Whether one holds the other, or both are forms of one word (price, prices, pricing)."""
    if term in other or other in term:
        return True
    shorter, longer = sorted((term, other), key=len)
    letters = zip(shorter, longer, strict=False)
    same = sum(1 for _ in takewhile(lambda two: two[0] == two[1], letters))
    return same >= _STEM and same >= len(shorter) - 1 and len(longer) - same <= 3


def _name(terms: list[str], spelled: dict[str, Counter[str]], text: str) -> Name:
    written = tuple(_spelling(term, spelled.get(term)) for term in terms)
    if written:
        return Name(", ".join(written[:_NAMED]), written)
    beginning = " ".join(text.split())
    short = beginning[:_BEGINNING].rstrip()
    return Name(short + ("…" if len(beginning) > len(short) else ""), ())


def _spelling(term: str, written: Counter[str] | None) -> str:
    """The most frequent one."""
    return max(written, key=lambda one: (written[one], one)) if written else term
