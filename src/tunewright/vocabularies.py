"""OpenAI's published vocabularies: token ids of clients back into text, and texts counted.

A vocabulary is a file that tiktoken fetches from the internet and keeps. Here it is only looked
for on this machine, in the places where tiktoken and two widespread packages keep it, checked by
its sha256 and copied into the home. Nothing is ever fetched, and those places are only read:
tiktoken itself deletes what it finds corrupt.
"""

import base64
import functools
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt, MissingExtra

if TYPE_CHECKING:
    pass

_END = "<|endoftext|>"
_FIRST = " "  # before the first word of a text; others stand between spaces and hold none
_LONGEST_WORD = 40  # characters
_MOST_WORDS = 1 << 16  # kept, some 10 MB
_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
_CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_LETTERS = r"\p{Lm}\p{Lo}\p{M}"
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}{_LETTERS}]*[\p{{Ll}}{_LETTERS}]+{_SUFFIX}"
    rf"|[^\r\n\p{{L}}\p{{N}}]?[\p{{Lu}}\p{{Lt}}{_LETTERS}]+[\p{{Ll}}{_LETTERS}]*{_SUFFIX}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Published:
    """`file`: its name in tiktoken's cache, the SHA-1 of its address. `pattern`: how text is cut
    before it is merged."""

    file: str
    sha256: str
    special: dict[str, int]
    pattern: str


