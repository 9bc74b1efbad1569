"""Forward passes over a `Layout`, and over the shared prefix of its rows.

Hidden states are gathered at the supervised tokens before the head, so logits are [supervised,
vocabulary] and never [rows, time, vocabulary].
"""

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
    """Inside, `head` sees only the hidden states at the flattened indices `at`; none at all where
    `seen` is given, which takes them instead.

    Taking the others away just before the head, and not calling the head ourselves, leaves what
    architectures do after it in place: scaling (Granite, Cohere), soft caps (Gemma).
    """

    def gather(_: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor]:
        hidden = inputs[0].flatten(0, 1)  # [rows, time, hidden] -> [rows * time, hidden]
        chosen = hidden.index_select(0, at)  # [supervised, hidden]
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
    """A shared prefix, computed once: of each layer keys and values [1, heads, time, size].

    The gradients of the micro-batches that use it add up in these tensors, and `backward` takes the
    sum through the prefix itself, once: exact, and no micro-batch is kept until the last is done.
    """

    def __init__(self, model: PreTrainedModel, ids: NDArray[np.int32]) -> None:
        """ids: the prefix [time]."""
        self._made = _cache_of(model, ids)
        # float32: many small gradients are added here, which bfloat16 would round away.
        self._leaves = [
            tuple(x.detach().float().requires_grad_(x.requires_grad) for x in pair)
            for pair in self._made
        ]

    def cache(self, rows: int) -> DynamicCache:
        """The prefix as the cache of `rows` rows, not copied; gradients flow back through it."""
        cache = DynamicCache()
        layers: list[Any] = []
        for made, leaves in zip(self._made, self._leaves, strict=True):
            layer = DynamicLayer()
            layer.lazy_initialization(*made)
            layer.keys, layer.values = (
                leaf.to(x.dtype).expand(rows, -1, -1, -1)  # [rows, heads, time, size]
                for x, leaf in zip(made, leaves, strict=True)
            )
            layers.append(layer)
        cache.layers = layers
        return cache

    def backward(self) -> None:
        """Add the prefix's gradients to the parameters', once all micro-batches have theirs."""
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
    """A layer's keys and values, each [1, heads, time, size], with their gradients."""
    name = caching.argument(model)
    assert name is not None, "the self-check has seen that this base keeps a cache"
    tokens = torch.from_numpy(ids.astype(np.int64))[None].to(model.device)  # [1, time]
    none = tokens.flatten()[:0]  # no logits
    # Without the model's configuration: plain layers, which keep all, even where a window is named.
    with gathered(_head(model), none), mixed_precision(model):
        answer = model(input_ids=tokens, use_cache=True, **{name: DynamicCache()})
    return [(layer.keys, layer.values) for layer in getattr(answer, name).layers]


def logits_of(model: PreTrainedModel, layout: Layout, prefix: Prefix | None = None) -> Tensor:
    """float32 [supervised, vocabulary]: the model's logits for each target of `layout`."""
    with gathered(_head(model), layout.at), mixed_precision(model):
        return model(**_given(model, layout, prefix)).logits.float()


def hidden_of(model: PreTrainedModel, layout: Layout, prefix: Prefix | None = None) -> Tensor:
    """[supervised, hidden]: the input of the head, which is not computed."""
    seen: list[Tensor] = []
    with gathered(_head(model), layout.at, seen), mixed_precision(model):
        model(**_given(model, layout, prefix))
    return seen[0]


def head_logits(model: PreTrainedModel, hidden: Tensor) -> Tensor:
    """float32 [n, vocabulary] of hidden states [n, hidden], by the head and nothing after it."""
    with mixed_precision(model):
        return _head(model)(hidden).float()


def _given(model: PreTrainedModel, layout: Layout, prefix: Prefix | None) -> dict[str, Any]:
    """The arguments of the model's forward pass."""
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
