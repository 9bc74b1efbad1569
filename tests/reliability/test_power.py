"""The power fails at any moment of a durable write: afterwards there is the old or the new, whole,
and what was acknowledged is there. Every state that the disk may be left in is made and looked at.
"""

import errno
import itertools
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from crashfs import Tree, crash_states, make

from tunewright import durable
from tunewright.durable import directories, files, growing
from tunewright.errors import Corrupt, StorageFull

PARTS = files, directories, growing
OLD, NEW = b"old " * 50, b"new bytes " * 70


@dataclass(frozen=True)
class Case:
    """`before` makes the root; `act` is what is tried; `found` says "old" or "new", or anything
    else where what is there is neither."""

    before: Callable[[Path], object]
    act: Callable[[Path], object]
    found: Callable[[Path], str]


def nothing(_: Path) -> None: ...


def which(path: Path) -> str:
    if not path.exists():
        return "old"
    return {OLD: "old", NEW: "new"}.get(path.read_bytes(), "torn")


def whole(path: Path) -> str:
    """ "new" for a directory that verifies."""
    if not path.exists():
        return "old"
    try:
        durable.verify(path)
    except Corrupt as error:
        return f"torn: {error}"
    return "new"


def upload(root: Path) -> None:
    draft = durable.Upload(root / "blobs" / "file-1")
    draft.write(NEW[:300])
    draft.write(NEW[300:])
    draft.commit()


def model(root: Path) -> None:
    with durable.directory(root / "models" / "m", about={"base": "b"}) as directory:
        (directory / "weights").write_bytes(NEW)
        (directory / "deeper").mkdir()
        (directory / "deeper" / "config").write_bytes(OLD)


def moved(root: Path) -> str:
    here, there = whole(root / "jobs" / "m"), whole(root / "models" / "m")
    if (here, there) == ("new", "old"):
        return "old"
    return "new" if (here, there) == ("old", "new") else f"torn: {here}, {there}"


def a_job_with_a_model(root: Path) -> None:
    with durable.directory(root / "jobs" / "m") as directory:
        (directory / "weights").write_bytes(NEW)


def removed(path: Path) -> str:
    state = which(path) if not path.is_dir() else whole(path)
    if not path.exists():
        return "new"
    return "old" if state in ("old", "new") else state


CASES = {
    "a file is replaced": Case(
        before=lambda root: durable.write_bytes(root / "recipe", OLD),
        act=lambda root: durable.write_bytes(root / "recipe", NEW),
        found=lambda root: which(root / "recipe") if (root / "recipe").exists() else "lost",
    ),
    "a new file in new folders": Case(
        before=nothing,
        act=lambda root: durable.write_bytes(root / "a" / "b" / "recipe", NEW),
        found=lambda root: which(root / "a" / "b" / "recipe"),
    ),
    "JSON": Case(
        before=lambda root: durable.write_json(root / "x.json", [1]),
        act=lambda root: durable.write_json(root / "x.json", [2] * 99),
        found=lambda root: {"[1]": "old"}.get(
            str(durable.read_json(root / "x.json")),
            "new" if durable.read_json(root / "x.json") == [2] * 99 else "torn",
        ),
    ),
    "an upload": Case(nothing, upload, lambda root: which(root / "blobs" / "file-1")),
    "a directory": Case(nothing, model, lambda root: whole(root / "models" / "m")),
    "a directory is moved": Case(
        before=a_job_with_a_model,
        act=lambda root: durable.move(root / "jobs" / "m", root / "models" / "m"),
        found=moved,
    ),
    "a file is removed": Case(
        before=lambda root: durable.write_bytes(root / "blob", OLD),
        act=lambda root: durable.remove(root / "blob"),
        found=lambda root: removed(root / "blob"),
    ),
    "a directory is removed": Case(
        before=model,
        act=lambda root: durable.remove(root / "models" / "m"),
        found=lambda root: removed(root / "models" / "m"),
    ),
}


