"""Tokenizers from GGUF files give the tokens of those that the files were made of: transformers'
classes, the models' own tokenizer.json, and sentencepiece."""

import io
import json
from pathlib import Path
from typing import Any

import gguf
import pytest
import sentencepiece
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
from transformers import GPT2Tokenizer, Qwen2Tokenizer
from transformers.convert_slow_tokenizer import TikTokenConverter

from tunewright.errors import BadRequest
from tunewright.gguf.pretokenizers import BY_NAME
from tunewright.gguf.reading import Reader
from tunewright.gguf.tokenizer import Tokenization, tokenization

WORDS = (
    "The year 2024 had 366 days, 1,234.56 of them cold!  I'm sure we'LL see: don't\n\n\n\tyou?",
    "def f(x):\n    return x**2 != 10_000  # naïve café, cafe\u0301 Ångström A\u030a\r\n\r\n  'tis",
    "東京は2024年に日本の首都です。カタカナと한국어 и русский текст, العربية ١٢٣ हिन्दी १२३",
    "HTTPServer camelCaseXML iPhone15Pro $99.99 <a href='/x/y/'>link</a> 🙂👍🏽 ½ Ⅳ x²",
    "   leading and trailing   \n \n\tmixed \u00a0 spaces\u3000 'S 'ſ O'Re'Ve ...//\n/// --\n\n-",
    "Wörter mit Umlauten: Straße, GRÜSSE, ǅ ƻ ʔ ᎠᏣ İi; ¿qué? «où» “quoted” ‘x’ 、。「」",
    "0 00 000 0000 00000 1a2b3c 12:34:56 2024-11-26T17:30 +49 (0)30 12345-678 ５６７",
)
TEXTS = [
    *WORDS,
    *(a[i : i + 40] + b[-i:] for a in WORDS for b in WORDS for i in (3, 17, 29)),
    " ",
    "\n",
]
CL100K = TikTokenConverter().pattern
# As they stand in the models' own tokenizer.json.
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
V3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@pytest.fixture(scope="module")
def pairs() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A vocabulary whose merges know no bounds, so that the tokens of a text show where it was
    cut."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=12,
    )
    learner.train_from_iterator([a[i:] + b for a in WORDS for b in WORDS for i in (0, 5)], trainer)
    vocabulary = learner.get_vocab()
    merges = json.loads(learner.to_str())["model"]["merges"]
    return vocabulary, [tuple(pair) for pair in merges]


def _bytes(regex: bool = False) -> Any:
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)


def _splits(*patterns: str) -> list[Any]:
    return [pre_tokenizers.Split(Regex(each), "isolated") for each in patterns]


def _digits() -> Any:
    return pre_tokenizers.Digits(individual_digits=True)


