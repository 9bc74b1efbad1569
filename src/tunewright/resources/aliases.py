"""OpenAI's model names: which base each one stands for, and what else the name says."""

from collections.abc import Iterator
from typing import Literal

Side = Literal["query", "document"]

CHAT_AND_TUNING = (
    "gpt-3.5-turbo",
    "gpt-3.5-turbo-0125",
    "gpt-3.5-turbo-0301",
    "gpt-3.5-turbo-0613",
    "gpt-3.5-turbo-1106",
    "gpt-3.5-turbo-16k",
    "gpt-3.5-turbo-16k-0613",
    "gpt-4o",
    "gpt-4o-2024-05-13",
    "gpt-4o-2024-08-06",
    "gpt-4o-2024-11-20",
    "gpt-4o-mini",
    "gpt-4o-mini-2024-07-18",
    "gpt-4.1",
    "gpt-4.1-2025-04-14",
    "gpt-4.1-mini",
    "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano",
    "gpt-4.1-nano-2025-04-14",
)
COMPLETION = ("gpt-3.5-turbo-instruct", "gpt-3.5-turbo-instruct-0914", "babbage-002", "davinci-002")
EMBEDDING = ("text-embedding-ada-002", "text-embedding-3-small", "text-embedding-3-large")
FIRST_EMBEDDING = (
    *(f"text-similarity-{size}-001" for size in ("ada", "babbage", "curie", "davinci")),
    *(
        f"text-search-{size}-{side}-001"
        for size in ("ada", "babbage", "curie", "davinci")
        for side in ("doc", "query")
    ),
    *(f"code-search-{size}-{side}-001" for size in ("ada", "babbage") for side in ("code", "text")),
)

# Listed in /v1/models where they stand for something; other names of a pattern work as well.
NAMES = (*CHAT_AND_TUNING, *COMPLETION, *EMBEDDING, *FIRST_EMBEDDING)


class Aliases:
    """`table` maps a name, or a pattern such as ``gpt-4o*``, to a base."""

    def __init__(self, table: dict[str, str]) -> None:
        self._names = {name: base for name, base in table.items() if not name.endswith("*")}
        prefixes = {name[:-1]: base for name, base in table.items() if name.endswith("*")}
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))

    def exact(self, name: str) -> str | None:
        return self._names.get(name)

    def matching(self, name: str) -> str | None:
        """The base of the longest pattern. A tuned model's name matches none: once deleted, it
        must not be answered by another model."""
        if name.startswith("ft:"):
            return None
        return next((base for prefix, base in self._prefixes if name.startswith(prefix)), None)

    def target(self, name: str) -> str | None:
        """The base that `name` stands for: its own entry first, then the longest pattern."""
        return self.exact(name) or self.matching(name)

    def listed(self) -> Iterator[tuple[str, str]]:
        """(name, base) of every name worth listing: OpenAI's, then the operator's own."""
        for name in dict.fromkeys((*NAMES, *self._names)):
            if target := self.target(name):
                yield name, target


def side(name: str) -> Side | None:
    """For which side of a search a first-generation name embeds."""
    if name.startswith(("text-search-", "code-search-")):
        if name.endswith(("-query-001", "-text-001")):
            return "query"
        if name.endswith(("-doc-001", "-code-001")):
            return "document"
    return None


def vocabulary(name: str) -> str | None:
    """The vocabulary that token ids sent to this name are of; None: the model's own."""
    if name.startswith("text-embedding-"):
        return "cl100k_base"
    first_generation = name.startswith(("text-similarity-", "text-search-", "code-search-"))
    return "r50k_base" if first_generation else None
