"""The bytes of single tokens."""

import json
import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer

from tunewright.rendering.encoding import unknown_id

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class Pieces:
    """What each token of a tokenizer writes. A token may be a part of a character."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def bytes(self, id: int) -> bytes:
        """The bytes of token `id`; a special token's are its name, an unknown id has none."""
        if id in self._added:
            return self._added[id].encode()
        piece = self._tokenizer.id_to_token(id)
        if piece is None:
            return b""
        if "ByteLevel" in self._kinds and all(char in _BYTE_OF for char in piece):
            return bytes(_BYTE_OF[char] for char in piece)
        if "ByteFallback" in self._kinds and (found := _BYTE.fullmatch(piece)):
            return bytes.fromhex(found[1])
        for old, new in self._replaced:
            piece = piece.replace(old, new)
        return piece.encode()

    def text(self, ids: Iterable[int]) -> str:
        """What `ids` write together, special tokens by name."""
        return b"".join(map(self.bytes, ids)).decode(errors="replace")

    def is_special(self, id: int) -> bool:
        """Whether `id` marks something and stands for no text."""
        return id in self._special

    @cached_property
    def unknown(self) -> int | None:
        """The token that stands for what the vocabulary lacks; None where it writes everything."""
        return unknown_id(self._tokenizer)

    @cached_property
    def _special(self) -> set[int]:
        added = self._tokenizer.get_added_tokens_decoder().items()
        return {id for id, token in added if token.special}

    @cached_property
    def _added(self) -> dict[int, str]:
        return {id: t.content for id, t in self._tokenizer.get_added_tokens_decoder().items()}

    @cached_property
    def _decoders(self) -> list[dict[str, Any]]:
        if self._tokenizer.decoder is None:
            return []
        return list(_flat(json.loads(self._tokenizer.decoder.__getstate__())))

    @cached_property
    def _kinds(self) -> set[str]:
        return {decoder["type"] for decoder in self._decoders}

    @cached_property
    def _replaced(self) -> list[tuple[str, str]]:
        """What stands for a space or, in WordPiece, for the absence of one."""
        found: list[tuple[str, str]] = []
        for decoder in self._decoders:
            if decoder["type"] == "Metaspace":
                found.append((decoder["replacement"], " "))
            elif decoder["type"] == "WordPiece":
                found.append((decoder["prefix"], ""))
            elif decoder["type"] == "Replace" and "String" in decoder["pattern"]:
                found.append((decoder["pattern"]["String"], decoder["content"]))
        return found


def _flat(decoder: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if decoder["type"] != "Sequence":
        return [decoder]
    return [one for part in decoder["decoders"] for one in _flat(part)]


def _byte_of() -> dict[str, int]:
    """GPT-2's alphabet: printable bytes are themselves, the others follow from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = {chr(byte): byte for byte in printable}
    return alphabet | {chr(0x100 + at): byte for at, byte in enumerate(others)}


_BYTE_OF = _byte_of()
