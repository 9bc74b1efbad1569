"""Bases from GGUF files: found, and converted for as long as they are being added."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.fetching import Listener, need_room
from tunewright.gguf.convert import convert
from tunewright.resources.embedding_bases import recognised

_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A directory to add. `about` it, what its manifest is to remember."""

    directory: Path
    about: dict[str, Any] = field(default_factory=dict)


@contextmanager
def opened(source: Path, near: Path, listener: Listener) -> Iterator[Source]:
    """`source` itself where it is a directory of safetensors; of a GGUF file, or a directory that
    holds one, the directory that it is converted into, which lies beside `near` and is gone in the
    end. Raises BadRequest naming the file and what of it cannot be read; StorageFull."""
    file = _gguf(source)
    if file is None:
        yield Source(source)
        return
    size = f"{file.stat().st_size / 1e6:,.0f} MB"
    listener.say(f"Converting {file.name} ({size}) from GGUF to safetensors.")
    with durable.scratch(near) as directory:
        remembered = convert(
            file,
            directory,
            progress=listener.progress,
            room=lambda size: need_room(near.parent, size, f"Converting {file.name}"),
        )
        try:
            yield Source(directory, remembered)
        except BadRequest as error:  # what is wrong with the copy is wrong with the file
            message = error.message.replace(str(directory), str(file))
            raise BadRequest(message, param=error.param, code=error.code) from error


def _known(file: Path) -> Path:
    """By its first letters, if not by its name: Ollama keeps GGUF files under their sha256."""
    if file.is_file() and (file.suffix.lower() == ".gguf" or _begins(file)):
        return file
    raise BadRequest(
        f"{file} is neither a directory with safetensors weights nor a GGUF file.", param="source"
    )


def _begins(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            return opened.read(4) == b"GGUF"
    except OSError as error:
        raise BadRequest(f"{file} cannot be read: {error.strerror}.", param="source") from error


def _gguf(source: Path) -> Path | None:
    if not source.is_dir():
        return _known(source)
    files = [file for file in sorted(source.iterdir()) if file.suffix.lower() == ".gguf"]
    if not files or recognised(source) or list(source.glob("*.safetensors")):
        return None
    whole = [file for file in files if not _PART.search(file.name)]
    if not whole:
        raise BadRequest(
            f"{source} holds a model in {len(files)} parts ({files[0].name} ...). Join them first: "
            f"llama-gguf-split --merge {files[0].name} WHOLE.gguf",
            param="source",
        )
    if len(whole) > 1:
        raise BadRequest(
            f"{source} holds several models ({', '.join(file.name for file in whole[:6])}). Name "
            "one of these files instead of the directory.",
            param="source",
        )
    return whole[0]
