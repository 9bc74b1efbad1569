"""Numbers to blocks of bits, many blocks at once: the way back from `dequantise`.

Every function takes numbers [n, block] in float32 and gives blocks uint8 [n, bytes], rounded as
llama.cpp's own quantisation does, bit for bit.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from tunewright.gguf.kinds import Kind


def quantised(rows: np.ndarray, kind: Kind) -> np.ndarray:
    """Rows float32 [rows, row] as they are stored, uint8 [rows, bytes]. A number that is too large
    for the kind becomes infinite, and NaN stays."""
    with np.errstate(over="ignore", invalid="ignore"):
        blocks = _KINDS[kind](np.ascontiguousarray(rows, np.float32).reshape(-1, kind.block))
    return blocks.reshape(len(rows), -1)


def _f32(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype("<f4", copy=False).view(np.uint8)


def _f16(numbers: np.ndarray) -> np.ndarray:
    return numbers.astype("<f2").view(np.uint8)


def _halves(scales: np.ndarray) -> np.ndarray:
    """[n, 1] as two bytes each."""
    return scales.astype("<f2").view(np.uint8).reshape(len(scales), 2)


def _inverse(scales: np.ndarray) -> np.ndarray:
    """1 / scale; 0 where a block holds nothing but zeros."""
    return np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)


def _rounded(numbers: np.ndarray) -> np.ndarray:
    """To the nearest, halves away from zero (numpy rounds them to the even one)."""
    return np.trunc(numbers + np.copysign(np.float32(0.5), numbers))


def _q8_0(numbers: np.ndarray) -> np.ndarray:
    scales = np.abs(numbers).max(axis=1, keepdims=True) / np.float32(127)  # [n, 1]
    levels = _rounded(numbers * _inverse(scales)).astype(np.int8)
    return np.concatenate([_halves(scales), levels.view(np.uint8)], axis=1)


def _q4_0(numbers: np.ndarray) -> np.ndarray:
    """The number farthest from zero becomes level 0 exactly: there are 8 below zero and 7 above."""
    at = np.abs(numbers).argmax(axis=1, keepdims=True)
    scales = np.take_along_axis(numbers, at, axis=1) / np.float32(-8)  # [n, 1]
    levels = np.trunc(numbers * _inverse(scales) + np.float32(8.5)).clip(0, 15).astype(np.uint8)
    return np.concatenate([_halves(scales), levels[:, :16] | levels[:, 16:] << 4], axis=1)


_KINDS: Final[dict[Kind, Callable[[np.ndarray], np.ndarray]]] = {
    Kind.F32: _f32,
    Kind.F16: _f16,
    Kind.Q8_0: _q8_0,
    Kind.Q4_0: _q4_0,
}
