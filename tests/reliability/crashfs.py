"""Every state in which a power cut can leave a directory tree, from what was done to it.

`Recorder` notes what happens below a root: it looks at the whole tree after each system call that
changes names, and remembers which files and directories were synced. `crash_states` then gives
what the disk may hold if the power fails at any moment. The disk is as hostile as POSIX permits:

- the bytes of a file are sure only as far as its last fsync; without one, or after more was
  written, it may come back as it was then, empty, cut in half, as zeros of its length, or whole;
- a name (made, removed, renamed) is sure only once its directory is fsynced; until then any
  subset of the changes may have reached the disk, in any directory;
- a rename is atomic: both names change, or neither.

Trees are ``{path: bytes}``, with None for a directory.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Tree = dict[str, bytes | None]
LITTER = ".tmp-"

CHANGING = ("rename", "replace", "mkdir", "unlink", "rmdir", "link")


@dataclass
class Change:
    """Names that changed together: (directory, name, what it names now, or None)."""

    names: list[tuple[int, str, int | None]]
    unsynced: set[int]


@dataclass
class Disk:
    """What is sure, and what is not yet. Files and directories go by numbers of our own."""

    root: int
    directories: dict[int, dict[str, int]]
    synced: dict[int, bytes | None] = field(default_factory=dict)
    current: dict[int, bytes] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def copy(self) -> "Disk":
        return Disk(
            self.root,
            {number: dict(names) for number, names in self.directories.items()},
            dict(self.synced),
            dict(self.current),
            [Change(change.names, set(change.unsynced)) for change in self.pending],
        )

    def states(self) -> Iterator[Tree]:
        for chosen in itertools.product((False, True), repeat=len(self.pending)):
            names = {number: dict(n) for number, n in self.directories.items()}
            for change in itertools.compress(self.pending, chosen):
                for directory, name, target in change.names:
                    names.setdefault(directory, {}).pop(name, None)
                    if target is not None:
                        names[directory][name] = target
            yield from self._contents(names)

    def _contents(self, names: dict[int, dict[str, int]]) -> Iterator[Tree]:
        paths = dict(_walk(names, self.root, "", set(self.current)))
        files = [(path, number) for path, number in paths.items() if number in self.current]
        tree: Tree = {path: None for path, number in paths.items() if number not in self.current}
        # What lies in a temporary place is swept, whatever it holds: one state is enough.
        options = [[b""] if LITTER in path else self._bytes(number) for path, number in files]
        for contents in itertools.product(*options):
            yield tree | dict(zip((path for path, _ in files), contents, strict=True))

    def _bytes(self, number: int) -> list[bytes]:
        now, sure = self.current[number], self.synced.get(number)
        if sure == now:
            return [now]
        torn = [b"", now[: len(now) // 2], bytes(len(now)), now]
        return list(dict.fromkeys([*torn, *([sure] if sure is not None else [])]))


def _walk(
    names: dict[int, dict[str, int]], directory: int, prefix: str, files: set[int]
) -> Iterator[tuple[str, int]]:
    for name, number in names.get(directory, {}).items():
        yield prefix + name, number
        if number not in files:
            yield from _walk(names, number, f"{prefix}{name}/", files)


class Recorder:
    """Records what is done below `root`, as a list of `Disk` after each step."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._numbers: dict[int, int] = {}
        self._next = itertools.count(1)
        self._names = self._look()[0]
        root_number = self._numbers[root.stat().st_ino]
        self._disk = Disk(root_number, {n: dict(names) for n, names in self._names.items()})
        for number, data in self._look()[1].items():
            self._disk.current[number] = self._disk.synced[number] = data
        self.disks: list[Disk] = [self._disk.copy()]

    def patch(self, patcher: pytest.MonkeyPatch) -> None:
        for name in (*CHANGING, "fsync"):
            patcher.setattr(os, name, self._recorded(name, getattr(os, name)))

    def _recorded(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*given: Any, **named: Any) -> Any:
            self.observe()  # files that were opened and written since
            result = call(*given, **named)
            if name == "fsync":
                self._synced(os.fstat(given[0]).st_ino)
            self.observe(together=name in ("rename", "replace"))
            return result

        return recorded

    def observe(self, *, together: bool = False) -> None:
        """Take in what changed since; `together`: the names changed in one atomic step."""
        names, contents = self._look()
        changed = [
            (directory, name, names.get(directory, {}).get(name))
            for directory in self._names.keys() | names.keys()
            for name in self._names.get(directory, {}).keys() | names.get(directory, {}).keys()
            if self._names.get(directory, {}).get(name) != names.get(directory, {}).get(name)
        ]
        groups = [changed] if together and changed else [[one] for one in changed]
        self._disk.pending += [Change(g, {d for d, _, _ in g}) for g in groups]
        self._names = names
        self._disk.current = contents | {
            n: data for n, data in self._disk.current.items() if n not in contents
        }
        self.disks.append(self._disk.copy())

    def _synced(self, inode: int) -> None:
        number = self._numbers.get(inode)
        if number is None:
            return
        if number in self._disk.current:
            self._disk.synced[number] = self._disk.current[number]
            return
        for change in self._disk.pending:
            change.unsynced.discard(number)
        for change in self._disk.pending:
            if not change.unsynced:
                self._settle(change)
        self._disk.pending = [change for change in self._disk.pending if change.unsynced]

    def _settle(self, change: Change) -> None:
        for directory, name, target in change.names:
            self._disk.directories.setdefault(directory, {}).pop(name, None)
            if target is not None:
                self._disk.directories[directory][name] = target

    def _look(self) -> tuple[dict[int, dict[str, int]], dict[int, bytes]]:
        """Names by directory, and bytes by file, as they are now (page cache included)."""
        names: dict[int, dict[str, int]] = {}
        contents: dict[int, bytes] = {}
        seen: dict[int, int] = {}

        def number_of(path: Path) -> int:
            inode = path.stat().st_ino
            if inode not in seen:
                seen[inode] = self._numbers.get(inode) or next(self._next)
            return seen[inode]

        def visit(directory: Path) -> None:
            own = names.setdefault(number_of(directory), {})
            for path in directory.iterdir():
                own[path.name] = number_of(path)
                if path.is_dir():
                    visit(path)
                else:
                    contents[own[path.name]] = path.read_bytes()

        visit(self._root)
        self._numbers = seen  # an inode that went may come back as another file
        return names, contents


def crash_states(root: Path, action: Callable[[], object]) -> tuple[list[Tree], list[Tree]]:
    """What a power cut may leave of `root`: during `action`, and after it has returned."""
    with pytest.MonkeyPatch.context() as patcher:
        recorder = Recorder(root)
        recorder.patch(patcher)
        action()
    recorder.observe()
    *during, after = recorder.disks
    return _distinct(state for disk in during for state in disk.states()), _distinct(after.states())


def _distinct(states: Iterator[Tree]) -> list[Tree]:
    return list({tuple(sorted(state.items())): state for state in states}.values())


def make(root: Path, tree: Tree) -> Path:
    """The tree as real files below `root`."""
    for path, data in sorted(tree.items()):
        if data is None:
            (root / path).mkdir(parents=True, exist_ok=True)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
    return root
