"""Tokens as OpenAI's cookbook counts them, many examples at once.

An estimate for OpenAI's own models; ours are counted by the renderer, exactly.
"""

import os
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tunewright.dataset.examples import ChatExample, Example
from tunewright.dataset.tokens import distribution, epochs
from tunewright.records.checks import OpenAICounts
from tunewright.records.parts import said

MOST_BILLED = 4_096  # tokens of an example
_CHARACTERS = 256 * 1024  # of texts that are encoded together
_THREADS = min(4, os.cpu_count() or 1)
_Totals = tuple[NDArray[np.int64], NDArray[np.int64]]


class CountsTokens(Protocol):
    @property
    def name(self) -> str: ...
    def counts(self, texts: Sequence[str]) -> NDArray[np.int64]: ...


@dataclass
class _Batch:
    """Texts of some examples, whether each is an answer, and how many texts each example has.
    `fixed`: what is added to the tokens of each example, whatever it says."""

    fixed: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    answers: list[bool] = field(default_factory=list)
    characters: int = 0

    def add(self, text: str, is_answer: bool) -> None:
        self.texts.append(text)
        self.answers.append(is_answer)
        self.characters += len(text)

    def end(self, fixed: int) -> None:
        """The texts since the last call are those of one example."""
        self.fixed.append(fixed)
        self.sizes.append(len(self.texts))

    def totals(self, counts: Callable[[Sequence[str]], NDArray[np.int64]]) -> _Totals:
        """Tokens of each example, and of its answers."""
        found = counts(self.texts)
        size = len(self.fixed)
        owners = np.repeat(np.arange(size), np.diff(self.sizes, prepend=0))
        all_ = np.bincount(owners, found, size).astype(np.int64) + np.array(self.fixed)
        answers = np.bincount(owners, found * np.array(self.answers, dtype=bool), size)
        return all_, answers.astype(np.int64)


class Cookbook:
    """Takes examples one by one; `finish` gives the counts of all.

    Batches are encoded in threads while further examples are read: tiktoken holds no lock of
    Python's. Memory holds a few batches, and eight bytes an example.
    """

    def __init__(self, encoding: CountsTokens) -> None:
        self._encoding = encoding
        self._roles: dict[str, int] = {}
        self._threads = ThreadPoolExecutor(_THREADS)
        self._under_way: deque[Future[_Totals]] = deque()
        self._batch = _Batch()
        self._tokens, self._answers = array("I"), array("I")

    def add(self, one: Example) -> None:
        batch = self._batch
        if isinstance(one, ChatExample):
            batch.end(3 + sum(self._message(message) for message in one.messages))
        else:
            batch.add(one.prompt, is_answer=False)
            batch.add(one.completion, is_answer=True)
            batch.end(0)
        if batch.characters >= _CHARACTERS:
            self._send()

    def _message(self, message: dict[str, Any]) -> int:
        """Take its texts; what it costs beside them."""
        role = message["role"]
        is_answer = role == "assistant"
        if len(message) == 2 and type(content := message.get("content")) is str:
            self._batch.add(content, is_answer)  # nearly all messages
        else:
            for text, of_content in _texts(message):
                self._batch.add(text, is_answer and of_content)
        return 3 + self._role(role) + ("name" in message)

    def finish(self) -> OpenAICounts:
        self._send()
        while self._under_way:
            self._take()
        self._threads.shutdown()
        billable = int(np.minimum(np.array(self._tokens), MOST_BILLED).sum())
        n_epochs = epochs(len(self._tokens))
        return OpenAICounts(
            encoding=self._encoding.name,
            examples=len(self._tokens),
            tokens=distribution(self._tokens),
            assistant_tokens=distribution(self._answers),
            billable_tokens=billable,
            n_epochs=n_epochs,
            trained_tokens=billable * n_epochs,
        )

    def _send(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if not batch.fixed:
            return
        if len(self._under_way) > _THREADS:
            self._take()
        self._under_way.append(self._threads.submit(batch.totals, self._encoding.counts))

    def _take(self) -> None:
        tokens, answers = self._under_way.popleft().result()
        self._tokens.extend(tokens.tolist())
        self._answers.extend(answers.tolist())

    def _role(self, role: str) -> int:
        if role not in self._roles:  # there are six, and every message has one
            self._roles[role] = int(self._encoding.counts([role])[0])
        return self._roles[role]


def _texts(message: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    """Each text of a message but its role, and whether it is the content."""
    for key, value in message.items():
        if key == "role":
            continue
        if isinstance(value, str):
            yield value, key == "content"
        elif key == "content" and value:
            yield "".join(map(said, value)), True
