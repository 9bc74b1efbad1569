"""Fused norms, on the CPU: the arithmetic is the same there, only not faster."""

from pathlib import Path

import pytest
import torch
from transformers import Gemma3TextConfig
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm

from tunewright.weights import norms
from tunewright.weights.base import load_base

IDS = torch.arange(24).reshape(3, 8) * 7 % 300


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fused_norm_computes_the_same(base: Path, dtype: torch.dtype) -> None:
    model, fused = (load_base(base, dtype=dtype) for _ in range(2))
    for each in (model, fused):  # a fresh norm's weights are all 1, which would hide a lost one
        for name, weight in each.named_parameters():
            if "norm" in name:
                weight.data = torch.linspace(0.5, 1.5, len(weight)).to(dtype)
    count = norms.fuse(fused)
    expected = sum("RMSNorm" in type(module).__name__ for module in model.modules())
    assert count == expected
    right, found = (each(input_ids=IDS, use_cache=False).logits for each in (model, fused))
    gradients = [
        torch.autograd.grad(logits.float().square().sum(), each.get_input_embeddings().weight)[0]
        for each, logits in ((model, right), (fused, found))
    ]
    most = 1e-5 if dtype == torch.float32 else 2e-2
    for a, b in ((right, found), gradients):
        assert (a - b).abs().max() <= most * a.abs().max()


def test_weights_that_change_afterwards_are_used(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    if not norms.fuse(model):
        pytest.skip("this shape has no such norm")
    before = model(input_ids=IDS, use_cache=False).logits
    name = next(name for name, _ in model.named_parameters() if name.endswith("norm.weight"))
    model.get_parameter(name).data *= 0
    assert not torch.allclose(model(input_ids=IDS, use_cache=False).logits, before)


def test_another_formula_stays_as_it_is() -> None:
    config = Gemma3TextConfig(hidden_size=16)
    norm = torch.nn.Sequential(Gemma3RMSNorm(config.hidden_size))  # with 1 + weight
    assert norms.fuse(norm) == 0
