"""Long work in short steps, so that whoever runs it can let others in between, or stop.

A function that works by steps is a generator: it yields nothing, some milliseconds apart, and
returns its result. `finish` runs one to its end.
"""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]


def finish(steps: Steps[T]) -> T:
    """The result of steps that nobody interrupts."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
