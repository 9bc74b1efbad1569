"""Prefill of short prompts in one forward pass, and of equal ones only once; after a beginning
that is known already, of what follows it.

A small model takes for a prompt of ten tokens what it takes for 16 of them: a request for many
short answers is nearly all prompts. What follows a prompt changes nothing about it, so shorter
ones are filled up behind their end, and need no mask.
"""

import torch
from torch import Tensor

from tunewright.generation.beginnings import Known
from tunewright.generation.resident import Resident
from tunewright.generation.row import Row
from tunewright.generation.sampling import logprobs
from tunewright.generation.states import row_of

ROWS = 32
_A_ROW = 8  # tokens: choosing what follows costs each row something, whatever its prompt cost


class Reading:
    """Rows whose prompts, or what follows the `known` beginning of all of them, are short enough to
    be read whole, together with others'."""

    def __init__(self, row: Row, known: Known | None = None) -> None:
        self.rows = [row]
        self.known = known
        self._skip = known.length if known else 0
        self._prompts = {_prompt(row): 0}  # and its place

    @property
    def tokens(self) -> int:
        """So many are computed, those that fill up included; or what else as long takes."""
        return max(len(self._prompts) * self._width, _A_ROW * len(self.rows))

    @property
    def _width(self) -> int:
        return max(len(ids) for _, ids in self._prompts) - self._skip

    def takes(self, row: Row, most: int) -> bool:
        """Whether `row` fits beside the others into a pass of `most` tokens."""
        if len(self.rows) == ROWS:
            return False
        known = _prompt(row) in self._prompts
        return known or (len(self._prompts) + 1) * max(self._width, row.due - self._skip) <= most

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self._prompts.setdefault(_prompt(row), len(self._prompts))

    @torch.inference_mode()
    def read(self, resident: Resident) -> Tensor:
        """Prefill each different prompt once, in one pass [prompts, time].

        Returns the logits [rows, vocabulary] of the last tokens.
        """
        reports = any(row.reports_prompt for row in self.rows)
        prompts = [list(ids[self._skip :]) for _, ids in self._prompts]
        slots = [slot for slot, _ in self._prompts]
        # found: [prompts] of [1, vocabulary], or of [time, vocabulary]
        before = (self.known.cache(), self._skip) if self.known else None
        found, cache = resident.read(prompts, slots, every=reports, beginning=before)
        for row in self.rows:
            at = self._prompts[_prompt(row)]
            if row.reports_prompt:
                note(row, found[at], row.due)
            row.cache, row.read = row_of(cache, at, row.due), row.due
        for row in self._different():
            resident.beginnings.keep(row, row_of(row.cache, 0, row.due), self.known, own=False)
        return torch.stack([found[self._prompts[_prompt(row)]][-1] for row in self.rows])

    def _different(self) -> list[Row]:
        return list({_prompt(row): row for row in self.rows}.values())


def _prompt(row: Row) -> tuple[int, tuple[int, ...]]:
    return row.slot, tuple(row.ids[: row.due])


def note(row: Row, logits: Tensor, end: int) -> None:
    """`logits` [prompt tokens read now, vocabulary]: each foretells the token after its own."""
    following = row.request.prompt[row.read + 1 : end + 1]
    tops = [row.request.logprobs or 0] * len(following)
    row.prompt += logprobs(logits[: len(following)], following, tops)
