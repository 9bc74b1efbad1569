"""Every kind of quantisation against the `gguf` package, bit for bit."""

import gguf
import numpy as np
import pytest

from tunewright.gguf.dequantise import dequantised
from tunewright.gguf.kinds import Kind

ROWS, BLOCKS = 5, 6


def _stored(kind: Kind, numbers: np.random.Generator) -> np.ndarray:
    """Rows of random numbers as the package stores them; where it only reads a kind, random bits
    with scales that are numbers."""
    values = numbers.standard_normal((ROWS, BLOCKS * kind.block)).astype(np.float32)
    theirs = gguf.GGMLQuantizationType(kind)
    if not kind.name.endswith("_K"):
        return gguf.quantize(values, theirs).view(np.uint8).reshape(ROWS, -1)
    bits = numbers.integers(0, 256, (ROWS * BLOCKS, kind.block_bytes), dtype=np.uint8)
    scales = numbers.standard_normal((ROWS * BLOCKS, 2)).astype(np.float16).view(np.uint8)
    if kind is Kind.Q6_K:
        bits[:, 208:] = scales[:, :2]
    else:
        bits[:, :4] = scales
    return bits.reshape(ROWS, -1)


@pytest.mark.parametrize("kind", Kind)
def test_numbers_are_those_of_the_package(kind: Kind) -> None:
    stored = _stored(kind, np.random.default_rng(kind))
    ours = dequantised(stored, kind)
    theirs = gguf.dequantize(stored, gguf.GGMLQuantizationType(kind))
    assert ours.dtype == np.float32
    assert ours.shape == (ROWS, BLOCKS * kind.block)
    assert ours.tobytes() == np.ascontiguousarray(theirs, np.float32).tobytes()
    assert len(np.unique(ours)) > 20


@pytest.mark.parametrize("kind", Kind)
def test_sizes_are_those_of_the_package(kind: Kind) -> None:
    assert gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType(kind)] == (kind.block, kind.block_bytes)
    assert gguf.GGMLQuantizationType(kind).name == kind.name
