"""A training file as arrays of token ids."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tunewright.dataset.checks import examples_of
from tunewright.dataset.examples import Form
from tunewright.errors import BadRequest
from tunewright.rendering import Renderer, Row


@dataclass(frozen=True, slots=True)
class Sample:
    """One supervised stretch. ids: int32 [length], of which those from `start` on are supervised;
    not to be written to: where the next stretch of a conversation goes on from it, they share them.

    line: in the file, from 1; turn: which of the line's supervised stretches, from 0. weight: what
    the loss of each of its tokens is multiplied by, negative where it is to become less likely.
    """

    ids: NDArray[np.int32]
    start: int
    line: int
    turn: int
    weight: float = 1.0

    @property
    def supervised(self) -> int:
        return len(self.ids) - self.start


@dataclass(frozen=True)
class Examples:
    """A file's examples, in its order, each with at least one sample.

    cut: how many lost the end of an answer, dropped: how many are left out altogether, for they
    are longer than the model's context (dropped also: those that supervise nothing).
    """

    examples: list[list[Sample]]
    cut: int = 0
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.examples)

    def samples(self, indices: Iterable[int]) -> list[Sample]:
        return [sample for index in indices for sample in self.examples[index]]

    @cached_property
    def all(self) -> list[Sample]:
        return self.samples(range(len(self)))

    @cached_property
    def supervised_tokens(self) -> int:
        return sum(sample.supervised for sample in self.all)

    def tokens(self, indices: Iterable[int]) -> int:
        """A conversation's tokens once, though each supervised turn is a sample of its own."""
        return sum(max(len(s.ids) for s in self.examples[index]) for index in indices)

    def digest(self) -> str:
        """Names exactly these ids and what is supervised among them."""
        digest = hashlib.sha256()
        for sample in self.all:
            digest.update(f"{sample.start},{len(sample.ids)}:".encode())
            digest.update(sample.ids.tobytes())
        return digest.hexdigest()


def read(path: Path, renderer: Renderer, kind: Form) -> Examples:
    """Render every row of `path`. Raises BadRequest where no row supervises anything."""
    examples: list[list[Sample]] = []
    cut = dropped = 0
    for line, example in examples_of(path, kind):
        conversation = _Conversation()
        for row in renderer.whole_rows(example, line):
            if fitting := renderer.fit(row):
                conversation.add(fitting)
        cut += conversation.cut
        if conversation.samples:
            examples.append(conversation.samples)
        else:
            dropped += 1
    if not examples:
        raise BadRequest(
            f"No row of the {kind} file has supervised tokens: in each, the prompt alone fills the "
            + "model's context or every assistant message has weight 0.",
            code="invalid_n_examples",
        )
    return Examples(examples, cut, dropped)


class _Conversation:
    """The samples of one example. Each answer of a long one comes with all that was said before:
    as arrays of their own they would take memory that grows with the square of its length."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.cut = False
        self._apart = 0  # samples that share nothing with what follows them

    def add(self, row: Row) -> None:
        ids = np.array([*row.prompt, *row.answer], dtype=np.int32)
        if self.samples and not _goes_on(self.samples[-1].ids, ids):
            self._apart = len(self.samples)
        for at in range(self._apart, len(self.samples)):
            sample = self.samples[at]
            self.samples[at] = replace(sample, ids=ids[: len(sample.ids)])
        self.samples.append(Sample(ids, len(row.prompt), row.line, len(self.samples)))
        self.cut = self.cut or row.cut


def _goes_on(before: NDArray[np.int32], ids: NDArray[np.int32]) -> bool:
    return len(before) <= len(ids) and np.array_equal(before, ids[: len(before)])
