"""Long work in short steps, so that whoever runs it can let others in between, or stop.

A function that works by steps is a generator: it yields nothing, some milliseconds apart, and
returns its result. `finish` runs one to its end.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
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


def batches(
    items: Iterable[T], characters: int, most: int | None = None, size: Callable[[T], int] = len
) -> Iterator[list[T]]:
    """`items` in their order: of so many characters together at most, by `size`, and `most` of
    them. One that is longer comes alone."""
    batch: list[T] = []
    so_far = 0
    for item in items:
        own = size(item)
        if batch and (len(batch) == most or so_far + own > characters):
            yield batch
            batch, so_far = [], 0
        batch.append(item)
        so_far += own
    if batch:
        yield batch
