"""The starter weights that come with the package, so that a first run needs no download.

They are small, and a real use names another base. `starter/` holds the recipe that makes them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).parent
CHAT = ROOT / "chat"
STATIC = ROOT / "static"
MINI = ROOT / "mini"


@dataclass(frozen=True, slots=True)
class Base:
    """A built-in base model: its name in the API, what it is for, where its files are, and what
    nobody should expect of it."""

    name: str
    kind: Literal["chat", "completion", "embedding"]
    directory: Path
    remark: str


_TINY = "a tiny built-in model to try things with, which knows next to nothing"
BASES: tuple[Base, ...] = (
    Base("builtin-chat", "chat", CHAT, _TINY),
    # The same directory and weights: the chat model also learned plain text, and a completion base
    # is the model without its chat template.
    Base("builtin-completion", "completion", CHAT, _TINY),
    Base("builtin-mini", "embedding", MINI, "a small built-in model of English"),
    Base("builtin-static", "embedding", STATIC, "a built-in table of English word vectors"),
)


def remark(name: str) -> str | None:
    """What nobody should expect of the built-in base `name`; None for any other."""
    return next((base.remark for base in BASES if base.name == name), None)
