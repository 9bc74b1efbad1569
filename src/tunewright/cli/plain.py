"""Text that somebody else wrote, as a terminal can be trusted with it."""

import re

# What moves a cursor, hides, colours or turns round what stands beside it: control characters, the
# marks and overrides of writing direction, separators of lines, halves of surrogate pairs. The
# joiners that emoji and many scripts are written with are none of these.
_OBEYED = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069"
)
_IN_A_TEXT = re.compile(f"[{_OBEYED}]")
_IN_A_LINE = re.compile(f"[\t\n{_OBEYED}]")


def plain(text: str) -> str:
    """With the code of each character that a terminal would obey, but for tabs and line ends."""
    return _IN_A_TEXT.sub(_code, text)


def line(text: str) -> str:
    """As `plain`, in one line."""
    return _IN_A_LINE.sub(_code, text)


def in_json(text: str) -> str:
    """The same of what is JSON: it still says what it said."""
    return _IN_A_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _code(found: re.Match[str]) -> str:
    code = ord(found[0])
    return _SHORT.get(found[0]) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


_SHORT = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
