"""A table explored, as one page: findings, a map, and the evidence behind each."""

import json
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from tunewright.analysis.exploration import Exploration
from tunewright.pages.bundling import joined
from tunewright.pages.conclusions import command, conclusions, interval, percent
from tunewright.pages.explore_data import data
from tunewright.pages.packing import LONGEST, cut, packed_texts
from tunewright.pages.parts import rendered

_ROOM = 1_555_000, 44.4  # characters of a page, and for each row: 2 MB at 10,000, 6 MB at 100,000
_QUOTED = 420  # characters of a row that a list quotes
_LISTED = 50  # entries of a list; the commands give all


def page(explored: Exploration) -> str:
    """Opens from a disk and asks nothing of any network. The same page for the same exploration.

    At most 2 MB for 10,000 rows and 6 MB for 100,000: where the texts are longer than that, the
    page holds their beginnings and says so.
    """
    room = int(_ROOM[0] + _ROOM[1] * len(explored.texts))
    frame = len(_page(explored, "", LONGEST).encode())
    texts, length = packed_texts(explored.texts, max(room - frame, 0))
    return _page(explored, texts, length)


def _page(explored: Exploration, texts: str, length: int) -> str:
    longest = max(map(len, explored.texts), default=0)
    return rendered(
        "explore.html.jinja",
        styles=("explore.css",),
        script=joined("explore.js"),
        explored=explored,
        about=explored.about,
        conclusions=conclusions(explored),
        data=_json(data(explored, length if longest > length else 0)),
        texts=Markup(texts),
        quoted=_Quoted(explored.texts),
        listed=_LISTED,
        command=command,
        percent=percent,
        interval=interval,
    )


class _Quoted:
    """quoted(row): its text, as long as a list shows it."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __call__(self, row: int) -> str:
        return cut(self._texts[int(row)], _QUOTED)


def _json(value: Any) -> Markup:
    """JSON that cannot end the element it stands in, nor begin another."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
