"""Where on this machine a vocabulary's file is: in the package, in the home, in others' caches.

Each is checked by its sha256. Others' places are only read: tiktoken itself deletes what it finds
corrupt.
"""

import base64
import gzip
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tunewright import durable
from tunewright.errors import Corrupt
from tunewright.vocabularies.published import PUBLISHED

SHIPPED = Path(__file__).parent / "shipped"  # cl100k_base, MIT: LICENSE beside it


def find(name: str, own: Path) -> bytes | None:
    """The content of a vocabulary's file. From another's place it is copied into `own` first.

    None where this machine has no such file, or only a damaged one.
    """
    published = PUBLISHED[name]
    content = _shipped(name)
    if _is(content, published.sha256):
        return content
    for folder in (own, *places()):
        content = _read(folder / published.file)
        if _is(content, published.sha256):
            if folder != own:
                durable.write_bytes(own / published.file, content)
            return content
    return None


def absent(name: str) -> str:
    """What to say of a vocabulary that is not on this machine."""
    return (
        f"The vocabulary {name}, whose file is {PUBLISHED[name].file}, is not on this machine. It "
        "can be put into the folder `vocabularies` of the home, or be where $TIKTOKEN_CACHE_DIR "
        "points, in tiktoken's own cache, or in an installed litellm or llama-index-core."
    )


def places() -> Iterator[Path]:
    """Where the files may lie besides the home: tiktoken's caches, litellm, llama-index-core."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if value := os.environ.get(variable):
            yield Path(value)
    yield Path(tempfile.gettempdir()) / "data-gym-cache"
    yield from _package("litellm", "litellm_core_utils/tokenizers")
    yield from _package("llama_index", "core/_static/tiktoken_cache")


def ranks(name: str, content: bytes) -> dict[bytes, int]:
    """Token to id, in the order of ids. Raises Corrupt where `content` is no vocabulary."""
    try:
        return dict(_token(line) for line in content.splitlines())
    except ValueError as error:
        raise Corrupt(f"The file of {name} cannot be read: {error}") from error


def _token(line: bytes) -> tuple[bytes, int]:
    token, _, rank = line.partition(b" ")
    return base64.b64decode(token), int(rank)


def _shipped(name: str) -> bytes:
    packed = _read(SHIPPED / f"{name}.tiktoken.gz")
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, ValueError):  # absent, or damaged
        return b""


def _is(content: bytes, sha256: str) -> bool:
    return hashlib.sha256(content).hexdigest() == sha256


def _package(name: str, folder: str) -> Iterator[Path]:
    """A folder of an installed package, found without importing it: litellm takes seconds."""
    found = importlib.util.find_spec(name)
    for place in (found and found.submodule_search_locations) or ():
        yield Path(place) / folder


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
