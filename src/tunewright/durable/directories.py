"""Directories that appear whole or not at all, listed in a manifest; what killed processes left."""

import glob
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from tunewright.durable.files import (
    MARK,
    copy,
    is_temporary,
    link_or_copy,
    make_directory,
    named_full_disk,
    read_json,
    sha256,
    sync_directory,
    temporary,
    write_json,
)
from tunewright.durable.locks import claimed, in_use
from tunewright.errors import Corrupt
from tunewright.faults import fault

MANIFEST = "manifest.json"


def _files(directory: Path) -> list[Path]:
    return sorted(p for p in directory.rglob("*") if p.is_file() and p.name != MANIFEST)


def write_manifest(directory: Path, about: dict[str, Any] | None = None) -> None:
    """List every file below `directory` with its bytes and sha256, and `about` beside them."""
    files = {
        str(path.relative_to(directory)): {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in _files(directory)
    }
    said = {"about": about or {}, "files": files}
    write_json(directory / MANIFEST, {**said, "sha256": _sha256_of(said)})


def _sha256_of(value: Any) -> str:
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _sync_tree(directory: Path) -> None:
    for path in [*_files(directory), *filter(Path.is_dir, directory.rglob("*"))]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    sync_directory(directory)


@contextmanager
def directory(target: Path, about: dict[str, Any] | None = None) -> Iterator[Path]:
    """Fill a directory that appears whole or not at all.

    Yields a temporary directory beside `target`. When the block ends well, every file in it is
    synced, a manifest with sha256 sums (and `about`) is added, and the directory is renamed to
    `target`, which must not exist. When the block raises, nothing remains.
    """
    staging = temporary(make_directory(target.parent) / target.name)
    try:
        with named_full_disk(target):
            staging.mkdir(mode=0o700)
            with claimed(staging):
                yield staging
                write_manifest(staging, about)
                fault("directory.filled")
                _sync_tree(staging)
                fault("directory.synced")
                staging.rename(target)
                fault("directory.renamed")
                sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


@contextmanager
def scratch(target: Path) -> Iterator[Path]:
    """A directory beside `target` for the length of a block, removed at its end, or by `sweep`
    where the process was killed."""
    staging = temporary(make_directory(target.parent) / target.name)
    try:
        with named_full_disk(target):
            staging.mkdir(mode=0o700)
            with claimed(staging):
                yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def manifest(directory: Path) -> dict[str, Any]:
    """The manifest of `directory`: about and files. The files themselves are not looked at.
    Raises Corrupt where there is none, or one that has changed."""
    path = directory / MANIFEST
    if not path.is_file():
        raise Corrupt(f"{directory} has no {MANIFEST}: it was never written to its end.")
    found = read_json(path)
    if not isinstance(found, dict) or not {"about", "files"} <= found.keys():
        raise Corrupt(f"{path} is not a manifest.")
    said = {"about": found["about"], "files": found["files"]}
    if found.get("sha256", _sha256_of(said)) != _sha256_of(said):
        raise Corrupt(f"{path} has changed since it was written (sha256 differs).")
    return said


def verify(directory: Path) -> dict[str, Any]:
    """Check every file against the manifest and return the manifest.

    safetensors has no checksum of its own: of 200 bit flips in its data none is noticed.
    Raises Corrupt naming the file.
    """
    found = manifest(directory)
    for name, entry in found["files"].items():
        path = directory / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise Corrupt(f"{path} is missing or not {entry['bytes']} bytes long.")
        if sha256(path) != entry["sha256"]:
            raise Corrupt(f"{path} has changed since it was written (sha256 differs).")
    return found


def fingerprint(directory: Path) -> str:
    """A short name for the exact content of a manifested directory: 16 hex digits.

    What its `about` has under `identity` is part of it: what is made of the same files in another
    way is another thing."""
    said = manifest(directory)
    identity = said["about"].get("identity")
    return _sha256_of([said["files"], identity] if identity else said["files"])[:16]


def link(source: Path, target: Path) -> None:
    """`target` becomes a directory with the same files (not folders) as `source`, manifest and all.

    They are hard-linked where the file system allows, so they last when `source` is removed.
    """
    staging = temporary(make_directory(target.parent) / target.name)
    staging.mkdir(mode=0o700)
    try:
        with named_full_disk(target), claimed(staging):
            for file in source.iterdir():
                link_or_copy(file, staging / file.name)
            sync_directory(staging)
            staging.rename(target)
            sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory of ours, without its manifest, to a place of the user's, where it appears
    whole or not at all. `target` may be an empty directory. Its modes are the user's own.

    What an earlier attempt of a killed process has left beside it goes first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for litter in target.parent.glob(f"{glob.escape(target.name)}{MARK}*"):
        if is_temporary(litter) and not in_use(litter):
            shutil.rmtree(litter, ignore_errors=True)
    staging = temporary(target)
    try:
        with named_full_disk(target):
            staging.mkdir()
            with claimed(staging):
                for file in _files(source):
                    place = staging / file.relative_to(source)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    copy(file, place)
                _sync_tree(staging)
                staging.rename(target)
                sync_directory(target.parent)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def sweep(root: Path) -> int:
    """Remove what killed processes left half written below `root`; return how many entries.

    What a living process writes, such as an upload by the command line, is left alone."""
    litter = [path for path in _temporaries(root) if path.exists() and not in_use(path)]
    for path in litter:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(litter)


def _temporaries(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        if MANIFEST in files:  # whole: what is in it belongs to it, whatever it is called
            folders.clear()
            continue
        for name in (*folders, *files):
            if is_temporary(Path(name)):
                yield Path(folder, name)
        folders[:] = [name for name in folders if not is_temporary(Path(name))]