CJK = "[一-龥ࠀ-一가-퟿]+"
ORIGINALS: dict[str, list[Any]] = {
    "smollm": [_digits(), _bytes(True)],
    "refact": [_digits(), _bytes(True)],
    "starcoder": [_digits(), _bytes(True)],
    "llama-bpe": [*_splits(CL100K), _bytes()],
    "dbrx": [*_splits(CL100K), _bytes()],
    "gpt-4o": [*_splits(O200K), _bytes()],
    "tekken": [*_splits(TEKKEN), _bytes()],
    "deepseek-coder": [
        *_splits(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK), _digits(), _bytes(),
    ],
    "deepseek-v3": [*_splits(r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", V3), _bytes()],
}  # fmt: skip


def _original(way: str, vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    whole = way in ("llama-bpe", "tekken")
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=whole))
    made.pre_tokenizer = pre_tokenizers.Sequence(ORIGINALS[way])
    return made


def _opened(path: Path, called: str = "x", **keys: Any) -> tuple[Tokenizer, Tokenization]:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(called)
    for key, value in keys.items():
        name = "tokenizer.chat_template" if key == "chat_template" else f"tokenizer.ggml.{key}"
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        elif value is not None:
            writer.add_array(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    with Reader(path) as reader:
        made = tokenization(reader, 4096, 512)
    return Tokenizer.from_buffer(made.tokenizer), made


def _byte_pairs(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> dict[str, Any]:
    special = ["<|begin|>", "<|im_end|>", "<think>"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    return {
        "model": "gpt2",
        "tokens": [*tokens, *special, "[PAD]"],
        "token_type": [1] * len(tokens) + [3, 3, 4, 5],
        "merges": [" ".join(pair) for pair in merges],
        "bos_token_id": len(tokens),
        "eos_token_id": len(tokens) + 1,
    }


@pytest.mark.parametrize("way", ORIGINALS)
def test_every_way_to_cut_gives_the_tokens_of_the_original(
    tmp_path: Path, pairs: tuple[dict[str, int], list[tuple[str, str]]], way: str
) -> None:
    original = _original(way, *pairs)
    ours, _ = _opened(tmp_path / "x.gguf", **_byte_pairs(*pairs), pre=way)
    for text in TEXTS:
        ids = ours.encode(text, add_special_tokens=False).ids
        assert ids == original.encode(text).ids, text
        assert ours.decode(ids) == text


@pytest.mark.parametrize(("way", "kind"), [("qwen2", Qwen2Tokenizer), ("gpt-2", GPT2Tokenizer)])
def test_tokens_are_those_of_transformers_own_classes(
    tmp_path: Path, pairs: tuple[dict[str, int], list[tuple[str, str]]], way: str, kind: Any
) -> None:
    vocabulary, merges = pairs
    original = kind(vocab=vocabulary, merges=merges)
    ours, _ = _opened(tmp_path / "x.gguf", **_byte_pairs(*pairs), pre=way)
    for text in TEXTS:
        wanted = original(text, add_special_tokens=False).input_ids
        assert ours.encode(text, add_special_tokens=False).ids == wanted, text


def test_the_ways_differ(
    tmp_path: Path, pairs: tuple[dict[str, int], list[tuple[str, str]]]
) -> None:
    """So that the tests above see whether the right one was taken."""
    seen: dict[str, str] = {}
    for way in BY_NAME:
        ours, _ = _opened(tmp_path / "x.gguf", **_byte_pairs(*pairs), pre=way)
        seen[way] = str([ours.encode(text, add_special_tokens=False).ids for text in TEXTS])
    assert len(set(seen.values())) == 8  # llama-bpe and dbrx cut alike
    assert seen["smollm"] != seen["gpt-2"] != seen["qwen2"] != seen["dbrx"] != seen["gpt-4o"]


def test_digits_of_smollm_are_cut_one_by_one(
    tmp_path: Path, pairs: tuple[dict[str, int], list[tuple[str, str]]]
) -> None:
    ours, _ = _opened(tmp_path / "x.gguf", **_byte_pairs(*pairs), pre="smollm")
    assert ours.encode("in 2024", add_special_tokens=False).tokens[-4:] == ["2", "0", "2", "4"]


def test_special_tokens_keep_ids_and_roles(
    tmp_path: Path, pairs: tuple[dict[str, int], list[tuple[str, str]]]
) -> None:
    keys = _byte_pairs(*pairs)
    ours, made = _opened(
        tmp_path / "x.gguf", **keys, pre="llama-bpe", chat_template="{{ messages }}", eot_token_id=7
    )
    first = len(pairs[0])
    text = "<|begin|>a<think>b<|im_end|>"
    assert [i for i in ours.encode(text, add_special_tokens=False).ids if i >= first] == [
        first, first + 2, first + 1,
    ]  # fmt: skip
    assert ours.encode("a").ids[0] == first  # this kind begins so where the file does not say
    assert ours.decode(ours.encode(text, add_special_tokens=False).ids) == "a<think>b"
    assert ours.get_vocab_size() == first + 3  # not what only fills up the embedding
    assert made.settings["bos_token"] == "<|begin|>"
    assert made.settings["add_bos_token"] is True
    assert made.generation == {"bos_token_id": first, "eos_token_id": [first + 1, 7]}
    assert made.template == "{{ messages }}"
    plain, made = _opened(tmp_path / "y.gguf", **keys, pre="llama-bpe", add_bos_token=False)
    assert plain.encode("a").ids[0] < first
    assert made.settings["add_bos_token"] is False
    assert made.template is None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ({"pre": "smollm-3"}, "tokenizer.ggml.pre is 'smollm-3'.*qwen2"),
        ({"pre": None}, "tokenizer.ggml.pre is missing"),
        ({"pre": "deepseek-llm"}, "tokenizer.ggml.pre is 'deepseek-llm'"),
        ({"pre": "default"}, "tokenizer.ggml.pre is 'default'"),
        ({"model": "bert"}, "tokenizer.ggml.model is 'bert'"),
        ({"model": None}, "tokenizer.ggml.model is missing"),
        ({"tokens": None}, "tokenizer.ggml.tokens is missing"),
        ({"tokens": ["a"] * 5000}, "5,000 tokens.*4,096 rows"),
        ({"token_type": [1, 2]}, "token_type has 2 items"),
        ({"merges": ["a b c"]}, "item 0 of its key tokenizer.ggml.merges"),
        ({"merges": ["zz qq"]}, "vocabulary does not hold together.*zz"),
        ({"merges": None}, "tokenizer.ggml.merges is missing"),
        ({"eos_token_id": 5000}, "tokenizer.ggml.eos_token_id is 5000"),
        ({"model": "llama"}, "tokenizer.ggml.scores is missing"),
    ],
)
def test_what_does_not_fit_is_refused_by_key(
    tmp_path: Path,
    pairs: tuple[dict[str, int], list[tuple[str, str]]],
    spoil: dict[str, Any],
    reason: str,
) -> None:
    with pytest.raises(BadRequest, match=reason):
        _opened(tmp_path / "x.gguf", **{**_byte_pairs(*pairs), "pre": "smollm", **spoil})


def test_a_token_twice_is_refused(
    tmp_path: Path, pairs: tuple[dict[str, int], list[tuple[str, str]]]
) -> None:
    keys = _byte_pairs(*pairs)
    keys["tokens"][-1] = keys["tokens"][0]
    keys["token_type"][-1] = 1
    with pytest.raises(BadRequest, match=f"its tokens 0 and {len(keys['tokens']) - 1} "):
        _opened(tmp_path / "x.gguf", **keys, pre="smollm")


@pytest.mark.parametrize("prefixed", [True, False])
def test_sentencepiece_vocabularies_give_its_tokens(tmp_path: Path, prefixed: bool) -> None:
    """As llama.cpp writes them: pieces, scores and types; a space in user-defined pieces."""
    learnt = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for text in WORDS for line in text.split("\n") if line] * 3),
        model_writer=learnt,
        model_type="bpe",
        vocab_size=700,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=prefixed,
        user_defined_symbols=["<mark>", "▁▁", "▁▁▁", "▁▁▁▁"],
        minloglevel=2,
    )
    original = sentencepiece.SentencePieceProcessor(model_proto=learnt.getvalue())
    ids = range(original.vocab_size())
    ours, made = _opened(
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
    # Behind a piece that is found first, transformers and llama.cpp begin anew; sentencepiece not.
    mark = "" if prefixed else "<mark>"
    spaces = [f"a{' ' * count}b{mark}  c" for count in range(9)]
    for text in (*TEXTS, *spaces):
        wanted = original.encode(text)
        assert ours.encode(text, add_special_tokens=False).ids == wanted, text
        assert ours.decode(wanted, skip_special_tokens=False) == original.decode(wanted)
    assert ours.encode("a").ids[0] == 1
    assert made.settings["unk_token"] == "<unk>"


def test_special_tokens_of_phi3_take_the_space_behind_them(tmp_path: Path) -> None:
    """As transformers and llama.cpp have it; no key of the file says so, but its name."""
    tokens = ["<unk>", "<s>", "<|user|>", "▁", "a", "\n", "▁a"]
    keys = {
        "model": "llama",
        "tokens": tokens,
        "scores": [0.0] * 6 + [-1.0],
        "token_type": [2, 3, 3, 1, 1, 1, 1],
        "bos_token_id": 1,
    }
    phi3, _ = _opened(tmp_path / "x.gguf", called="Phi-3 Mini", **keys)
    other, _ = _opened(tmp_path / "y.gguf", called="Llama", **keys)
    text = "<|user|>\na"
    assert phi3.encode(text, add_special_tokens=False).ids == [2, 6]
    assert other.encode(text, add_special_tokens=False).ids == [2, 3, 5, 4]


def _piece(original: Any, id: int) -> str:
    """llama.cpp writes user-defined ones with spaces."""
    text = original.id_to_piece(id)
    return text.replace("▁", " ") if _type(original, id) == 4 else text


def _type(original: Any, id: int) -> int:
    if original.is_unknown(id):
        return 2
    if original.is_control(id):
        return 3
    if original.is_byte(id):
        return 6
    return 4 if original.id_to_piece(id) in ("<mark>", "▁▁", "▁▁▁", "▁▁▁▁") else 1
