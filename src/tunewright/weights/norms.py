"""Root mean square norms by torch's own kernel, on a GPU.

transformers writes such a norm as seven operations. A small model's step on a GPU is bound by how
many are launched: of the 1,700 of a token of Qwen3-0.6B's shape nearly half were those of norms
(one H200, which worked 4 of a step's 31 ms).
"""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

Forward: TypeAlias = Callable[[Tensor], Tensor]
_TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2e-2}


def fuse(model: nn.Module) -> int:
    """Let each norm of `model` that computes x / rms(x) * weight do so in one operation; how many.

    What a norm computes is tried, forwards and backwards, on numbers of its own device and dtype:
    another formula (Gemma's, with 1 + weight) stays as it is. float32 inside, as before; in
    bfloat16 the product with the weight is rounded once where it was rounded twice.
    """
    known: dict[tuple[object, ...], bool] = {}
    count = 0
    for module in [m for m in model.modules() if type(m).__name__.endswith("RMSNorm")]:
        eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() != 1 or not isinstance(eps, float):
            continue
        fused, kind = _fused(module, eps), (type(module), weight.dtype, len(weight), eps)
        if kind not in known:
            known[kind] = _agree(module.forward, fused, weight)
        if known[kind]:
            module.forward = fused
            count += 1
    return count


def _fused(module: nn.Module, eps: float) -> Forward:
    plain = module.forward

    def forward(hidden: Tensor) -> Tensor:
        """[..., size] -> [..., size]"""
        weight = module.weight
        assert isinstance(weight, Tensor)
        if hidden.dtype != weight.dtype:
            return plain(hidden)
        return functional.rms_norm(hidden, weight.shape, weight, eps).to(hidden.dtype)

    return forward


def _agree(plain: Forward, fused: Forward, weight: Tensor) -> bool:
    most = _TOLERANCE.get(weight.dtype)
    if most is None:
        return False
    given = torch.randn(3, len(weight), generator=torch.Generator().manual_seed(0)).to(weight)
    try:
        pairs = zip(_both(plain, given), _both(fused, given), strict=True)
    except (RuntimeError, TypeError):
        return False
    return all(bool((a - b).abs().max() <= most * a.abs().max()) for a, b in pairs)


def _both(forward: Forward, given: Tensor) -> tuple[Tensor, Tensor]:
    """What comes out, and the gradient of what goes in, both [3, size] in float32."""
    with torch.enable_grad():
        hidden = given.clone().requires_grad_()
        out = forward(hidden)
        (gradient,) = torch.autograd.grad(out.float().square().sum(), hidden)
    return out.detach().float(), gradient.float()
