"""tokenizer.json and what goes with it, from the metadata of a file."""

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson
from tokenizers import Tokenizer

from tunewright.gguf.pieces import pieces, spaced
from tunewright.gguf.pretokenizers import BY_NAME, PreTokenizer
from tunewright.gguf.reading import Reader
from tunewright.gguf.vocabulary import KEY, Vocabulary, token_id, vocabulary

_PIECES: Final = PreTokenizer((), begins=True)
_TEMPLATE: Final = "tokenizer.chat_template"


@dataclass(frozen=True)
class Tokenization:
    """`tokenizer` is tokenizer.json; `settings` become tokenizer_config.json, `generation` the
    token ids of generation_config.json, `template` a file of its own."""

    tokenizer: bytes
    settings: dict[str, Any]
    generation: dict[str, Any]
    template: str | None


def tokenization(reader: Reader, rows: int, context: int) -> Tokenization:
    """`rows`: of the embedding; `context` in tokens. Raises BadRequest naming the key that is
    missing, does not go with others, or names a way to cut texts that is not known."""
    kind = reader.need(KEY + "model", str)
    if kind not in ("gpt2", "llama"):
        raise reader.refuse(
            f"its key {KEY}model is {kind[:40]!r}; gpt2 (byte pairs) and llama (sentencepiece) are "
            "read"
        )
    tokens = vocabulary(reader, rows)
    tokens, way = (spaced(tokens), _PIECES) if kind == "llama" else (tokens, _way(reader))
    made = pieces(reader, tokens) if kind == "llama" else _byte_pairs(reader, tokens, way)
    begins = reader.get(KEY + "add_bos_token", bool)
    begins = way.begins if begins is None else begins
    stripping = kind == "llama" and _is_phi3(reader)
    return Tokenization(
        tokenizer=_checked(reader, tokens, made | _rest(reader, tokens, begins, stripping)),
        settings=_settings(reader, tokens, begins, context),
        generation=_generation(reader, tokens),
        template=reader.get(_TEMPLATE, str) or None,
    )


def _rest(reader: Reader, tokens: Vocabulary, begins: bool, stripping: bool) -> dict[str, Any]:
    """What both kinds have in tokenizer.json."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": tokens.added(stripping=stripping),
        "post_processor": _frame(tokens, begins, bool(reader.get(KEY + "add_eos_token", bool))),
    }


def _way(reader: Reader) -> PreTokenizer:
    name = reader.get(KEY + "pre", str)
    if name in BY_NAME:
        return BY_NAME[name]
    what = "is missing" if name is None else f"is {name[:40]!r}"
    raise reader.refuse(
        f"its key {KEY}pre {what}, so how it cuts texts is not known here, and a similar way would "
        f"give other tokens for some texts without a word. These are known: {', '.join(BY_NAME)}. "
        "Add the directory of safetensors that the file was made of instead"
    )


def _is_phi3(reader: Reader) -> bool:
    """Its special tokens take the white space behind them. No key says so: llama.cpp goes by the
    name, too."""
    name = reader.metadata.get("general.name")
    return isinstance(name, str) and bool(re.search("phi-?3", name.lower()))


def _byte_pairs(reader: Reader, tokens: Vocabulary, way: PreTokenizer) -> dict[str, Any]:
    pairs = [merge.split(" ") for merge in reader.need(KEY + "merges", list)]
    if (wrong := next((n for n, pair in enumerate(pairs) if len(pair) != 2), None)) is not None:
        raise reader.refuse(f"item {wrong} of its key {KEY}merges is not two tokens and a space")
    return {
        "normalizer": {"type": "NFC"} if way.nfc else None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": list(way.steps)},
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": way.whole_words,
            "vocab": {text: id for id, text in enumerate(tokens.tokens)},
            "merges": pairs,
        },
    }


def _frame(tokens: Vocabulary, begins: bool, ends: bool) -> dict[str, Any] | None:
    """Puts the first special token before a text and the last one behind it, as far as asked."""
    around = [("bos_token", begins), ("eos_token", ends)]
    ids = {name: tokens.named[name] for name, wanted in around if wanted and name in tokens.named}
    if not ids:
        return None
    first, last = (
        [{"SpecialToken": {"id": tokens.tokens[ids[name]], "type_id": 0}}] if name in ids else []
        for name, _ in around
    )
    texts = {tokens.tokens[id]: id for id in ids.values()}
    return {
        "type": "TemplateProcessing",
        "single": [*first, {"Sequence": {"id": "A", "type_id": 0}}, *last],
        "pair": [
            *first,
            {"Sequence": {"id": "A", "type_id": 0}},
            *last,
            *first,
            {"Sequence": {"id": "B", "type_id": 1}},
            *last,
        ],
        "special_tokens": {
            text: {"id": text, "ids": [id], "tokens": [text]} for text, id in texts.items()
        },
    }


def _checked(reader: Reader, tokens: Vocabulary, made: dict[str, Any]) -> bytes:
    """As a file, after it was opened once. Raises BadRequest where it cannot be, or where a token
    would get another id."""
    file = orjson.dumps(made)
    try:
        opened = Tokenizer.from_buffer(file)
    except Exception as error:  # tokenizers raises bare Exception
        raise reader.refuse(
            f"its vocabulary does not hold together ({str(error)[:200]})"
        ) from error
    for id, text in enumerate(tokens.tokens):
        if opened.token_to_id(text) != id:
            raise reader.refuse(f"its token {id} ({KEY}tokens), {text[:40]!r}, cannot be kept")
    return file


def _settings(reader: Reader, tokens: Vocabulary, begins: bool, context: int) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "add_bos_token": begins,
        "add_eos_token": bool(reader.get(KEY + "add_eos_token", bool)),
        **{name: tokens.tokens[id] for name, id in tokens.named.items()},
    }


def _generation(reader: Reader, tokens: Vocabulary) -> dict[str, Any]:
    turn = token_id(reader, "eot_token_id", len(tokens.tokens))
    ends = tokens.ends(tokens.named.get("eos_token"), turn)
    ids = {name: tokens.named.get(f"{name}_token") for name in ("bos", "pad")}
    found = {f"{name}_token_id": id for name, id in ids.items() if id is not None}
    return found | ({"eos_token_id": ends[0] if len(ends) == 1 else ends} if ends else {})
