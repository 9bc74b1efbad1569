"""What a model's card and config.json say beside its modules: licence, Matryoshka dimensions."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.rendering.configuration import read_object

_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)
_FIELD = re.compile(r"^(license|license_name): *[\"']?([^\"'\r\n#]+?)[\"']? *$", re.MULTILINE)
# In the parameters of the loss, as sentence-transformers writes its cards.
_DIMENSIONS = re.compile(r"\"matryoshka_dims\"\s*:\s*\[([\d,\s]+)\]")
_MOST = 1 << 20  # characters of a card that are looked at


@dataclass(frozen=True)
class Card:
    """`matryoshka`: the numbers of first components that are vectors too, () for any number; None:
    nothing is said of it."""

    licence: str | None
    matryoshka: tuple[int, ...] | None

    @classmethod
    def read(cls, directory: Path) -> "Card":
        text = _text(directory / "README.md")
        return cls(_licence(text), _declared(read_object(directory / "config.json")) or _of(text))


def _text(file: Path) -> str:
    if not file.is_file():
        return ""
    with file.open(encoding="utf-8", errors="replace") as card:
        return card.read(_MOST)


def _licence(text: str) -> str | None:
    front = _FRONT.match(text)
    fields = dict(_FIELD.findall(front[1])) if front else {}
    return fields.get("license_name") or fields.get("license")


def _declared(config: dict[str, Any]) -> tuple[int, ...] | None:
    """As vLLM reads it too."""
    listed = config.get("matryoshka_dimensions")
    if isinstance(listed, list) and listed and all(type(d) is int and d > 0 for d in listed):
        return tuple(sorted(set(listed)))
    return () if config.get("is_matryoshka") is True else None


def _of(text: str) -> tuple[int, ...] | None:
    found = _DIMENSIONS.search(text)
    sizes = [int(number) for number in re.findall(r"\d+", found[1])] if found else []
    return tuple(sorted(set(filter(None, sizes)))) or None
