"""OpenAI's published vocabularies: token ids of clients back into text.

A vocabulary is a file that tiktoken fetches from the internet and keeps. Here it is only looked
for on this machine, in the places where tiktoken and two widespread packages keep it, checked by
its sha256 and copied into the home. Nothing is ever fetched, and those places are only read:
tiktoken itself deletes what it finds corrupt.
"""

import base64
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt


@dataclass(frozen=True)
class Published:
    """`file`: its name in tiktoken's cache, the SHA-1 of its address."""

    file: str
    sha256: str
    special: dict[str, int]


PUBLISHED = {
    "cl100k_base": Published(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        {
            "<|endoftext|>": 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
    ),
    "r50k_base": Published(
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        {"<|endoftext|>": 50256},
    ),
}


class Vocabulary:
    def __init__(self, name: str, path: Path) -> None:
        """`path`: a file that `find` gave. Raises Corrupt where it is no vocabulary."""
        try:
            self._bytes = dict(_tokens(path))
        except (OSError, ValueError) as error:
            raise Corrupt(f"{path} cannot be read: {error}") from error
        self._bytes |= {id: text.encode() for text, id in PUBLISHED[name].special.items()}

    def __contains__(self, id: int) -> bool:
        return id in self._bytes

    def decode(self, ids: Sequence[int]) -> str:
        """The text of known ids. A character of which a part was cut off becomes U+FFFD."""
        return b"".join(self._bytes[id] for id in ids).decode("utf-8", errors="replace")


def open_vocabulary(name: str, own: Path) -> Vocabulary:
    """Raises BadRequest saying where the file is looked for, if this machine has none."""
    path = find(name, own)
    if path is None:
        raise BadRequest(
            f"These token ids are of OpenAI's vocabulary {name}, whose file "
            f"{PUBLISHED[name].file} is not on this server. The operator can put it into the "
            "folder `vocabularies` of the server's home, or have it where $TIKTOKEN_CACHE_DIR "
            "points, in tiktoken's own cache, or in an installed litellm or llama-index-core. Or "
            "send the text instead of its token ids.",
            param="input",
            code="vocabulary_unavailable",
        )
    return Vocabulary(name, path)


def find(name: str, own: Path) -> Path | None:
    """The file of a vocabulary in the directory `own`, copied there first from where it lies.

    None where this machine has no such file, or only a damaged one.
    """
    published = PUBLISHED[name]
    target = own / published.file
    for folder in (own, *places()):
        content = _read(folder / published.file)
        if hashlib.sha256(content).hexdigest() == published.sha256:
            if folder != own:
                durable.write_bytes(target, content)
            return target
    return None


def places() -> Iterator[Path]:
    """Where the files may lie besides the home: tiktoken's caches, litellm, llama-index-core."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if value := os.environ.get(variable):
            yield Path(value)
    yield Path(tempfile.gettempdir()) / "data-gym-cache"
    yield from _package("litellm", "litellm_core_utils/tokenizers")
    yield from _package("llama_index", "core/_static/tiktoken_cache")


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


def _tokens(path: Path) -> Iterator[tuple[int, bytes]]:
    for line in path.read_bytes().splitlines():
        token, _, rank = line.partition(b" ")
        yield int(rank), base64.b64decode(token)
