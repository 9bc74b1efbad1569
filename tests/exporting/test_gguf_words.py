"""Tokenizers out and in again: the same tokens of many texts, or a refusal."""

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
import sentencepiece
from tokenizers import Tokenizer

from gguf_format.test_gguf_tokenizer import (
    ORIGINALS,
    TEXTS,
    WORDS,
    _byte_pairs,
    _opened,
    _piece,
    _type,
    pairs,  # noqa: F401
)
from tunewright.gguf.reading import Reader
from tunewright.gguf.tokenizer import tokenization
from tunewright.gguf.words import words
from tunewright.gguf.writing import write


def again(path: Path, made: Any, rows: int) -> Tokenizer:
    keys = words(
        orjson.loads(made.tokenizer),
        {key: text for key, text in made.settings.items() if key.endswith("_token")},
        rows,
        adds_bos=made.settings["add_bos_token"],
        adds_eos=False,
        end_of_turn=None,
    )
    write(path, {"general.architecture": "llama", "general.name": "x", **keys}, [])
    with Reader(path) as reader:
        return Tokenizer.from_buffer(tokenization(reader, rows, 512).tokenizer)


@pytest.mark.parametrize("way", ORIGINALS)
def test_byte_pairs_are_cut_in_the_same_way(
    tmp_path: Path,
    way: str,
    pairs: Any,  # noqa: F811
) -> None:
    first, made = _opened(tmp_path / "x.gguf", **_byte_pairs(*pairs), pre=way)
    second = again(tmp_path / "y.gguf", made, 4096)
    for text in (*TEXTS, "<|begin|>a<think>b<|im_end|>"):
        assert second.encode(text).ids == first.encode(text).ids, text


@pytest.mark.parametrize("prefixed", [True, False])
def test_pieces_are_joined_in_the_same_order(tmp_path: Path, prefixed: bool) -> None:
    learnt = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in WORDS for line in text.split("\n") if line] * 3),
        model_writer=learnt, model_type="bpe", vocab_size=700, byte_fallback=True,
        character_coverage=0.98, normalization_rule_name="identity",
        remove_extra_whitespaces=False, add_dummy_prefix=prefixed,
        user_defined_symbols=["<mark>", "▁▁", "▁▁▁", "▁▁▁▁"], minloglevel=2,
    )  # fmt: skip
    original = sentencepiece.SentencePieceProcessor(model_proto=learnt.getvalue())
    ids = range(original.vocab_size())
    first, made = _opened(
        tmp_path / "x.gguf",
        model="llama",
        pre="default",
        tokens=[_piece(original, id) for id in ids],
        scores=[float(original.get_score(id)) for id in ids],
        token_type=[_type(original, id) for id in ids],
        bos_token_id=1,
        eos_token_id=2,
        unknown_token_id=0,
        **({} if prefixed else {"add_space_prefix": False}),
    )
    second = again(tmp_path / "y.gguf", made, 720)
    for text in (*TEXTS, *(f"a{' ' * count}b<mark>  c" for count in range(9))):
        assert second.encode(text).ids == first.encode(text).ids, text