def after_a_power_cut(case: Case, tree: Tree, place: Path) -> str:
    root = make(place, tree)
    durable.sweep(root)
    found = case.found(root)
    litter = [p for p in root.rglob("*") if ".tmp-" in p.name]
    return f"litter {litter}" if litter else found


def faults(case: Case, place: Path) -> tuple[int, list[str]]:
    """How many states there were, and what is wrong with some of them."""
    live = place / "live"
    live.mkdir(parents=True)
    case.before(live)
    during, after = crash_states(live, lambda: case.act(live))
    wrong: list[str] = []
    for number, (tree, acknowledged) in enumerate(
        [*((tree, False) for tree in during), *((tree, True) for tree in after)]
    ):
        found = after_a_power_cut(case, tree, place / str(number))
        if found not in (("new",) if acknowledged else ("old", "new")):
            wrong.append(found)
    return len(during) + len(after), wrong


@pytest.mark.parametrize("name", CASES)
def test_old_or_new_never_torn_and_acknowledged_is_there(name: str, tmp_path: Path) -> None:
    states, wrong = faults(CASES[name], tmp_path)
    assert states > 3, "the model saw something happen"
    assert not wrong


def _only_names_are_lost(patcher: pytest.MonkeyPatch) -> None:
    for part in PARTS:
        patcher.setattr(part, "sync_directory", lambda path: None)


class _NoSyncOfFiles:
    """`os` as durable sees it, whose fsync does nothing to files."""

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def fsync(self, handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            os.fsync(handle)


def _only_bytes_are_lost(patcher: pytest.MonkeyPatch) -> None:
    for part in PARTS:
        patcher.setattr(part, "os", _NoSyncOfFiles())


@pytest.mark.parametrize("broken", [_only_names_are_lost, _only_bytes_are_lost])
@pytest.mark.parametrize("name", ["a file is replaced", "an upload", "a directory"])
def test_the_model_finds_a_missing_sync(
    name: str,
    broken: Callable[[pytest.MonkeyPatch], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken(monkeypatch)
    _, wrong = faults(CASES[name], tmp_path)
    assert wrong


@pytest.mark.parametrize("name", ["a directory is moved", "a file is removed"])
def test_the_model_finds_a_name_that_was_not_synced(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _only_names_are_lost(monkeypatch)
    _, wrong = faults(CASES[name], tmp_path)
    assert wrong


CALLS = ("fsync", "rename", "mkdir", "open")


def failing(patcher: pytest.MonkeyPatch, nth: int, number: int) -> list[str]:
    """The nth of durable's calls fails with `number`. The list tells which it was."""
    count, hit = itertools.count(1), []

    def failing_call(name: str) -> None:
        real = getattr(os, name)

        def call(*given: object, **named: object) -> object:
            if next(count) == nth:
                hit.append(name)
                raise OSError(number, os.strerror(number))
            return real(*given, **named)

        patcher.setattr(os, name, call)

    for name in CALLS:
        failing_call(name)
    return hit


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize(
    "name", ["a file is replaced", "a new file in new folders", "an upload", "a directory"]
)
def test_the_nth_call_fails(name: str, number: int, tmp_path: Path) -> None:
    """For n = 1, 2, 3 ... until none fails: an error is raised, and there is the old or the new."""
    case = CASES[name]
    for nth in itertools.count(1):
        root = tmp_path / str(nth)
        root.mkdir()
        case.before(root)
        with pytest.MonkeyPatch.context() as patcher:
            hit = failing(patcher, nth, number)
            try:
                case.act(root)
            except StorageFull:
                assert number == errno.ENOSPC
            except OSError:
                assert number == errno.EIO
            else:
                assert not hit, f"call {nth} ({hit}) failed and nobody was told"
        durable.sweep(root)
        assert case.found(root) in ("old", "new")
        if not hit:
            assert nth > 3
            return