PUBLISHED = {
    "cl100k_base": Published(
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        {
            _END: 100257,
            "<|fim_prefix|>": 100258,
            "<|fim_middle|>": 100259,
            "<|fim_suffix|>": 100260,
            "<|endofprompt|>": 100276,
        },
        _CL100K,
    ),
    "r50k_base": Published(
        "0ea1e91bbb3a60f729a8dc8f777fd2fc07cd8df4",
        "306cd27f03c1a714eca7108e03d66b7dc042abe8c258b44c199a7ed9838dd930",
        {_END: 50256},
        _GPT2,
    ),
    "p50k_base": Published(
        "ec7223a39ce59f226a68acc30dc1af2788490e15",
        "94b5ca7dff4d00767bc256fdd1b27e5b17361d7b8a5f968547f9f23eb70d2069",
        {_END: 50256},
        _GPT2,
    ),
    "o200k_base": Published(
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        {_END: 199999, "<|endofprompt|>": 200018},
        _O200K,
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
            f"These token ids are of OpenAI's. {_absent(name)} Or send the text instead of its "
            "token ids.",
            param="input",
            code="vocabulary_unavailable",
        )
    return Vocabulary(name, path)


class Encoding:
    """Counts tokens as OpenAI does, with tiktoken on a vocabulary that lies on this machine.

    Texts are plain text, whatever special tokens they spell. Safe to share among threads, which
    count at the same time.
    """

    def __init__(self, name: str, path: Path) -> None:
        """Raises MissingExtra without tiktoken, Corrupt where `path` is no vocabulary."""
        try:
            import tiktoken
        except ImportError:
            raise MissingExtra(f"Counting tokens of {name}", "tiktoken") from None
        published, self.name = PUBLISHED[name], name
        try:
            ranks = {token: rank for rank, token in _tokens(path)}
        except (OSError, ValueError) as error:
            raise Corrupt(f"{path} cannot be read: {error}") from error
        self._special = published.special[_END]
        self._words: dict[str, int] = {}  # tokens of a word, as `_parts` gives it
        self._sizes = np.zeros(max(ranks.values()) + 1, np.int64)  # bytes of each token
        for token, rank in ranks.items():
            self._sizes[rank] = len(token)
        self._tiktoken: tiktoken.Encoding = tiktoken.Encoding(
            name,
            pat_str=published.pattern,
            mergeable_ranks=ranks,
            special_tokens=published.special,
        )

    def encode(self, text: str) -> list[int]:
        return self._tiktoken.encode_ordinary(text)

    def counts(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The tokens of each text, [texts].

        Every pattern of `PUBLISHED` cuts before a space that stands between two characters which
        are none, so a text of such has as many tokens as its words together, and few words of a
        file are new: up to twice as fast as tiktoken alone. Other texts go to tiktoken whole.
        """
        parts = [_parts(text) for text in texts]
        words = self._known(parts)
        found = [self._total(words, of_text) for of_text in parts]
        others = [at for at, number in enumerate(found) if number < 0]
        counted = self._encoded([texts[at] for at in others])
        for at, number in zip(others, counted.tolist(), strict=True):
            found[at] = number
        return np.array(found, dtype=np.int64)

    def _known(self, parts: list[list[str]]) -> dict[str, int]:
        """The tokens of words, those of `parts` among them, but for words that may not be cut out.

        Threads share what is known; one that finds it full begins anew, and no other loses what it
        holds.
        """
        words = self._words
        new = set[str]().union(*parts).difference(words)
        new = [word for word in new if _may_be_cut_out(word)]
        if len(words) + len(new) > _MOST_WORDS:
            self._words = words = {}
            new = [word for word in set[str]().union(*parts) if _may_be_cut_out(word)]
        inner = [word for word in new if word[:1] not in ("", _FIRST)]
        words.update(zip(inner, self._between_spaces(inner).tolist(), strict=True))
        others = [word for word in new if word[:1] in ("", _FIRST)]
        as_written = [word[1:] or " " for word in others]
        words.update(zip(others, self._encoded(as_written).tolist(), strict=True))
        return words

    def _between_spaces(self, words: Sequence[str]) -> NDArray[np.int64]:
        """The tokens of each word with the space before it. They are encoded as one text; where a
        word ends, the bytes of the tokens tell."""
        joined = " ".join(["", *words])
        ids = self._tiktoken.encode_to_numpy(joined, allowed_special=set(), disallowed_special=())
        ends = np.cumsum([1 + len(word.encode()) for word in words])
        return np.diff(np.searchsorted(np.cumsum(self._sizes[ids]), ends) + 1, prepend=0)

    @staticmethod
    def _total(words: dict[str, int], parts: list[str]) -> int:
        try:
            return sum(map(words.__getitem__, parts))
        except KeyError:
            return -1

    def _encoded(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Counted by tiktoken: in one call, with a special token after each, since what stands
        between two of them is encoded apart. A call for each text costs about as much as encoding a
        short one."""
        joined = _END.join([*texts, ""])
        if joined.count(_END) != len(texts):  # some text spells it
            return np.array([len(self.encode(text)) for text in texts], dtype=np.int64)
        ids = self._tiktoken.encode_to_numpy(joined, allowed_special={_END}, disallowed_special=())
        return np.diff(np.flatnonzero(ids == self._special), prepend=-1) - 1


def _parts(text: str) -> list[str]:
    """What stands between spaces; the first, before which there is none, behind a mark. Nothing
    between two spaces is a token of its own; of three or more, what they are together counts."""
    if "   " in text or text.endswith(" "):
        return [_FIRST]
    parts = text.split(" ")
    parts[0] = _FIRST + parts[0]
    return parts


def _may_be_cut_out(word: str) -> bool:
    """Not where more white space stands beside a space; and what is long is seldom seen again."""
    if not word:
        return True
    bare = word.removeprefix(_FIRST)
    return 0 < len(bare) <= _LONGEST_WORD and not (bare[0].isspace() or bare[-1].isspace())


def open_encoding(name: str, own: Path) -> Encoding:
    """Raises BadRequest for an unknown name, or saying where the file is looked for, if this
    machine has none; MissingExtra without tiktoken. Never looks beyond this machine."""
    if name not in PUBLISHED:
        known = ", ".join(PUBLISHED)
        raise BadRequest(f"There is no encoding '{name}'; known are: {known}.", param="encoding")
    path = find(name, own)
    if path is None:
        raise BadRequest(
            f"{_absent(name)} Nothing is fetched here; where there is a network, `python -c "
            f"\"import tiktoken; tiktoken.get_encoding('{name}')\"` brings it.",
            param="encoding",
            code="vocabulary_unavailable",
        )
    return Encoding(name, path)


@functools.cache
def _opened(name: str, own: Path) -> Encoding:
    return open_encoding(name, own)


def count(string: str, encoding_name: str, own: Path) -> int:
    """Tokens of one text; the encoding is kept open. Raises what `open_encoding` raises."""
    return len(_opened(encoding_name, own).encode(string))


def _absent(name: str) -> str:
    return (
        f"The vocabulary {name}, whose file is {PUBLISHED[name].file}, is not on this machine. It "
        "can be put into the folder `vocabularies` of the home, or be where $TIKTOKEN_CACHE_DIR "
        "points, in tiktoken's own cache, or in an installed litellm or llama-index-core."
    )


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
