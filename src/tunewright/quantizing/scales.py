"""How the activations that a product takes are best quantized: found on samples of them.

A row is quantized to 8 bits without a sign, ``round(x / scale) + zero``, where `scale` is the least
with which the row fits, and `zero` is the same for all rows: the middle for what lies around 0,
less for what GELU gives, of which nothing is below -0.17. Before, each channel is divided by its
entry of `smoothing`, and the weights that it meets are multiplied by it (SmoothQuant,
arXiv:2211.10438).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_ZEROS = (16, 32, 64, 96, 128)
_STRENGTHS = (0.0, 0.35, 0.5, 0.65)  # of smoothing
_WIDE = 0.995  # what of a channel's samples its range holds
_LEAST = 1e-3


@dataclass(frozen=True)
class Scales:
    """smoothing: [k], or None where none helps."""

    zero: int
    smoothing: Floats | None


def best(sample: Floats, weights: Sequence[Floats], largest: int) -> Scales:
    """Those with the least error of the products of `sample` [rows, k] with `weights` [k, n].
    largest: of a quantized weight."""
    found: list[tuple[float, Scales]] = []
    for strength in _STRENGTHS:
        smoothing = _smoothing(sample, weights, strength) if strength else None
        even = sample if smoothing is None else sample / smoothing  # [rows, k]
        zero = min(_ZEROS, key=lambda zero: float(np.square(as_rows(even, zero) - even).mean()))
        error = 0.0
        for weight in weights:
            smooth = weight if smoothing is None else weight * smoothing[:, None]  # [k, n]
            whole, scale = as_columns(smooth, largest)
            error += float(np.square(as_rows(even, zero) @ (whole * scale) - sample @ weight).sum())
        found.append((error, Scales(zero, smoothing)))
    return min(found, key=lambda each: each[0])[1]


def as_rows(values: Floats, zero: int) -> Floats:
    """[rows, k] as they are after quantizing."""
    high, low = values.max(-1, keepdims=True), values.min(-1, keepdims=True)  # [rows, 1]
    scale = np.maximum(np.maximum(high / (255 - zero), low / -zero), 1e-9)
    return (np.clip(np.rint(values / scale) + zero, 0, 255) - zero) * scale


def as_columns(weight: Floats, largest: int) -> tuple[NDArray[np.int8], Floats]:
    """`weight` [k, n] as integers of -largest to largest, and the scale of each column, [n]."""
    scale = np.maximum(np.abs(weight).max(0), 1e-12) / largest
    whole = np.clip(np.rint(weight / scale), -largest, largest)
    return whole.astype(np.int8), scale.astype(np.float32)


def _smoothing(sample: Floats, weights: Sequence[Floats], strength: float) -> Floats:
    """[k]: how large a channel's values are, to the power of `strength`, against its weights."""
    values = np.maximum(np.quantile(np.abs(sample), _WIDE, axis=0), _LEAST)
    others = np.maximum(np.max([np.abs(weight).max(1) for weight in weights], axis=0), _LEAST)
    found = values**strength / others ** (1 - strength)
    return (found / np.median(found)).astype(np.float32)
