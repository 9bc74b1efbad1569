"""The keys of a tokenizer from tokenizer.json: the way back from `tokenizer`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tunewright.gguf.describing import refuse
from tunewright.gguf.kinds import TokenType
from tunewright.gguf.pretokenizers import BY_NAME, PreTokenizer
from tunewright.gguf.vocabulary import KEY, NAMED
from tunewright.gguf.writing import Item

_UNUSED = "[PAD{}]"


def words(
    tokenizer: Mapping[str, Any],
    special: Mapping[str, str],
    rows: int,
    *,
    adds_bos: bool,
    adds_eos: bool,
    end_of_turn: int | None,
) -> dict[str, Item]:
    """tokenizer: the contents of tokenizer.json. special: texts of tokens by transformers' names.
    rows: of the embedding; ids without a token are filled up.

    Raises BadRequest where it cuts texts in a way that GGUF has no name for: under a similar one
    some texts would become other tokens in silence.
    """
    model = tokenizer["model"]
    if model.get("type") != "BPE":
        raise refuse(f"its tokenizer is of the kind {model.get('type')}, and BPE is written")
    tokens, types = _tokens(tokenizer, rows)
    written = _spaced(tokens, types) if model.get("byte_fallback") else tokens
    found: dict[str, Item] = {
        **_ways(tokenizer, tokens),
        f"{KEY}tokens": written,
        f"{KEY}token_type": np.array(types, np.int32),
        f"{KEY}add_bos_token": adds_bos,
        f"{KEY}add_eos_token": adds_eos,
    }
    ids = {text: id for id, text in enumerate(tokens)}
    for ours, theirs in NAMED.items():
        if special.get(ours) in ids:
            found[KEY + theirs] = ids[special[ours]]
    if end_of_turn is not None and end_of_turn != found.get(f"{KEY}eos_token_id"):
        found[f"{KEY}eot_token_id"] = end_of_turn
    return found


def _tokens(tokenizer: Mapping[str, Any], rows: int) -> tuple[list[str], list[int]]:
    added = {each["id"]: each for each in tokenizer.get("added_tokens") or ()}
    texts = {id: text for text, id in tokenizer["model"]["vocab"].items()}
    texts |= {id: each["content"] for id, each in added.items()}
    unknown = tokenizer["model"].get("unk_token")
    tokens, types = [], []
    for id in range(max(rows, max(texts) + 1)):
        text = texts.get(id)
        tokens.append(_UNUSED.format(id) if text is None else text)
        types.append(_type(text, added.get(id), unknown))
    return tokens, types


def _spaced(tokens: list[str], types: list[int]) -> list[str]:
    """llama.cpp writes a space in user-defined pieces, where sentencepiece has a sign for it."""
    both = zip(tokens, types, strict=True)
    return [t.replace("▁", " ") if kind == TokenType.USER_DEFINED else t for t, kind in both]


def _type(text: str | None, added: Mapping[str, Any] | None, unknown: str | None) -> int:
    if text is None:
        return TokenType.UNUSED
    if unknown is not None and text == unknown:
        return TokenType.UNKNOWN
    if added is not None:
        return TokenType.CONTROL if added.get("special") else TokenType.USER_DEFINED
    is_byte = len(text) == 6 and text.startswith("<0x") and text.endswith(">")
    return TokenType.BYTE if is_byte else TokenType.NORMAL


def _ways(tokenizer: Mapping[str, Any], tokens: list[str]) -> dict[str, Item]:
    merges = [pair.split(" ") if isinstance(pair, str) else pair
              for pair in tokenizer["model"]["merges"]]  # fmt: skip
    if tokenizer["model"].get("byte_fallback"):
        return _pieces(tokenizer, tokens, merges)
    return {
        f"{KEY}model": "gpt2",
        f"{KEY}pre": _name(tokenizer),
        f"{KEY}merges": [" ".join(pair) for pair in merges],
    }


def _pieces(
    tokenizer: Mapping[str, Any], tokens: list[str], merges: list[list[str]]
) -> dict[str, Item]:
    """sentencepiece's: a score for each piece, by which pairs are joined, in place of an order."""
    ranks: dict[str, int] = {}
    for rank, pair in enumerate(merges):
        ranks.setdefault("".join(pair), rank)
    scores = [float(-ranks.get(text, len(merges) + id)) for id, text in enumerate(tokens)]
    prefixed = "Prepend" in str(tokenizer.get("normalizer")) or (
        "'prepend_scheme': 'first'" in str(tokenizer.get("pre_tokenizer"))
    )
    return {
        f"{KEY}model": "llama",
        f"{KEY}pre": "default",
        f"{KEY}scores": np.array(scores, np.float32),
        f"{KEY}add_space_prefix": prefixed,
    }


def _name(tokenizer: Mapping[str, Any]) -> str:
    """What GGUF calls the way in which texts are cut, by all that makes it up."""
    normalizer = tokenizer.get("normalizer")
    composed = normalizer is not None and normalizer.get("type") == "NFC"
    if normalizer is not None and not composed:
        raise refuse(f"its tokenizer changes texts first ({normalizer.get('type')})")
    steps = _plain(tokenizer.get("pre_tokenizer"))
    whole = bool(tokenizer["model"].get("ignore_merges"))
    for name, way in BY_NAME.items():
        if _same(way, steps, composed, whole):
            return name
    raise refuse("its tokenizer cuts texts in a way that GGUF has no name for (pre_tokenizer)")


def _same(way: PreTokenizer, steps: list[Any], composed: bool, whole: bool) -> bool:
    wanted = [_plain(step)[0] for step in way.steps]
    return (wanted, way.nfc, way.whole_words) == (steps, composed, whole)


def _plain(step: Mapping[str, Any] | None) -> list[Any]:
    """A pre-tokenizer's steps, without what changes nothing."""
    if step is None:
        return []
    if step["type"] == "Sequence":
        return [each for inner in step["pretokenizers"] for each in _plain(inner)]
    if step["type"] == "ByteLevel":
        return [("bytes", bool(step.get("add_prefix_space")), step.get("use_regex", True))]
    if step["type"] == "Split":
        way = (str(step["behavior"]).lower(), bool(step.get("invert")))
        return [("split", str(step["pattern"]), *way)]
    return [tuple(sorted(step.items()))]
