"""Brackets that nothing closes, or that close nothing."""

import re

_PAIRS = {")": "(", "]": "[", "}": "{", "）": "（", "】": "【", "」": "「", "》": "《"}
# In these a bracket stands alone for a reason: code, faces, "a) ... 1) ...", intervals [0, 1).
_APART = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|[:;=8]['-]?[()\[\]]|\(['-]?[:;=]|(?<![\w(（])(?:[a-zA-Z]|\d{1,2}|[ivx]{2,4})[)）]"
    r"|[\[(]\s*-?[\w.∞]+\s*,\s*-?[\w.∞]+\s*[\])]|https?://\S+",
    re.DOTALL,
)


def balanced(text: str) -> bool:
    open_ones: list[str] = []
    for sign in re.findall(r"[()\[\]{}（）【】「」《》]", _APART.sub(" ", text)):
        if sign not in _PAIRS:
            open_ones.append(sign)
        elif not open_ones or not _fits(open_ones.pop(), sign):
            return False
    return not open_ones


def _fits(opened: str, closed: str) -> bool:
    """Half and full width are mixed in Chinese texts, and mean no fault."""
    return opened == _PAIRS[closed] or {opened, closed} in ({"(", "）"}, {"（", ")"})
