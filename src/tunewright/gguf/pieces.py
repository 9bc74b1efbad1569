"""sentencepiece's byte pairs: a score for each piece in place of a list of merges."""

from typing import Any, Final

import numpy as np

from tunewright.gguf.kinds import TokenType
from tunewright.gguf.reading import Reader
from tunewright.gguf.vocabulary import KEY, Vocabulary

_SPACE: Final = "▁"
_BYTES: Final = {f"<0x{byte:02X}>" for byte in range(256)}
_JOINED: Final = (TokenType.NORMAL, TokenType.USER_DEFINED)


def spaced(vocabulary: Vocabulary) -> Vocabulary:
    """With the sign for a space in user-defined pieces of spaces, where llama.cpp writes them."""
    tokens = list(vocabulary.tokens)
    for id, text in vocabulary.of(TokenType.USER_DEFINED):
        if not text.strip(" "):
            tokens[id] = _SPACE * len(text)
    return Vocabulary(tokens, vocabulary.types, vocabulary.named)


def pieces(reader: Reader, vocabulary: Vocabulary) -> dict[str, Any]:
    """The parts of tokenizer.json that depend on the kind. Raises BadRequest naming the key."""
    scores = reader.need(KEY + "scores", np.ndarray)
    if len(scores) < len(vocabulary.tokens) or not np.isfinite(scores).all():
        raise reader.refuse(f"its key {KEY}scores has not a number for each token")
    prefixed = reader.get(KEY + "add_space_prefix", bool) is not False
    unknown = vocabulary.of(TokenType.UNKNOWN)
    decoders: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    if prefixed:
        decoders.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    return {
        "normalizer": _normalizer(prefixed),
        "pre_tokenizer": None,
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": unknown[0][1] if unknown else None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": set(vocabulary.tokens) >= _BYTES,
            "ignore_merges": False,
            "vocab": {text: id for id, text in enumerate(vocabulary.tokens)},
            "merges": merges(vocabulary, scores),
        },
    }


def _normalizer(prefixed: bool) -> dict[str, Any]:
    """A space before every stretch of text, also before one that begins with a space and behind
    special tokens: so do sentencepiece and llama.cpp."""
    replaced = {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE}
    if not prefixed:
        return replaced
    return {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": _SPACE}, replaced]}


def merges(vocabulary: Vocabulary, scores: np.ndarray) -> list[list[str]]:
    """Every way to put a piece together from two others, the piece with the best score first, as
    sentencepiece joins. User-defined pieces, which are found before all others there, come first,
    long ones before short ones."""
    known = set(vocabulary.tokens)
    ranked: list[tuple[bool, float, int, int, str]] = []
    for id, text in vocabulary.of(*_JOINED):
        own = vocabulary.types[id] is TokenType.NORMAL
        score = -float(scores[id]) if own else -len(text)
        ranked += [
            (own, score, id, -cut, text)  # of two ways, the one with the longer beginning first
            for cut in range(1, len(text))
            if text[:cut] in known and text[cut:] in known
        ]
    return [[text[:-cut], text[-cut:]] for *_, cut, text in sorted(ranked)]
