"""Keys and values of a row by itself: cut from a batch, put before several rows, or kept."""

from typing import Any

from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


def row_of(cache: DynamicCache, row: int, length: int) -> DynamicCache:
    """A cache of its own for the first `length` tokens of a row, [1, heads, length, head size] a
    layer; it copies nothing."""
    own = DynamicCache()
    layers: list[Any] = [_first(plain(layer), row, length) for layer in cache.layers]
    own.layers = layers
    return own


def _first(layer: DynamicLayer, row: int, length: int) -> DynamicLayer:
    assert layer.keys is not None
    assert layer.values is not None
    own = DynamicLayer()
    own.lazy_initialization(layer.keys, layer.values)
    own.keys = layer.keys[row : row + 1, :, :length]
    own.values = layer.values[row : row + 1, :, :length]
    return own


def expanded(cache: DynamicCache, rows: int) -> DynamicCache:
    """The cache of one row as that of `rows` equal ones; it copies nothing."""
    every = DynamicCache()
    layers: list[Any] = []
    for layer in map(plain, cache.layers):
        assert layer.keys is not None
        assert layer.values is not None
        one = DynamicLayer()
        one.lazy_initialization(layer.keys, layer.values)
        one.keys, one.values = (
            states.expand(rows, -1, -1, -1)  # [rows, heads, time, size]
            for states in (layer.keys, layer.values)
        )
        layers.append(one)
    every.layers = layers
    return every


def copied(cache: DynamicCache) -> DynamicCache:
    """Apart from the batch that the row was read in, whose memory it would hold."""
    for layer in map(plain, cache.layers):
        assert layer.keys is not None
        assert layer.values is not None
        layer.keys, layer.values = layer.keys.clone(), layer.values.clone()
    return cache


def size(cache: DynamicCache) -> int:
    """Bytes of keys and values."""
    states = [
        s for layer in map(plain, cache.layers) for s in (layer.keys, layer.values) if s is not None
    ]
    return sum(state.numel() * state.element_size() for state in states)


def plain(layer: Any) -> DynamicLayer:
    """Keys and values by position and nothing else: what may be cut and put together."""
    assert type(layer) is DynamicLayer, "only plain caches are merged"
    return layer
