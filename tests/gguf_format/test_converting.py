"""Whole files: the base that comes out computes what the model did that the file was made of."""

from pathlib import Path

import pytest
import torch
from gguf_models import CONFIGS, VOCABULARY, model_of, write
from safetensors import safe_open

from tunewright.gguf.convert import convert
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
