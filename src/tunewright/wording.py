"""What every message says in the same way."""

from collections.abc import Sequence

_PLURALS = {"reply": "replies", "query": "queries", "entry": "entries", "is": "are", "has": "have"}


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "blank line")
    ('1 row', '1,200 rows', '2 blank lines')
    """
    return f"{n:,} {of(n, noun, plural)}"


def of(n: int, word: str, plural: str | None = None) -> str:
    """A noun or verb as `n` of them have it.

    >>> of(1, "is"), of(2, "is"), of(0, "row")
    ('is', 'are', 'rows')
    """
    return word if n == 1 else plural or _PLURALS.get(word) or f"{word}s"


def some(values: Sequence[object], most: int = 5) -> str:
    """The first of them.

    >>> some([4, 9, 12]), some(range(100), most=2)
    ('4, 9, 12', '0, 1, ...')
    """
    return ", ".join([*map(str, values[:most]), *["..."] * (len(values) > most)])
