from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Protocol

from tunewright.durable import Upload


class Blobs(Protocol):
    """Bytes under names made by the server (letters, digits, ``-`` and ``_`` only).

    A blob appears whole at `Upload.commit` and never changes afterwards; a reader sees all of it
    or raises KeyError. `delete` of a missing blob is no error. A name of any other form is a bug
    in the caller, not bad input: nothing a client sends may become a name (ValueError).
    """

    def upload(self, name: str) -> Upload: ...

    def read(self, name: str, chunk: int = 1024 * 1024) -> Iterator[bytes]: ...

    def path(self, name: str) -> Path: ...

    def size(self, name: str) -> int:
        """In bytes; 0 of one that is not there."""
        ...

    def delete(self, name: str) -> None: ...

    def sweep(self, known: Callable[[], Container[str]]) -> int:
        """Delete all but the `known` and those whose `Upload` is still open; return how many.

        `known` is asked again when that has been looked at: what is no longer being written has
        been recorded by then, or never will be.
        """
        ...
