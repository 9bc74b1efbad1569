"""Headings of Markdown: where each begins, its level and its text."""

import re
from collections.abc import Iterator

from tunewright.documents.document import Draft

# A line at a time, so that each pattern ends where the line does.
_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$", re.DOTALL)
_LONGEST = 1000  # characters of a line that may be a heading
_SETEXT = {"=": 1, "-": 2}


def read_markdown(text: str, draft: Draft) -> None:
    """Say `text` as it is, its headings marked: those of ``#`` and those underlined, not what looks
    like one within a fenced block."""
    said = 0
    for at, level, heading in headings(text):
        draft.say(text[said:at])
        draft.heading(level, heading)
        said = at
    draft.say(text[said:])


def headings(text: str) -> Iterator[tuple[int, int, str]]:
    """(character at which its line begins, level from 1, text)"""
    fence = ""
    before: tuple[int, str] | None = None  # the line before, where it may be underlined
    for found in _LINE.finditer(text):
        line = found[0].rstrip() if len(found[0]) <= _LONGEST else ""
        if mark := _FENCE.match(line):
            fence = _fenced(fence, mark[1], line)
            before = None
        elif fence:
            continue
        elif atx := _ATX.match(line):
            yield found.start(), len(atx[1]), _unclosed((atx[2] or "").strip())
            before = None
        elif before and (level := _underlines(line)):
            yield before[0], level, before[1]
            before = None
        else:
            plain = line and not line.startswith(("    ", "\t", "|", ">", "- ", "* "))
            before = (found.start(), line.strip()) if plain else None


def _unclosed(heading: str) -> str:
    """Without the signs that may close it: ``Title ##``."""
    bare = heading.rstrip("#")
    return bare.rstrip() if not bare or bare[-1:] in " \t" else heading


def _fenced(fence: str, mark: str, line: str) -> str:
    """The fence that is open after this one."""
    if not fence:
        return mark
    closes = mark.startswith(fence) and not line.strip().strip(mark[0])
    return "" if closes else fence


def _underlines(line: str) -> int:
    """The level of the heading that stands above such a line; 0 for any other."""
    mark = line.strip()
    return _SETEXT.get(mark[:1], 0) if mark and not mark.strip(mark[0]) else 0
