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
    """A built-in base model: its name in the API, what it is for, and where its files are."""

    name: str
    kind: Literal["chat", "completion", "embedding"]
    directory: Path


BASES: tuple[Base, ...] = (
    Base("builtin-chat", "chat", CHAT),
    # The same directory and weights: the chat model also learned plain text, and a completion base
    # is the model without its chat template.
    Base("builtin-completion", "completion", CHAT),
    Base("builtin-mini", "embedding", MINI),
    Base("builtin-static", "embedding", STATIC),
)
