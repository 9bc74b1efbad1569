"""Packed layers compute the same, take adapters, and none is packed that does not."""

from pathlib import Path

import pytest
import torch
from test_lora_layers import logits
from torch import nn

from tunewright.weights import packing
from tunewright.weights.base import load_base
from tunewright.weights.lora import adapter_of, add, attach, select
from tunewright.weights.packing import Packed, pack


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiny layers are not faster."""
    monkeypatch.setattr(packing, "_faster", lambda _: True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_packed_model_computes_the_same(base: Path, dtype: torch.dtype, always: None) -> None:
    plain, ours = load_base(base, dtype=dtype), load_base(base, dtype=dtype)
    for layer in attach(plain, 4, 8, seed=1):
        nn.init.normal_(layer.b["0"], std=0.2)
    adapter = adapter_of(plain, 0)
    select(plain, None)
    atol, rtol = (1e-5, 1e-4) if dtype == torch.float32 else (0.05, 0.05)
    linear = [m for m in ours.modules() if isinstance(m, nn.Linear)]
    assert pack(ours) == len(linear)
    assert all(type(m) is Packed for m in ours.modules() if isinstance(m, nn.Linear))
    torch.testing.assert_close(logits(ours), logits(plain), atol=atol, rtol=rtol)
    add(ours, 0, adapter, dtype=dtype)
    for model in (plain, ours):
        select(model, 0)
    torch.testing.assert_close(logits(ours), logits(plain), atol=atol, rtol=rtol)


def test_a_layer_that_would_compute_another_is_left(
    base: Path, always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, forward = load_base(base, dtype=torch.float32), Packed.forward
    monkeypatch.setattr(Packed, "forward", lambda self, x: forward(self, x) * 1.05)
    assert pack(model) == 0
    assert not any(isinstance(m, Packed) for m in model.modules())


def test_packed_weights_are_there_once(base: Path, always: None) -> None:
    model = load_base(base, dtype=torch.float32)
    pack(model)
    for layer in (m for m in model.modules() if isinstance(m, Packed)):
        assert layer.weight.shape == (layer.out_features, layer.in_features)
        assert layer.weight.untyped_storage().nbytes() == 4
