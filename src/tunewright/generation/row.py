"""A request on its way through a base."""

import random
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from tunewright.errors import TunewrightError
from tunewright.generation import sampling
from tunewright.generation.generator import Logprob, Piece, Request
from tunewright.generation.shaping import Shape


@dataclass(eq=False)
class Row:
    """A request on its way. `ids`: the prompt, then the tokens `made`; `read`: those in `cache`."""

    request: Request
    slot: int
    cache: Any = None
    read: int = 0
    made: int = 0
    shape: Shape | None = None
    ids: list[int] = field(init=False)
    prompt: list[Logprob] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    top: list[tuple[int, float, float]] = field(default_factory=list)
    numbers: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.numbers = sampling.source(self.request.seed)
        self.ids = list(self.request.prompt)

    @property
    def organisation(self) -> str:
        return self.request.organisation

    @property
    def due(self) -> int:
        """How many of `ids` must be read before the row runs."""
        return len(self.ids) - (self.made > 0)

    @property
    def reports_prompt(self) -> bool:
        """Whether the log-probabilities of its prompt are still to be reported."""
        return self.request.prompt_logprobs and not self.made

    @property
    def brief(self) -> bool:
        """Whether it ends as soon as its prompt is read: it needs no place beside others."""
        request = self.request
        most = request.max_tokens if request.forced is None else len(request.forced)
        return not self.made and most <= 1

    def suspend(self) -> None:
        """Leave the base. What is half read is kept; a row that ran is read again."""
        if self.cache is None:
            self.read = 0

    @property
    def samples(self) -> bool:
        return self.request.forced is None and self.request.temperature > 0

    def score(self, logprobs: Tensor, greedy: tuple[int, float, float]) -> None:
        assert self.request.forced is not None
        self.logprobs.append(float(logprobs[self.request.forced[self.made]]))
        self.top.append(greedy)


def failed(request: Request, error: TunewrightError) -> Piece:
    return Piece(request.id, [], error=error)
