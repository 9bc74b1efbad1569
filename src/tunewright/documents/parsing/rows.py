"""Rows of a table as text, each of which can be understood alone: ``city: Rome; people: 3``."""

from collections.abc import Sequence

from tunewright.documents.document import Draft

_LONGEST_NAME = 80  # characters: longer ones are no names of columns


class Rows:
    """Says rows as they come. The first is the names of the columns where it looks like that, or
    where `names` are given."""

    def __init__(
        self, draft: Draft, title: str | None = None, names: Sequence[str] | None = None
    ) -> None:
        self._draft, self._title, self._names = draft, title, names
        self._first = names is None

    def say(self, cells: Sequence[str]) -> None:
        if self._title:
            self._draft.heading(1, self._title)
            self._draft.say(self._title + "\n\n")
            self._title = None
        if self._first:
            self._first = False
            if _names(cells):
                self._names = cells
        elif self._names is not None and len(cells) <= len(self._names):
            self._draft.say(_named(self._names, cells) + "\n")
            return
        self._draft.say(" | ".join(cell.strip() for cell in cells if cell.strip()) + "\n")


def _names(cells: Sequence[str]) -> bool:
    found = [cell.strip() for cell in cells]
    return (
        len(found) > 1
        and len(set(found)) == len(found)
        and all(name and len(name) <= _LONGEST_NAME and not _number(name) for name in found)
    )


def _number(text: str) -> bool:
    return text.replace(".", "", 1).replace(",", "").replace("-", "", 1).isdigit()


def _named(names: Sequence[str], cells: Sequence[str]) -> str:
    pairs = zip(names, cells, strict=False)
    return "; ".join(f"{name.strip()}: {cell.strip()}" for name, cell in pairs if cell.strip())
