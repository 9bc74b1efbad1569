"""The forward passes of a piece, and the way of its gradients back into what its rows share."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tunewright.training.plans.layouts import Layout
from tunewright.weights import caching
from tunewright.weights.base import mixed_precision


@contextmanager
def gathered(head: torch.nn.Module, at: Tensor, seen: list[Tensor] | None = None) -> Iterator[None]:
    """Inside, `head` sees only the hidden states at the flattened positions `at`; none at all
    where `seen` is given, which takes them instead.

    Taking the others away just before the head, and not calling the head ourselves, leaves what
    architectures do after it in place: scaling (Granite, Cohere), soft caps (Gemma).
    """

    def gather(_: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor]:
        chosen = inputs[0].flatten(0, 1).index_select(0, at)
        if seen is None:
            return (chosen,)
        seen.append(chosen)
        return (chosen[:0],)

    handle = head.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()


class Prefix:
    """What rows begin with, computed once: each layer's keys and values [1, heads, time, size].

    The gradients of what goes on from them gather in these tensors, and `backward` takes their sum
    through the beginning itself: exact, and no batch has to be kept until the last is computed.
    """

    def __init__(self, model: PreTrainedModel, ids: NDArray[np.int32]) -> None:
        self._tokens = len(ids)
        self._made = _cache_of(model, ids)
        # float32: many small gradients are added here, which bfloat16 would round away.
        self._leaves = [
            tuple(x.detach().float().requires_grad_(x.requires_grad) for x in pair)
            for pair in self._made
        ]

    def cache(self, rows: int) -> DynamicCache:
        """A cache for `rows` rows that all go on from here."""
        cache = DynamicCache()
        layers: list[Any] = []
        for made, leaves in zip(self._made, self._leaves, strict=True):
            layer = DynamicLayer()
            layer.lazy_initialization(*made)
            layer.keys, layer.values = (
                leaf.to(x.dtype).expand(rows, -1, -1, -1)
                for x, leaf in zip(made, leaves, strict=True)
            )
            layers.append(layer)
        cache.layers = layers
        return cache

    def backward(self) -> None:
        pairs = [
            (x, leaf.grad.to(x.dtype))
            for made, leaves in zip(self._made, self._leaves, strict=True)
            for x, leaf in zip(made, leaves, strict=True)
            if leaf.grad is not None
        ]
        if pairs:
            tensors, gradients = zip(*pairs, strict=True)
            torch.autograd.backward(tensors, gradients)


def _cache_of(model: PreTrainedModel, ids: NDArray[np.int32]) -> list[tuple[Tensor, Tensor]]:
    name = caching.argument(model)
    assert name is not None, "the self-check has seen that this base keeps a cache"
    tokens = torch.from_numpy(ids.astype(np.int64))[None].to(model.device)
    none = tokens.flatten()[:0]
    # Without the model's configuration: plain layers, which keep all, even where a window is named.
    with gathered(_head(model), none), mixed_precision(model):
        answer = model(input_ids=tokens, use_cache=True, **{name: DynamicCache()})
    return [(layer.keys, layer.values) for layer in getattr(answer, name).layers]


def logits_of(model: PreTrainedModel, layout: Layout, prefix: Prefix | None = None) -> Tensor:
    """float32 [supervised, vocabulary]: what `model` expects in the place of each target."""
    with gathered(_head(model), layout.at), mixed_precision(model):
        return model(**_given(model, layout, prefix)).logits.float()


def hidden_of(model: PreTrainedModel, layout: Layout, prefix: Prefix | None = None) -> Tensor:
    """[supervised, size]: what the head would see of `layout`; it is not computed."""
    seen: list[Tensor] = []
    with gathered(_head(model), layout.at, seen), mixed_precision(model):
        model(**_given(model, layout, prefix))
    return seen[0]


def head_logits(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    """float32 [n, vocabulary] of hidden states [n, size], by the head and nothing after it."""
    with mixed_precision(model):
        return _head(model)(hidden).float()


def _given(model: PreTrainedModel, layout: Layout, prefix: Prefix | None) -> dict[str, Any]:
    given: dict[str, Any] = {"input_ids": layout.ids, "use_cache": prefix is not None}
    if prefix is not None:
        given[caching.argument(model) or ""] = prefix.cache(len(layout.ids))
    if layout.mask is not None:
        given |= {"attention_mask": layout.mask, "position_ids": layout.positions}
    return given


def _head(model: PreTrainedModel) -> torch.nn.Module:
    head = model.get_output_embeddings()
    assert head is not None
    return head
