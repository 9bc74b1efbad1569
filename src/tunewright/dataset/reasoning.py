"""Do the answers of a file hold a train of thought? That decides how all of it is rendered."""

from pathlib import Path
from typing import Any

import orjson

from tunewright.rendering import Renderer
from tunewright.rendering.turns import is_reasoned
from tunewright.tables.reading import LONGEST_LINE

_SIGNS = (b"think", b"reasoning")  # without one of them, no key and no mark can be there


def for_rows(path: Path, renderer: Renderer) -> Renderer:
    """The renderer for all rows of a file: with the train of thought turned on where an answer
    that is learned holds one, the template has a switch for it, and nothing was said about it."""
    if renderer.is_chat and renderer.switches_thinking and _reasons(path):
        return renderer.using(renderer.switches_thinking)
    return renderer


def _reasons(path: Path) -> bool:
    with path.open("rb") as file:
        while line := file.readline(LONGEST_LINE + 2):
            if any(sign in line for sign in _SIGNS) and _is_reasoned(line):
                return True
    return False


def _is_reasoned(line: bytes) -> bool:
    try:
        row: Any = orjson.loads(line)
        messages = row["messages"]
        learned = [m for m in messages if m["role"] == "assistant" and m.get("weight") != 0]
        return any(map(is_reasoned, learned))
    except (ValueError, TypeError, KeyError, AttributeError):
        return False  # the check says what is wrong with it
