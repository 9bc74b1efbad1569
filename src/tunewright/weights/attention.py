"""Attention of short rows by plain matrix products, where a processor is faster so.

torch's own kernel for processors (SDPA) multiplies small tiles in float32; in bfloat16 the products
of oneDNN are two to three times as fast, until the weights of all pairs no longer fit into the
caches. What the two give differs by the rounding of the scores, as transformers' eager attention
does.
"""

import functools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Final, Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

Attention: TypeAlias = Literal["sdpa", "products"]
PRODUCTS: Final = "products"
# Keys of a row. In bfloat16, 512 queries and as many keys took 25 ms where SDPA took 32, forward
# and backward of one layer of 135M; 222 took 3.7 and 8.6, 1,024 of them 84 and 81.
LONGEST = 640
_WORTH = 0.8  # of SDPA's time; it was 0.45
_ROUNDS = 7


def implementation(model: PreTrainedModel) -> str:
    """The name by which transformers knows how `model` computes attention."""
    return getattr(model.config, "_attn_implementation", "")


def use(model: PreTrainedModel, how: Attention) -> bool:
    """Whether `model` computes so from now on. Only those that used SDPA can be changed."""
    if implementation(model) not in ("sdpa", PRODUCTS):
        return how == "sdpa"
    model.set_attn_implementation(how)
    return implementation(model) == how


@contextmanager
def by_sdpa(model: PreTrainedModel) -> Iterator[None]:
    """Inside, `model` computes as it would if nobody had chosen."""
    before = implementation(model)
    if before != PRODUCTS:
        yield
        return
    use(model, "sdpa")
    try:
        yield
    finally:
        use(model, PRODUCTS)


@functools.cache
def faster(device: str, dtype: torch.dtype) -> Attention:
    """The faster of the two on this machine, for rows of 192 tokens; an eighth of a second. In
    float32 and on a GPU it is SDPA, without trying."""
    if device != "cpu" or dtype != torch.bfloat16:
        return "sdpa"
    with torch.random.fork_rng(), torch.enable_grad():
        shapes = [
            (2, some, 192, 64) for some in (8, 4, 4)
        ]  # heads, and two of the keys' and values'
        states = [torch.randn(shape).to(dtype).requires_grad_() for shape in shapes]
        ways = (_by_kernel, functools.partial(_attend, mask=None, scale=0.125))
        rounds = [[_seconds(way, states) for way in ways] for _ in range(_ROUNDS)]
    kernel, products = map(median, zip(*rounds, strict=True))
    return PRODUCTS if products < _WORTH * kernel else "sdpa"


def _by_kernel(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)


def _seconds(way: Any, states: list[Tensor]) -> float:
    began = time.process_time()
    way(*states).sum().backward()
    return time.process_time() - began


def _forward(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **given: Any,
) -> tuple[Tensor, None]:
    """As transformers calls it. query: [rows, heads, time, size]; key and value [rows, groups,
    keys, size]; the mask, bool or added, broadcasts to [rows, heads, time, keys]. Returns [rows,
    time, heads, size]."""
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    particular = dropout or any(given.get(name) is not None for name in _NOT_OURS)
    unmasked = attention_mask is None and not (causal and query.shape[2] == key.shape[2])
    if particular or unmasked or key.shape[2] > LONGEST or query.shape[1] % key.shape[1]:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **given
        )
    states = query, key, value
    if torch.is_autocast_enabled(query.device.type):
        narrow = torch.get_autocast_dtype(query.device.type)
        states = [state.to(narrow) for state in states]
    scale = 1 / math.sqrt(query.shape[-1]) if scaling is None else scaling
    return _attend(*states, mask=attention_mask, scale=scale).transpose(1, 2), None


_NOT_OURS = ("softcap", "position_bias", "s_aux")


def _attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    if mask is None:
        mask = _causal(q.shape[2], q.dtype, q.device)
    elif mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill_(~mask, -math.inf)
    return _Products.apply(q, k, v, mask.to(q.dtype), scale)


@functools.lru_cache(maxsize=64)
def _causal(time: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """[time, time]"""
    with torch.inference_mode(False):
        return torch.full((time, time), -math.inf, dtype=dtype, device=device).triu_(1)


class _Products(torch.autograd.Function):
    """softmax(scale * q k' + mask) v. Heads that share their keys are one product with them, so
    nothing is repeated."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float
    ) -> Tensor:
        rows, heads, time, size = query.shape
        groups, keys = key.shape[1:3]
        q = (query * scale).reshape(rows * groups, -1, size)  # [rows * groups, shared * time, size]
        k, v = (x.reshape(rows * groups, keys, -1) for x in (key, value))
        with torch.autocast(query.device.type, enabled=False):
            scores = q @ k.mT  # [rows * groups, shared * time, keys]
            scores.view(rows, heads, time, keys).add_(mask)
            weights = torch.softmax(scores, -1)
            out = weights @ v  # [rows * groups, shared * time, size]
        ctx.save_for_backward(q, k, v, weights)
        ctx.scale, ctx.shapes = scale, (query.shape, key.shape, value.shape)
        return out.view(rows, heads, time, -1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        q, k, v, weights = ctx.saved_tensors
        of_query, of_key, of_value = ctx.shapes
        g = gradient.reshape(*q.shape[:2], -1)  # [rows * groups, shared * time, size]
        of_weights = g @ v.mT  # [rows * groups, shared * time, keys]
        of_scores = torch.ops.aten._softmax_backward_data(of_weights, weights, -1, weights.dtype)
        return (
            (of_scores @ k).mul_(ctx.scale).view(of_query),
            (of_scores.mT @ q).view(of_key),
            (weights.mT @ g).view(of_value),
            None,
            None,
        )


AttentionInterface.register(PRODUCTS, _forward)
AttentionMaskInterface.register(PRODUCTS, sdpa_mask)
