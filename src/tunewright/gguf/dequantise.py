"""Blocks of bits to numbers, many blocks at once.

A block is a scale or two for 32 numbers, or, of the `_K` kinds, for 256 with a scale of its own for
each 16 or 32 of them. Every function takes blocks [n, bytes] and gives numbers [n, block] in
float32, in the order of operations of llama.cpp, so that they are equal bit for bit.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from tunewright.gguf.kinds import Kind


def dequantised(rows: np.ndarray, kind: Kind) -> np.ndarray:
    """Rows as they are stored, uint8 [rows, bytes], as float32 [rows, row]."""
    with np.errstate(over="ignore", invalid="ignore"):  # who asks looks whether all are finite
        numbers = _KINDS[kind](rows.reshape(-1, kind.block_bytes))
    return numbers.reshape(len(rows), -1)


def _f32(blocks: np.ndarray) -> np.ndarray:
    return blocks.view("<f4").astype(np.float32, copy=False)


def _f16(blocks: np.ndarray) -> np.ndarray:
    return blocks.view("<f2").astype(np.float32)


def _bf16(blocks: np.ndarray) -> np.ndarray:
    return (blocks.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _halves(blocks: np.ndarray, at: int) -> np.ndarray:
    """The float16 at byte `at` of each block: [n, 1]."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _nibbles(packed: np.ndarray) -> np.ndarray:
    """[n, m] bytes as [n, 2m] numbers below 16: all low halves, then all high ones."""
    return np.concatenate([packed & 15, packed >> 4], axis=1)


def _fifth_bits(packed: np.ndarray) -> np.ndarray:
    """[n, 4] bytes as [n, 32] numbers that are 0 or 16."""
    return np.unpackbits(packed, axis=1, bitorder="little") << np.uint8(4)


def _q4_0(blocks: np.ndarray) -> np.ndarray:
    return _halves(blocks, 0) * (_nibbles(blocks[:, 2:]).astype(np.float32) - 8)


def _q4_1(blocks: np.ndarray) -> np.ndarray:
    return _halves(blocks, 0) * _nibbles(blocks[:, 4:]).astype(np.float32) + _halves(blocks, 2)


def _q5_0(blocks: np.ndarray) -> np.ndarray:
    numbers = _nibbles(blocks[:, 6:]) | _fifth_bits(blocks[:, 2:6])
    return _halves(blocks, 0) * (numbers.astype(np.float32) - 16)


def _q5_1(blocks: np.ndarray) -> np.ndarray:
    numbers = _nibbles(blocks[:, 8:]) | _fifth_bits(blocks[:, 4:8])
    return _halves(blocks, 0) * numbers.astype(np.float32) + _halves(blocks, 2)


def _q8_0(blocks: np.ndarray) -> np.ndarray:
    return _halves(blocks, 0) * blocks[:, 2:].view(np.int8).astype(np.float32)


def _scales_and_minima(packed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """12 bytes hold eight scales and eight minima of six bits. Each [n, 8], float32."""
    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=1)
    minima = np.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=1)
    return scales.astype(np.float32), minima.astype(np.float32)


def _with_minima(blocks: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """`numbers` [n, 8, 32] of a block that begins with two scales and `_scales_and_minima`."""
    scales, minima = _scales_and_minima(blocks[:, 4:16])
    scales, minima = _halves(blocks, 0) * scales, _halves(blocks, 2) * minima
    return scales[:, :, None] * numbers.astype(np.float32) - minima[:, :, None]


def _nibbles_by_32(packed: np.ndarray) -> np.ndarray:
    """128 bytes as [n, 8, 32]: the low halves of 32 bytes, their high halves, and so on."""
    groups = packed.reshape(-1, 4, 1, 32)
    return np.concatenate([groups & 15, groups >> 4], axis=2).reshape(-1, 8, 32)


def _q4_k(blocks: np.ndarray) -> np.ndarray:
    return _with_minima(blocks, _nibbles_by_32(blocks[:, 16:]))


def _q5_k(blocks: np.ndarray) -> np.ndarray:
    place = np.arange(8, dtype=np.uint8)[None, :, None]
    fifth = (blocks[:, None, 16:48] >> place & 1) << 4
    return _with_minima(blocks, _nibbles_by_32(blocks[:, 48:]) | fifth)


def _q6_k(blocks: np.ndarray) -> np.ndarray:
    low = blocks[:, :128].reshape(-1, 2, 1, 64)
    low = np.concatenate([low & 15, low >> 4], axis=2).reshape(-1, 2, 4, 32)
    place = np.arange(0, 8, 2, dtype=np.uint8)[None, None, :, None]
    high = blocks[:, 128:192].reshape(-1, 2, 1, 32) >> place & 3
    numbers = (low | high << 4).astype(np.float32) - 32
    scales = _halves(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    return scales[:, :, None] * numbers.reshape(-1, 16, 16)


_KINDS: Final[dict[Kind, Callable[[np.ndarray], np.ndarray]]] = {
    Kind.F32: _f32,
    Kind.F16: _f16,
    Kind.BF16: _bf16,
    Kind.Q4_0: _q4_0,
    Kind.Q4_1: _q4_1,
    Kind.Q5_0: _q5_0,
    Kind.Q5_1: _q5_1,
    Kind.Q8_0: _q8_0,
    Kind.Q4_K: _q4_k,
    Kind.Q5_K: _q5_k,
    Kind.Q6_K: _q6_k,
}
