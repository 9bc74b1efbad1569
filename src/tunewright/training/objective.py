"""What a training method is: which rows of a step count how much. All else is the loop's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tunewright.training.examples import Sample
    from tunewright.training.run import Run


class Method(Protocol):
    """The gradient of a step is that of the sum over its supervised tokens of the weight of their
    row times their loss (nats), divided by `parts`. A method whose gradient has another form
    does not fit, and brings a `train` function of its own (`training.METHODS`)."""

    def parts(self, samples: Sequence[Sample], /) -> int:
        """What the sums of a step with these rows, those of all processes, are divided by."""
        ...

    def weigh(self, run: Run, samples: list[Sample], /) -> list[Sample]:
        """This process's rows of a step with their weights. It may compute with the model as it
        stands before the step, without gradients, and changes nothing."""
        ...
