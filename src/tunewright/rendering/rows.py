"""What training reads: examples as they come in, supervised rows as they go out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tunewright.rendering.turns import Message, Tool


class ChatLike(Protocol):
    @property
    def messages(self) -> Sequence[Message]: ...
    @property
    def tools(self) -> Sequence[Tool]: ...


class CompletionLike(Protocol):
    @property
    def prompt(self) -> str: ...
    @property
    def completion(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    """One supervised stretch: what serving would be given, and what it should answer.

    `answer` ends with the end-of-turn token, unless `cut`: then prompt and answer together were
    longer than the context and the end was dropped, as OpenAI does.
    """

    prompt: list[int]
    answer: list[int]
    line: int
    cut: bool = False
