"""A table explored, as one page: findings, a map, and the evidence behind each."""

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from markupsafe import Markup

from tunewright.analysis.exploration import Exploration
from tunewright.pages import charts
from tunewright.pages.bundling import joined
from tunewright.pages.conclusions import command, conclusions, interval, percent
from tunewright.pages.explore_data import data
from tunewright.pages.packing import LONGEST, cut, packed_texts
from tunewright.pages.parts import rendered

_ROOM = 1_555_000, 44.4  # characters of a page, and for each row: 2 MB at 10,000, 6 MB at 100,000
_QUOTED = 420  # characters of a row that a list quotes
_FIRST, _LISTED = 12, 50  # entries of a list before the others are folded, and of the page
_CONFUSED = 20  # pairs of labels, where a matrix would be too large


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
    html = rendered(
        "explore.html.jinja",
        styles=("explore.css",),
        script=joined("explore.js"),
        explored=explored,
        about=explored.about,
        name=PurePath(explored.about.table).name,
        conclusions=conclusions(explored),
        data=_json(data(explored, length if longest > length else 0)),
        texts=Markup(texts),
        quoted=_Quoted(explored.texts),
        first=_FIRST,
        listed=_LISTED,
        charts=charts,
        confused=_confused,
        f1=_f1,
        command=command,
        percent=percent,
        interval=interval,
    )
    return html.encode("utf-8", "replace").decode()  # half a surrogate pair is no text


def _confused(found: Any) -> list[tuple[str, str, int]]:
    """(given, predicted, rows) of the labels that are confused most often."""
    pairs = [
        (int(found.confusion[given, predicted]), given, predicted)
        for given, predicted in np.ndindex(*found.confusion.shape)
        if given != predicted and found.confusion[given, predicted]
    ]
    first = sorted(pairs, key=lambda pair: (-pair[0], pair[1:]))[:_CONFUSED]
    return [(found.labels[given], found.labels[other], count) for count, given, other in first]


def _f1(classes: Sequence[Any]) -> list[tuple[str, float, bool]]:
    return [(cut(one.label, 18), one.f1, True) for one in classes]


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
