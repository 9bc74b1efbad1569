"""Which open bases may stand for OpenAI's: suggestions, with what they cost and allow."""

import tomllib
from dataclasses import dataclass

from tunewright.resources import catalogue


@dataclass(frozen=True)
class Suggestion:
    """`name` in the catalogue; `context` in tokens; `memory` in GB, of the weights in bfloat16."""

    name: str
    licence: str
    context: int
    memory: float

    def __str__(self) -> str:
        facts = f"{self.licence}, {self.context:,} tokens, {self.memory:.2g} GB"
        return f"{self.name} ({facts})"


def suggestions(old: str) -> list[Suggestion]:
    """A small and a larger base in place of `old`; none where we know of none."""
    table = tomllib.loads(catalogue.SHIPPED.read_text("utf-8"))
    fits = [
        (len(name), entry)
        for entry in table["in_place_of"]
        for name in entry["old"]
        if old == name or old.startswith(f"{name}-")
    ]
    if not fits:
        return []
    _, entry = max(fits, key=lambda each: each[0])  # gpt-4o-mini-2024 is no gpt-4o
    models = catalogue.read(catalogue.SHIPPED)
    found = (models[entry[size]] for size in ("small", "large"))
    return [Suggestion(m.name, m.licence, m.context, m.weights_gb) for m in found]
