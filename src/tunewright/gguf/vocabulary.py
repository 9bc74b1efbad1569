"""The tokens of a file: their texts, what each of them is, and which has a name."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tunewright.gguf.kinds import TokenType
from tunewright.gguf.reading import Reader

KEY: Final = "tokenizer.ggml."
NAMED: Final = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}
"""Special tokens, by what transformers and GGUF call them."""
_ENDS: Final = (
    "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
    "<|end_of_text|>", "</s>", "<eos>", "<｜end▁of▁sentence｜>",
)  # fmt: skip
"""A file names one or two tokens by which a turn or a text ends. A model may use another of these,
and would then go on to the limit."""
_SPECIAL: Final = (TokenType.CONTROL, TokenType.UNKNOWN)
_KEEPING_SPACE: Final = ("<unk>", "<s>", "<|endoftext|>")


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by id. Unused ones at the end, which only fill up the embedding, are left out."""

    tokens: list[str]
    types: list[TokenType]
    named: dict[str, int]

    def of(self, *types: TokenType) -> list[tuple[int, str]]:
        """Ids and texts of the tokens of some types."""
        both = zip(self.tokens, self.types, strict=True)
        return [(id, text) for id, (text, type) in enumerate(both) if type in types]

    def added(self, *, stripping: bool) -> list[dict[str, Any]]:
        """Those that are looked for in a text before anything else, as tokenizer.json has them.
        `stripping`: special ones take the white space behind them."""
        special = {id for id, _ in self.of(*_SPECIAL)}
        return [
            {
                "id": id,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": stripping and id in special and text not in _KEEPING_SPACE,
                "normalized": False,
                "special": id in special,
            }
            for id, text in self.of(*_SPECIAL, TokenType.USER_DEFINED)
            if text
        ]

    def ends(self, *given: int | None) -> list[int]:
        """Where generation ends: what the file says, then what else is known to be an end."""
        marked = self.of(TokenType.CONTROL, TokenType.USER_DEFINED)
        known = [id for id, text in marked if text in _ENDS]
        return list(dict.fromkeys(id for id in (*given, *known) if id is not None))


def vocabulary(reader: Reader, rows: int) -> Vocabulary:
    """`rows`: of the embedding. Raises BadRequest naming the key that does not fit."""
    tokens = reader.need(KEY + "tokens", list)
    if not 0 < len(tokens) <= rows:
        raise reader.refuse(
            f"its key {KEY}tokens has {len(tokens):,} tokens, but its tensor token_embd.weight "
            f"has {rows:,} rows"
        )
    named = {ours: token_id(reader, theirs, len(tokens)) for ours, theirs in NAMED.items()}
    known = {name: id for name, id in named.items() if id is not None}
    types = _types(reader, len(tokens), known)
    while types and types[-1] is TokenType.UNUSED:
        types.pop()
    tokens = tokens[: len(types)]
    _refuse_duplicates(reader, tokens)
    return Vocabulary(tokens, types, {name: id for name, id in known.items() if id < len(tokens)})


def _types(reader: Reader, count: int, named: dict[str, int]) -> list[TokenType]:
    found = reader.get(KEY + "token_type", np.ndarray)
    if found is None:
        special = set(named.values())
        return [TokenType.CONTROL if id in special else TokenType.NORMAL for id in range(count)]
    if len(found) != count:
        raise reader.refuse(
            f"its key {KEY}token_type has {len(found):,} items, but {KEY}tokens {count:,}"
        )
    try:
        return [TokenType(number) for number in found.tolist()]
    except ValueError as error:
        raise reader.refuse(f"its key {KEY}token_type has an item that is {error}") from error


def token_id(reader: Reader, key: str, count: int) -> int | None:
    """The id that a key gives, None where the file has no such key."""
    found = reader.get(KEY + key, int)
    if found is not None and not 0 <= found < count:
        raise reader.refuse(f"its key {KEY}{key} is {found}, but it has {count:,} tokens")
    return found


def _refuse_duplicates(reader: Reader, tokens: list[str]) -> None:
    seen: dict[str, int] = {}
    for id, text in enumerate(tokens):
        if seen.setdefault(text, id) != id:
            raise reader.refuse(
                f"its tokens {seen[text]} and {id} ({KEY}tokens) are both {text[:40]!r}"
            )
