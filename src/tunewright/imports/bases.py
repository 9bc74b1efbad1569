"""Which open bases may stand for OpenAI's: suggestions, with what they cost and allow."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("openai_bases.toml")


@dataclass(frozen=True)
class Suggestion:
    """`context` in tokens; `memory` in GB, of the weights in bfloat16."""

    name: str
    licence: str
    context: int
    memory: float

    def __str__(self) -> str:
        facts = f"{self.licence}, {self.context:,} tokens, {self.memory:g} GB"
        return f"{self.name} ({facts})"


def suggestions(old: str) -> list[Suggestion]:
    """A small and a larger base in place of `old`; none where we know of none."""
    table = tomllib.loads(_FILE.read_text())
    fits = [
        (len(name), entry)
        for entry in table["base"]
        for name in entry["old"]
        if old == name or old.startswith(f"{name}-")
    ]
    if not fits:
        return []
    _, entry = max(fits, key=lambda each: each[0])  # gpt-4o-mini-2024 is no gpt-4o
    return [_suggestion(entry[size], table["model"]) for size in ("small", "large")]


def _suggestion(name: str, models: dict[str, Any]) -> Suggestion:
    return Suggestion(name, **models[name])
