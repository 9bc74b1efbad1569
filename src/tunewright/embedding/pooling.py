"""From the vectors of tokens to one of a text: pooling, Dense, Normalize, in numpy float32."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.dense import Dense
from tunewright.embedding.modules import Pipeline

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LEAST = 1e-9  # no division by nothing, where a text has no token that counts


def pooled(
    hidden: NDArray[np.floating], mask: NDArray, pipeline: Pipeline, skip: int | Sequence[int] = 0
) -> Floats:
    """[batch, d]: the vectors of the texts of a batch, not of length 1 unless the model says so.

    hidden: [batch, time, h]; mask: [batch, time], true for a token, which may be padded on either
    side. skip: how many tokens, from the first on, are a prompt (of all texts, or of each): left
    out where the model's pooling leaves prompts out.
    """
    wide = np.asarray(hidden, np.float32)
    real = np.asarray(mask, bool)
    first = real.argmax(1)  # [batch]: padding may come before
    place = np.arange(real.shape[1]) - first[:, None]  # [batch, time], 0 at the first token
    seen = (
        real
        if pipeline.pooling.include_prompt
        else real & (place >= np.asarray(skip).reshape(-1, 1))
    )
    parts = [_MODES[mode](wide, seen, place) for mode in pipeline.pooling.modes]
    return after(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1), pipeline)


def after(rows: Floats, pipeline: Pipeline) -> Floats:
    """What the modules after pooling make of [batch, h]: [batch, d]."""
    for step in pipeline.after:
        rows = _dense(rows, step) if isinstance(step, Dense) else _normalized(rows)
    return rows


def _cls(hidden: Floats, seen: Mask, place: NDArray[np.intp]) -> Floats:
    return hidden[np.arange(len(hidden)), seen.argmax(1)]


def _last(hidden: Floats, seen: Mask, place: NDArray[np.intp]) -> Floats:
    last = seen.shape[1] - 1 - seen[:, ::-1].argmax(1)  # [batch]
    return hidden[np.arange(len(hidden)), last] * seen.any(1, keepdims=True)


def _max(hidden: Floats, seen: Mask, place: NDArray[np.intp]) -> Floats:
    return np.where(seen[..., None], hidden, -np.inf).max(1)


def _sum(hidden: Floats, weights: NDArray) -> Floats:
    """[batch, h]: sum over time of hidden [batch, time, h] by weights [batch, time]."""
    return np.matmul(weights[:, None, :].astype(np.float32), hidden)[:, 0]


def _mean(hidden: Floats, seen: Mask, place: NDArray[np.intp]) -> Floats:
    return _sum(hidden, seen) / np.maximum(seen.sum(1, keepdims=True), _LEAST).astype(np.float32)


def _mean_sqrt(hidden: Floats, seen: Mask, place: NDArray[np.intp]) -> Floats:
    count = np.maximum(seen.sum(1, keepdims=True), _LEAST)
    return _sum(hidden, seen) / np.sqrt(count).astype(np.float32)


def _weighted(hidden: Floats, seen: Mask, place: NDArray[np.intp]) -> Floats:
    """Later tokens count more: the n-th n times. A prompt that is left out keeps its places."""
    weights = np.where(seen, place + 1, 0)  # [batch, time]
    total = np.maximum(weights.sum(1, keepdims=True), _LEAST)
    return _sum(hidden, weights) / total.astype(np.float32)


_MODES: dict[str, Callable[[Floats, Mask, NDArray[np.intp]], Floats]] = {
    "cls": _cls,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted,
    "lasttoken": _last,
}


def _dense(rows: Floats, step: Dense) -> Floats:
    found = rows @ step.weight.T  # [batch, out]
    if step.bias is not None:
        found += step.bias
    found = ACTIVATIONS[step.activation](found)
    if step.residual is not None:
        found += rows @ step.residual.T
    return found


def _normalized(rows: Floats) -> Floats:
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))  # [batch]
    return np.divide(rows, np.maximum(lengths, 1e-12)[:, None], dtype=np.float32)


def _sigmoid(x: Floats) -> Floats:
    return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)


def _gelu(x: Floats) -> Floats:
    """By the error function, as torch's default."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return (x * 0.5 * (1 + erf(x / math.sqrt(2)))).astype(np.float32)


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "Identity": lambda x: x,
    "Tanh": np.tanh,
    "ReLU": lambda x: np.maximum(x, np.float32(0)),
    "Sigmoid": _sigmoid,
    "GELU": _gelu,
    "SiLU": lambda x: x * _sigmoid(x),
}
