"""What an adapter learns from, in one function of ours, beside torch's own gradients."""

import pytest
import torch
from torch import nn

from tunewright.weights import lora
from tunewright.weights.lora import LoraLinear, Selection


def gradients(layer: LoraLinear, given: torch.Tensor, autocast: bool) -> list[torch.Tensor]:
    """What comes out, and the gradients of x, A and B."""
    x = given.clone().requires_grad_()
    learnt = [x, layer.a["0"], layer.b["0"]]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        out = layer(x)
        loss = (out.float() * torch.linspace(-1, 1, out.shape[-1])).square().sum()
    return [out.detach(), *torch.autograd.grad(loss, learnt)]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("autocast", [False, True])
def test_an_adapter_learns_what_torch_says(
    monkeypatch: pytest.MonkeyPatch, bias: bool, autocast: bool
) -> None:
    torch.manual_seed(0)
    base = nn.Linear(24, 40, bias=bias).requires_grad_(False)
    layer = LoraLinear(base.to(torch.bfloat16) if autocast else base, Selection(slot=0))
    layer.put(0, torch.randn(4, 24), torch.randn(40, 4), 0.5, trainable=True)
    given = torch.randn(2, 7, 24)
    own = gradients(layer, given, autocast)
    asked: list[bool] = []
    monkeypatch.setattr(LoraLinear, "_learns_on_cpu", lambda *_: asked.append(True))
    plain = gradients(layer, given, autocast)
    assert asked
    for found, expected in zip(own, plain, strict=True):
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
        wrong = (found.float() - expected.float()).abs().max()
        assert wrong <= (2e-2 if autocast else 1e-5) * expected.abs().max()


def test_it_is_used_where_an_adapter_learns_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[bool] = []
    apply = lora._Adapted.apply
    monkeypatch.setattr(
        lora._Adapted, "apply", lambda *given: (used.append(True), apply(*given))[1]
    )
    layer = LoraLinear(nn.Linear(8, 8).requires_grad_(False), Selection(slot=0))
    layer.put(0, torch.randn(2, 8), torch.randn(8, 2), 1.0, trainable=True)
    x = torch.randn(1, 3, 8)
    layer(x)
    assert used
    used.clear()
    with torch.no_grad():
        layer(x)
    layer.selection.slot = None
    layer(x)
    assert not used
