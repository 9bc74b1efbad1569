"""Scaled rotary embeddings: in GGUF some keys and, for two kinds, a tensor of factors."""

import math
from typing import Any, Final

import numpy as np

from tunewright.gguf.dequantise import dequantised
from tunewright.gguf.reading import Reader
from tunewright.gguf.tensors import Sizes

_LLAMA3: Final = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
_LLAMA3_CONTEXT: Final = 8192
_CLOSE: Final = 1e-4  # relative; factors are stored with 24 bits, and computed with fewer


def rope(reader: Reader, name: str, sizes: Sizes) -> dict[str, Any]:
    """`rope_theta` and, where it is scaled, `rope_scaling`, as config.json has them. Raises
    BadRequest for a scaling that transformers has no equal of."""
    base = _base(reader, f"{name}.rope.freq_base")
    turned = reader.get(f"{name}.rope.dimension_count", int) or sizes.head
    if not 0 < turned <= sizes.head or (turned != sizes.head and name != "phi3"):
        raise reader.refuse(
            f"its key {name}.rope.dimension_count is {turned}, but a head has {sizes.head}"
        )
    found: dict[str, Any] = {"rope_theta": base}
    if name == "phi3":
        found["partial_rotary_factor"] = turned / sizes.head
    if name == "gemma3":
        found["rope_local_base_freq"] = _base(reader, f"{name}.rope.freq_base_swa")
    scaling = _scaling(reader, name, turned, base)
    if scaling and name == "phi3":
        if scaling["rope_type"] != "longrope":
            raise reader.refuse(
                f"its positions are scaled ({scaling['rope_type']}), which transformers' Phi-3 "
                "does in one way only (longrope)"
            )
        found["original_max_position_embeddings"] = scaling["original_max_position_embeddings"]
    return found | ({"rope_scaling": scaling} if scaling else {})


def _base(reader: Reader, key: str) -> float:
    found = reader.get(key, float)
    found = 10_000.0 if found is None else float(str(np.float32(found)))
    if not 1 < found < 1e12:
        raise reader.refuse(f"its key {key} is {found}")
    return found


def _scaling(reader: Reader, name: str, turned: int, base: float) -> dict[str, Any] | None:
    if "rope_freqs.weight" in reader.tensors:
        return _llama3(reader, _factors(reader, "rope_freqs.weight", turned), turned, base)
    if "rope_factors_long.weight" in reader.tensors:
        return _longrope(reader, name, turned)
    kind = reader.get(f"{name}.rope.scaling.type", str) or "none"
    if kind == "none":  # in files of 2023, a factor alone
        kind, key = "linear", f"{name}.rope.scale_linear"
        if (reader.get(key, float) or 1.0) == 1.0:
            return None
    else:
        key = f"{name}.rope.scaling.factor"
    factor = reader.need(key, float)
    if kind not in ("linear", "yarn") or not 1 <= factor < 1e6:
        raise reader.refuse(f"its key {name}.rope.scaling.type is {kind[:40]} (factor {factor})")
    return _yarn(reader, name, factor) if kind == "yarn" else {"rope_type": kind, "factor": factor}


def _yarn(reader: Reader, name: str, factor: float) -> dict[str, Any]:
    prefix = f"{name}.rope.scaling."
    odd = {"yarn_ext_factor": 1.0, "yarn_attn_factor": 1.0, "attn_factor": 1.0,
           "yarn_log_multiplier": 0.0}  # fmt: skip
    for key, usual in odd.items():
        if (given := reader.get(prefix + key, float)) not in (None, usual):
            raise reader.refuse(f"its key {prefix}{key} is {given}, which is not read")
    betas = {beta: reader.get(f"{prefix}yarn_{beta}", float) for beta in ("beta_fast", "beta_slow")}
    return {
        "rope_type": "yarn",
        "factor": factor,
        "original_max_position_embeddings": reader.need(prefix + "original_context_length", int),
    } | {beta: value for beta, value in betas.items() if value is not None}


def _factors(reader: Reader, tensor: str, turned: int) -> np.ndarray:
    stored = reader.tensors.get(tensor)
    if stored is None or stored.shape != (turned // 2,):
        shape = "missing" if stored is None else f"of the shape {list(stored.shape)}"
        raise reader.refuse(f"its tensor {tensor} is {shape}; it should have [{turned // 2}]")
    found = dequantised(reader.rows(tensor), stored.kind)[0].astype(np.float64)
    if not np.isfinite(found).all() or (found <= 0).any():
        raise reader.refuse(f"its tensor {tensor} holds a factor that is not a positive number")
    return found


def _longrope(reader: Reader, name: str, turned: int) -> dict[str, Any]:
    long, short = (
        _factors(reader, f"rope_factors_{each}.weight", turned) for each in ("long", "short")
    )
    original = reader.need(f"{name}.rope.scaling.original_context_length", int)
    found = {
        "rope_type": "longrope",
        "long_factor": [float(str(np.float32(f))) for f in long],
        "short_factor": [float(str(np.float32(f))) for f in short],
        "original_max_position_embeddings": original,
    }
    attention = reader.get(f"{name}.rope.scaling.attn_factor", float)
    return found | ({} if attention is None else {"attention_factor": attention})


def llama3_factors(
    turned: int, base: float, factor: float, low: float, high: float, context: int
) -> np.ndarray:
    """What the wave of each pair of numbers is stretched by: short waves not at all, long ones by
    `factor`, those between by something between. [turned / 2]"""
    waves = 2 * math.pi * base ** (np.arange(0, turned, 2) / turned)
    share = np.clip((context / waves - low) / (high - low), 0, 1)  # of the short waves' way
    return 1 / ((1 - share) / factor + share)


def _llama3(reader: Reader, factors: np.ndarray, turned: int, base: float) -> dict[str, Any] | None:
    """Of the four numbers that make the factors the file keeps none. `factor` is the greatest; the
    usual others are tried first, then those that the factors between give."""
    if (factors == 1).all():
        return None
    greatest = float(str(np.float32(factors.max())))
    usual = (_LLAMA3["low_freq_factor"], _LLAMA3["high_freq_factor"], _LLAMA3_CONTEXT)
    for low, high, context in (usual, _fitted(factors, turned, base)):
        with np.errstate(all="ignore"):  # where nothing fits
            made = llama3_factors(turned, base, greatest, low, high, context)
        if np.allclose(made, factors, rtol=_CLOSE):
            return {
                "rope_type": "llama3",
                "factor": greatest,
                "low_freq_factor": low,
                "high_freq_factor": high,
                "original_max_position_embeddings": context,
            }
    raise reader.refuse("its tensor rope_freqs.weight scales in no way that transformers knows")


def _fitted(factors: np.ndarray, turned: int, base: float) -> tuple[float, float, int]:
    """Between the ends the share grows by context / (high - low) per turn and begins at
    -low / (high - low): a line through what is known of it. Any context will do, as the three
    numbers only count by their ratios."""
    greatest = factors.max()
    between = (factors > 1 + _CLOSE) & (factors < greatest * (1 - _CLOSE))
    if between.sum() < 2:
        return (_LLAMA3["low_freq_factor"], _LLAMA3["high_freq_factor"], _LLAMA3_CONTEXT)
    turns = 1 / (2 * math.pi * base ** (np.arange(0, turned, 2) / turned))
    share = (1 / factors - 1 / greatest) / (1 - 1 / greatest)
    slope, start = np.polyfit(turns[between], share[between], 1)
    span = _LLAMA3_CONTEXT / slope if slope else math.nan
    return float(-start * span), float((1 - start) * span), _LLAMA3_CONTEXT
