"""Values of other programs, as attributes: texts, numbers, true and false."""

import datetime
import math
from collections.abc import Mapping
from typing import Any

import orjson

from tunewright.errors import BadRequest
from tunewright.vectors.filters import Attributes, Value

_WHOLE = 2**53  # beyond it a double does not have every whole number


class Values:
    """`notes`: what was changed, once a key.

    What is null is left out, as a key that a row does not have. An object in a value becomes keys
    with dots. What else has no such type is kept as JSON text.
    """

    def __init__(self) -> None:
        self._notes: dict[str, None] = {}

    @property
    def notes(self) -> list[str]:
        return [*self._notes]

    def of(self, given: Mapping[str, Any], before: str = "") -> dict[str, Value]:
        """Raises BadRequest where two values would have one key."""
        found: dict[str, Value] = {}
        for key, value in given.items():
            name = f"{before}{key}"
            made: Mapping[str, Value] = {}
            if isinstance(value, Mapping):
                made = self.of(value, f"{name}.")
            elif (plain := self._plain(name, value)) is not None:
                made = {name: plain}
            merge(found, made)
        return found

    def _plain(self, name: str, value: Any) -> Value | None:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        if isinstance(value, int | float) and not _exact(value):
            what = "a number that is not finite" if isinstance(value, float) else "a whole number"
            return self._text(name, str(value), f"{what} that no attribute can be")
        if isinstance(value, int | float):
            return value
        return self._text(name, orjson.dumps(value, default=str).decode(), "a list")

    def _text(self, name: str, text: str, what: str) -> str:
        self._notes[f"'{name}' has {what} in some rows: it is kept as text there."] = None
        return text


def _exact(number: float) -> bool:
    if isinstance(number, int):
        return abs(number) <= _WHOLE or (number == int(float(number)) and abs(number) < 2**1000)
    return math.isfinite(number)


def merge(found: dict[str, Value], more: Attributes) -> None:
    """Raises BadRequest."""
    if both := found.keys() & more.keys():
        raise BadRequest(
            f"Two values of a row would be the attribute '{min(both)}'. Rename one of them."
        )
    found.update(more)


def with_text(attributes: dict[str, Value], text: str | None, name: str) -> dict[str, Value]:
    """With the text of the row as the attribute of this name. Raises BadRequest."""
    if text is None:
        return attributes
    if name in attributes:
        raise BadRequest(
            f"The rows have an attribute '{name}' of their own. Say what their text is to be "
            "called: --text NAME (text='NAME')."
        )
    return {**attributes, name: text}
