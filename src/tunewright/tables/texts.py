"""What of a table's row is embedded: the cell of one column, or several put together."""

import difflib
import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunewright.errors import BadRequest
from tunewright.tables.cells import written
from tunewright.tables.problems import Refused, shown

HALF = re.compile("[\ud800-\udfff]")
"""What bytes that are not UTF-8 are read as."""
_NAMED = 20  # columns that a message tells of


@dataclass(frozen=True)
class Texts:
    """`template`: columns in braces, ``{title}: {text}``; a brace itself is written twice. Without
    one, several columns become ``title: ...; text: ...``, but for those that are empty."""

    columns: tuple[str, ...]
    template: str | None = None

    @classmethod
    def read(cls, column: str | None, template: str | None, known: Sequence[str] | None) -> "Texts":
        """`column`: one, or several with commas between; None: those of the template, or ``text``.
        `known`: the columns that there are, where the table says so before its rows.

        Raises BadRequest for a column that is not there, naming near ones, and for a template that
        cannot be filled.
        """
        named = None if template is None else _fields(template, known)
        given = tuple(named or ("text",)) if column is None else _columns(column, known)
        if named is not None and (other := set(named) ^ set(given)):
            what = shown(min(other))
            raise BadRequest(
                f"The column {what} is in one of --column and --template only. Name in --column "
                "the columns of the template, or leave --column out.",
                param="template",
            )
        for name in given:
            if known is not None and name not in known:
                raise BadRequest(missing(name, known), param="column")
        return cls(given, template)

    @property
    def combined(self) -> bool:
        """Whether a text is put together, and so is not a cell of the table."""
        return self.template is not None or len(self.columns) > 1

    def of(self, values: dict[str, Any]) -> str:
        """Raises Refused, with the reason, where there is nothing to embed."""
        if self.template is None and len(self.columns) == 1:
            text = values.get(self.columns[0])
            if not isinstance(text, str):
                text = written(text)
            if not text or text.isspace():
                raise Refused(self._nothing(values))
            return text
        cells = {name: written(values.get(name)) for name in self.columns}
        if not any(text.strip() for text in cells.values()):
            raise Refused(self._nothing(values))
        if self.template is None:
            return "; ".join(f"{name}: {text}" for name, text in cells.items() if text.strip())
        parts = string.Formatter().parse(self.template)
        return "".join(
            said + (cells[name] if name is not None else "") for said, name, _, _ in parts
        )

    def _nothing(self, values: dict[str, Any]) -> str:
        if absent := [name for name in self.columns if name not in values]:
            return f"it has no column {shown(absent[0])}"
        return "it is empty"


def missing(name: str, known: Sequence[str]) -> str:
    """That there is no column of this name, and which ones there are."""
    lower = {one.lower(): one for one in known}
    near = [
        lower[one] for one in difflib.get_close_matches(name.lower(), list(lower), n=2, cutoff=0.6)
    ]
    asked = f" Did you mean {' or '.join(map(shown, near))}?" if near else ""
    more = ", ..." if len(known) > _NAMED else ""
    there = ", ".join(known[:_NAMED])
    return f"There is no column {shown(name)}.{asked} The table has: {there}{more}."


def _columns(given: str, known: Sequence[str] | None) -> tuple[str, ...]:
    if known is not None and given in known:
        return (given,)  # a name may hold a comma
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    if not names:
        raise BadRequest("Name at least one column.", param="column")
    return names


def _fields(template: str, known: Sequence[str] | None) -> list[str]:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise BadRequest(
            f"The template cannot be read: {error}. Write a column as {{name}}, and a brace itself "
            "twice.",
            param="template",
        ) from None
    found: list[str] = []
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if form or conversion or not name:
            wrong = (
                f"{{{name}{'!' + conversion if conversion else ''}{':' + form if form else ''}}}"
            )
            raise BadRequest(
                f"The template has {wrong}; a column is written as {{name}} and nothing else.",
                param="template",
            )
        found.append(name)
    if not found:
        of = f", such as {{{known[0]}}}" if known else ""
        raise BadRequest(f"The template names no column{of}.", param="template")
    return list(dict.fromkeys(found))
