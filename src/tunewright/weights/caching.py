"""The cache of keys and values that a base keeps, and what may be relied on of it."""

import functools
import inspect
from typing import Any

from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from tunewright.weights.attention import PRODUCTS, implementation

# What models call the cache that they take and give back: since transformers 5.24, and before.
_NAMES = ("cache", "past_key_values")
# Their rotation of a position depends on the longest row of the batch.
_ROPE_OF_THE_BATCH = {"dynamic", "longrope"}


def argument(model: PreTrainedModel) -> str | None:
    """What `forward` calls it, and its answer too; None where the model keeps none."""
    return _argument(type(model))


@functools.cache
def _argument(kind: type[PreTrainedModel]) -> str | None:
    takes = inspect.signature(kind.forward).parameters
    return next((name for name in _NAMES if name in takes), None)


def by_position(model: PreTrainedModel) -> bool:
    """Whether the cache is keys and values by position, and what a row computes is its own.

    Then rows may share the cache of their shared prefix. A window may hide a part of it.
    """
    config = model.config.get_text_config(decoder=True)
    ropes = getattr(config, "rope_parameters", None) or {}
    kinds = {rope.get("rope_type") for rope in [ropes, *ropes.values()] if isinstance(rope, dict)}
    attention = implementation(model)
    if kinds & _ROPE_OF_THE_BATCH or attention not in ("sdpa", "eager", PRODUCTS):
        return False
    return all(type(layer) in (DynamicLayer, DynamicSlidingWindowLayer) for layer in _layers(model))


def reach(model: PreTrainedModel) -> int | None:
    """How many positions every layer sees: the shortest window; None where there is no window."""
    windows = (getattr(layer, "sliding_window", None) for layer in _layers(model))
    return min((window for window in windows if window), default=None)


def _layers(model: PreTrainedModel) -> list[Any]:
    return DynamicCache(config=model.config.get_text_config(decoder=True)).layers
