"""Whole files: the base that comes out computes what the model did that the file was made of."""

import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf_files import written
from gguf_models import CONFIGS, VOCABULARY, model_of, write
from safetensors import safe_open

from tunewright import durable
from tunewright.errors import BadRequest, StorageFull
from tunewright.fetching import Listener
from tunewright.gguf.convert import convert
from tunewright.gguf.reading import Reader
from tunewright.resources.bases import check_directory
from tunewright.resources.gguf_bases import opened
from tunewright.weights.base import load_base


def _converted(file: Path, directory: Path) -> Path:
    directory.mkdir()
    convert(file, directory)
    return directory


@pytest.mark.parametrize("name", CONFIGS)
def test_the_base_computes_what_the_model_did(tmp_path: Path, name: str) -> None:
    model = model_of(name)
    base = _converted(write(tmp_path / "model.gguf", name, model), tmp_path / "base")
    loaded = load_base(base, dtype=torch.float32)
    for one, other in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, other)
    ids = torch.randint(0, VOCABULARY, (2, 90), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted, found = model(ids).logits, loaded(ids).logits
    assert wanted.std() > 0.05
    assert torch.allclose(wanted, found, atol=1e-4, rtol=1e-4)


def test_numbers_lose_nothing(tmp_path: Path) -> None:
    """float32 that was bfloat16 is written so, other float32 and float16 stay, and what was
    quantised is rounded as torch rounds."""
    model = model_of("llama")
    dtypes = {"F32": "BF16", "F16": "F16", "BF16": "BF16", "Q8_0": "BF16"}
    for kind, dtype in dtypes.items():
        file = write(tmp_path / f"{kind}.gguf", "llama", model, kind)
        base = _converted(file, tmp_path / kind)
        with safe_open(base / "model.safetensors", framework="np") as tensors:
            assert tensors.get_slice("model.layers.0.mlp.up_proj.weight").get_dtype() == dtype
            assert tensors.get_slice("model.norm.weight").get_dtype() == "BF16"
    with torch.no_grad():
        model.model.embed_tokens.weight += 1e-6
    base = _converted(write(tmp_path / "fine.gguf", "llama", model), tmp_path / "fine")
    loaded = load_base(base, dtype=torch.float32)
    assert torch.equal(loaded.model.embed_tokens.weight, model.model.embed_tokens.weight)


def _none(directory: Path) -> None:
    assert not directory.exists() or not list(directory.iterdir())


def _nan(model: Any) -> dict[str, Any]:
    tensor = model.model.layers[1].mlp.up_proj.weight.detach().numpy().copy()
    tensor[3, 5] = np.nan
    return {"blk.1.ffn_up.weight": tensor}


SPOILT: dict[str, tuple[str, Any, str]] = {
    "another architecture": ("llama", {"general.architecture": "mamba"}, "architecture is mamba"),
    "an adapter": ("llama", {"general.type": "adapter"}, "no language model, but .* adapter"),
    "a part": ("llama", {"split.count": 3}, "one of 3 parts.*llama-gguf-split --merge"),
    "experts": ("llama", {"llama.expert_count": 8}, "mixture of experts"),
    "an embedder": ("qwen3", {"qwen3.pooling_type": 3}, "embedding model.*qwen3.pooling_type"),
    "no positions": ("granite", {"granite.rope.scaling.finetuned": False}, "knows no positions"),
    "other layers": ("llama", {"llama.attention.head_count_kv": [2, 1]}, "head_count_kv differs"),
    "no layers": ("llama", {"llama.block_count": None}, "llama.block_count is missing"),
    "a layer too many": ("llama", {"llama.block_count": 3}, r"tensor blk\.2\.attn_q\.weight"),
    "millions of layers": ("llama", {"llama.block_count": 2**30}, r"tensor blk\.2\.attn_q"),
    "a layer too few": ("llama", {"llama.block_count": 1}, r"tensor blk\.1\..* has no place"),
    "no head": ("llama", {"llama.attention.head_count": 0}, "attention.head_count is 0"),
    "heads that do not fit": ("llama", {"llama.attention.head_count_kv": 3}, "cannot share 3"),
    "other heads": ("llama", {"llama.attention.head_count": 8}, r"attn_k\.weight has the shape"),
    "half a turn": ("llama", {"llama.rope.dimension_count": 8}, "rope.dimension_count is 8"),
    "a window": ("llama", {"llama.attention.sliding_window": 16}, "sees 16 tokens only"),
    "another scale": ("llama", {"llama.rope.scaling.type": "alibi",
                                "llama.rope.scaling.factor": 2.0}, "scaling.type is alibi"),
    "another way of Phi-3's": ("phi3", {"phi3.rope.scale_linear": 2.0}, "one way only"),
    "an endless scale": ("llama", {"llama.rope.scale_linear": float("inf")}, "factor inf"),
    "no eps": ("llama", {"llama.attention.layer_norm_rms_epsilon": float("nan")}, "epsilon is nan"),
    "a text for a number": ("llama", {"llama.context_length": "long"}, "context_length is not a w"),
    "no embedding": ("llama", {"token_embd.weight": None}, r"tensor token_embd\.weight is missing"),
    "no norm": ("llama", {"blk.1.ffn_norm.weight": None}, r"tensor blk\.1\.ffn_norm\.weight"),
    "another shape": ("llama", {"blk.0.ffn_down.weight": np.zeros((64, 32), np.float32)},
                      r"tensor blk\.0\.ffn_down\.weight has the shape \[64, 32\].*\[64, 96\]"),
    "a stranger": ("llama", {"blk.0.attn_sinks.weight": np.zeros(4, np.float32)},
                   r"tensor blk\.0\.attn_sinks\.weight has no place"),
    "a bias alone": ("llama", {"blk.0.attn_q.bias": np.zeros(64, np.float32)},
                     r"attn_k\.bias is missing, while it has blk\.0\.attn_q\.bias"),
    "no bias": ("qwen2", {"blk.1.attn_v.bias": None}, r"tensor blk\.1\.attn_v\.bias is missing"),
    "not a number": ("llama", _nan, r"tensor blk\.1\.ffn_up\.weight holds NaN"),
    "strange factors": ("llama, another scale",
                        {"rope_freqs.weight": np.linspace(1, 9, 32, dtype=np.float32)},
                        r"rope_freqs\.weight scales in no way"),
    "few factors": ("phi3, long", {"rope_factors_short.weight": np.ones(3, np.float32)},
                    r"rope_factors_short\.weight is of the shape \[3\]"),
    "other windows": ("gemma3", {"gemma3.attention.sliding_window_pattern": [True, False]},
                      "sliding_window_pattern is not 6"),
    "no window": ("gemma3", {"gemma3.attention.sliding_window": None}, "sliding_window is missing"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_wrong_is_refused_by_name_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    name, spoil, reason = SPOILT[kind]
    model = model_of(name)
    more = spoil(model) if callable(spoil) else spoil
    file = write(tmp_path / "spoilt.gguf", name, model, **more)
    with (
        pytest.raises(BadRequest, match=rf"spoilt\.gguf cannot be used: .*{reason}"),
        opened(file, tmp_path / "near" / "base", Listener()),
    ):
        pass
    _none(tmp_path / "near")


def test_a_damaged_header_is_refused_or_makes_a_base_but_nothing_else(tmp_path: Path) -> None:
    """Bits turned anywhere before the weights, vocabulary and all."""
    whole = write(tmp_path / "whole.gguf", "llama", model_of("llama")).read_bytes()
    header = whole.index(b"output.weight") + 60
    damaged, chance, refused = tmp_path / "damaged.gguf", random.Random(5), 0
    made = 0
    for _ in range(250):
        content = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(24, header)] ^= 1 << chance.randrange(8)
        damaged.write_bytes(content)
        try:
            with opened(damaged, tmp_path / "near" / "base", Listener()) as found:
                check_directory(found.directory)
        except BadRequest as error:
            refused += "damaged.gguf" in error.message
        else:
            made += 1
        _none(tmp_path / "near")
    assert refused + made == 250
    assert min(refused, made) > 5


def test_a_file_is_found_in_its_directory(tmp_path: Path) -> None:
    model, near = model_of("llama"), tmp_path / "near" / "base"
    folder = tmp_path / "folder"
    folder.mkdir()
    file = write(folder / "one.GGUF", "llama", model, **{"general.license": "mit"})
    heard: list[tuple[int, int]] = []
    with opened(folder, near, Listener(progress=lambda *moved: heard.append(moved))) as found:
        check_directory(found.directory)
        made = found.directory
        assert found.about["sha256"] == durable.sha256(file)
        assert found.about["tensors"] == {"F32": 21}
        assert found.about["license"] == "mit"
        whole = sum(stored.bytes for stored in Reader(file).tensors.values())
        assert heard[-1] == (whole, whole)
    assert not made.exists()
    blob = tmp_path / "sha256-0123"  # as Ollama calls them
    blob.hardlink_to(file)
    with opened(blob, near, Listener()) as found:
        assert found.about["file"] == "sha256-0123"
    with (
        pytest.raises(BadRequest, match=r"config\.json is neither a directory"),
        opened(written(tmp_path / "config.json", b"{}"), near, Listener()),
    ):
        pass
    write(folder / "two.gguf", "llama", model)
    with (
        pytest.raises(BadRequest, match=r"several models \(one.GGUF, two.gguf\)"),
        opened(folder, near, Listener()),
    ):
        pass
    file.rename(folder / "big-00001-of-00002.gguf")
    (folder / "two.gguf").rename(folder / "big-00002-of-00002.gguf")
    with (
        pytest.raises(BadRequest, match=r"2 parts.*--merge big-00001-of-00002\.gguf"),
        opened(folder, near, Listener()),
    ):
        pass
    with (
        pytest.raises(BadRequest, match=rf"^{re.escape(str(folder))}/big.*gguf/x is damaged"),
        opened(folder / "big-00001-of-00002.gguf", near, Listener()) as found,
    ):  # whoever looks at the copy complains of the copy
        raise BadRequest(f"{found.directory}/x is damaged.")


def test_the_same_file_makes_the_same_base(tmp_path: Path) -> None:
    file = write(tmp_path / "model.gguf", "llama", model_of("llama"))
    one, other = (_converted(file, tmp_path / name) for name in ("one", "other"))
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes()


def test_a_disk_without_room_is_said_before_anything_is_written(tmp_path: Path) -> None:
    def room(size: int) -> None:
        raise StorageFull(f"{size} bytes are too many")

    file = write(tmp_path / "model.gguf", "llama", model_of("llama"))
    (tmp_path / "base").mkdir()
    with pytest.raises(StorageFull, match="bytes are too many"):
        convert(file, tmp_path / "base", room=room)
    _none(tmp_path / "base")
