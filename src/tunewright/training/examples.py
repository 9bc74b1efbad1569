"""A training file as arrays of token ids."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
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
    """One supervised stretch. ids: int32 [length], of which those from `start` on are supervised.

    line: in the file, from 1; turn: which of the line's supervised stretches, from 0.
    """

    ids: NDArray[np.int32]
    start: int
    line: int
    turn: int

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
        rows = renderer.rows(example, line)
        cut += any(row.cut for row in rows)
        if rows:
            examples.append([_sample(row, turn) for turn, row in enumerate(rows)])
        else:
            dropped += 1
    if not examples:
        raise BadRequest(
            f"No row of the {kind} file has supervised tokens: in each, the prompt alone fills the "
            + "model's context or every assistant message has weight 0.",
            code="invalid_n_examples",
        )
    return Examples(examples, cut, dropped)


def _sample(row: Row, turn: int) -> Sample:
    ids = np.array([*row.prompt, *row.answer], dtype=np.int32)
    return Sample(ids, len(row.prompt), row.line, turn)
