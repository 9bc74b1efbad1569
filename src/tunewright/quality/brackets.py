"""Brackets that nothing closes, or that close nothing."""

import re

_PAIRS = {")": "(", "]": "[", "}": "{", "）": "（", "】": "【", "」": "「", "》": "《"}
# Code, half-open intervals and addresses have their own rules; ":(" is a face.
_APART = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|[:;]['-]?[(\[](?=[\s.,!?]|$)|https?://\S+"
    r"|[\[(]\s*-?[\w.∞]+\s*,\s*-?[\w.∞]+\s*[\])]",
    re.DOTALL,
)
# What may stand before a bracket that closes nothing: "a) ... 1) ...", a face.
_ALONE = re.compile(r"(?:^|[\s,;.>])(?:[a-zA-Z]|\d{1,2}|[ivx]{2,4})$|[:;=8xX]\s?['-]?\s?\)*$")


def balanced(text: str) -> bool:
    text = _APART.sub(" ", text)
    open_ones: list[str] = []
    for match in re.finditer(r"[()\[\]{}（）【】「」《》]", text):
        sign = match.group()
        if sign not in _PAIRS:
            open_ones.append(sign)
        elif open_ones and _fits(open_ones[-1], sign):
            open_ones.pop()
        elif not _ALONE.search(text[max(0, match.start() - 6) : match.start()]):
            return False
    return not open_ones


def _fits(opened: str, closed: str) -> bool:
    """Half and full width are mixed in Chinese texts, and mean no fault."""
    return opened == _PAIRS[closed] or {opened, closed} in ({"(", "）"}, {"（", ")"})
