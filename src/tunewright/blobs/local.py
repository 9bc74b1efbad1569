"""Blobs as files of one directory."""

from collections.abc import Callable, Container, Iterator
from pathlib import Path

from tunewright import durable, names


class LocalBlobs:
    def __init__(self, root: Path) -> None:
        self.root = durable.make_directory(root)

    def path(self, name: str) -> Path:
        """Where the blob lies: for code of ours that reads by path, such as the trainer."""
        return self.root / names.id(name)

    def upload(self, name: str) -> durable.Upload:
        return durable.Upload(self.path(name))

    def read(self, name: str, chunk: int = 1024 * 1024) -> Iterator[bytes]:
        try:
            file = self.path(name).open("rb")
        except FileNotFoundError:
            raise KeyError(name) from None
        return _chunks(file, chunk)

    def size(self, name: str) -> int:
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return 0

    def delete(self, name: str) -> None:
        durable.remove(self.path(name))

    def sweep(self, known: Callable[[], Container[str]]) -> int:
        recorded = known()
        strangers = [path for path in self.root.iterdir() if path.name not in recorded]
        left = [p for p in strangers if names.is_made(p.name) and not durable.in_use(p)]
        recorded = known() if left else ()
        orphans = [path for path in left if path.name not in recorded]
        for path in orphans:
            durable.remove(path)
        return len(orphans)


def _chunks(file: object, size: int) -> Iterator[bytes]:
    with file as opened:  # pyright: ignore[reportGeneralTypeIssues]
        while piece := opened.read(size):
            yield piece
