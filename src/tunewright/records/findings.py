"""What was found in a file of examples: one record for everything, whoever found it."""

from typing import Literal

from tunewright.records.record import Record

Severity = Literal["error", "warning", "advice"]
NAMED_LINES = 10


class Finding(Record):
    """An error keeps a job from training, a warning says what training will do, advice what is
    worth a look.

    `line` counts from 1 and is null for what concerns the whole file; `path` is a JSON path (``$``
    is the row) and `offset` the byte in the file at which the line begins, or at which its text is
    wrong. `excerpt` quotes what was found. `lines` are lines that show it, where there are several;
    `count` is how many there are in all.
    """

    code: str
    severity: Severity
    message: str
    remedy: str = ""
    line: int | None = None
    path: str = "$"
    offset: int | None = None
    excerpt: str = ""
    lines: tuple[int, ...] = ()
    count: int = 1

    def __str__(self) -> str:
        said = f"{self.message} {self.remedy}".rstrip()
        if self.lines:
            return f"{said} ({self._named_lines()})"
        if self.line is None:
            return said
        where = f"line {self.line}" + ("" if self.path == "$" else f", {self.path}")
        return f"{where}: {said}"

    def _named_lines(self) -> str:
        named = self.lines[:NAMED_LINES]
        more = ", ..." if max(self.count, len(self.lines)) > len(named) else ""
        return f"line{'s' if len(named) > 1 else ''} {', '.join(map(str, named))}{more}"
