"""What answers cost at the source, and a budget that is never exceeded."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

_FILE = Path(__file__).with_name("prices.toml")
_OVERHEAD = 64  # tokens around a prompt, and around each of its messages, that no byte stands for


@dataclass(frozen=True)
class Price:
    """USD per million tokens, `read` from a prompt and `written` in an answer."""

    read: float
    written: float

    def of(self, prompt: float, answer: float) -> float:
        """USD of so many tokens."""
        return (prompt * self.read + answer * self.written) / 1e6


def known_price(model: str) -> Price | None:
    """The shipped price of a tuned model; None where the table does not know its base."""
    base = model.removeprefix("ft:").split(":")[0]
    table = _table()["tuned"]
    found = next((table[name] for name in table if base.startswith(name)), None)
    return Price(**found) if model.startswith("ft:") and found else None


def price_source() -> str:
    """Where the shipped prices are from, and when they were looked at."""
    table = _table()
    return f"{table['source']} ({table['checked']})"


def _table() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text())


def most_tokens(asked: dict[str, Any]) -> int:
    """A number of tokens that a prompt cannot exceed, whatever the vocabulary: a token of text
    stands for a byte at least."""
    messages = asked.get("messages") or [None]
    return len(orjson.dumps(asked)) + _OVERHEAD * (1 + len(messages))


class Budget:
    """USD that may be spent in all. What is under way counts with the most that it can cost."""

    def __init__(self, most: float, spent: float) -> None:
        self.most = most
        self.spent = spent
        self._held = 0.0

    def hold(self, usd: float) -> bool:
        """Set `usd` aside for a request; False where there is not so much left."""
        if not self.spent + self._held + usd <= self.most:  # also where one is no number
            return False
        self._held += usd
        return True

    def settle(self, held: float, cost: float) -> None:
        """The request for which `held` was set aside has ended, and cost `cost`."""
        self._held -= held
        self.spent += cost
