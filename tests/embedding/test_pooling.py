"""Pooling of padded batches is that of each text alone; Dense is torch's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tunewright.embedding.dense import ACTIVATIONS, Dense
from tunewright.embedding.modules import Normalize, Pipeline, Pooling, Step
from tunewright.embedding.pooling import pooled

LENGTHS = (9, 4, 1, 7)


def pipeline(*modes: str, include: bool = True, after: tuple[Step, ...] = ()) -> Pipeline:
    return Pipeline(Path(), "", False, 6, None, False, Pooling(modes, include), after)


@pytest.fixture(scope="module")
def texts() -> list[np.ndarray]:
    """Of each text, [tokens, 6]."""
    numbers = np.random.default_rng(0)
    return [numbers.normal(size=(length, 6)).astype(np.float32) for length in LENGTHS]


def padded(texts: list[np.ndarray], side: str) -> tuple[np.ndarray, np.ndarray]:
    """[batch, time, 6] with rubbish as padding, and [batch, time]."""
    hidden = np.full((len(texts), 9, 6), 1e4, np.float32)
    mask = np.zeros((len(texts), 9), np.int64)
    for row, text in enumerate(texts):
        place = slice(0, len(text)) if side == "right" else slice(9 - len(text), 9)
        hidden[row, place], mask[row, place] = text, 1
    return hidden, mask


# Of one text without padding, whose first tokens may be left out: [tokens, h], [tokens] -> [h].
ONE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "cls": lambda tokens, _: tokens[0],
    "max": lambda tokens, _: tokens.max(0),
    "mean": lambda tokens, _: tokens.mean(0),
    "mean_sqrt_len_tokens": lambda tokens, _: tokens.sum(0) / np.sqrt(len(tokens)),
    "weightedmean": lambda tokens, place: (tokens * place[:, None]).sum(0) / place.sum(),
    "lasttoken": lambda tokens, _: tokens[-1],
}


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("mode", ONE)
def test_each_mode_is_that_of_the_text_alone(texts: list[np.ndarray], mode: str, side: str) -> None:
    for include, skip in ((True, 0), (True, 2), (False, 2)):
        long = texts if include else [text for text in texts if len(text) > skip]
        found = pooled(*padded(long, side), pipeline(mode, include=include), skip)
        left = 0 if include else skip
        expected = [ONE[mode](t[left:], np.arange(left + 1, len(t) + 1)) for t in long]
        np.testing.assert_allclose(found, expected, atol=2e-6)
        assert found.dtype == np.float32


def test_several_modes_are_concatenated_in_their_order(texts: list[np.ndarray]) -> None:
    batch = padded(texts, "right")
    found = pooled(*batch, pipeline("max", "cls"))
    parts = [pooled(*batch, pipeline(mode)) for mode in ("max", "cls")]
    np.testing.assert_array_equal(found, np.concatenate(parts, axis=1))


def test_dense_and_normalize_are_those_of_torch(texts: list[np.ndarray]) -> None:
    torch = pytest.importorskip("torch")
    numbers = np.random.default_rng(1)
    weight, bias = numbers.normal(size=(3, 6)), numbers.normal(size=3)
    weight, bias = weight.astype(np.float32), bias.astype(np.float32)
    batch = padded(texts, "right")
    rows = torch.from_numpy(pooled(*batch, pipeline("mean")))
    linear = torch.nn.functional.linear(rows, torch.from_numpy(weight), torch.from_numpy(bias))
    for activation in ACTIVATIONS:
        expected = getattr(torch.nn, activation)()(linear)
        expected = torch.nn.functional.normalize(expected + rows[:, :3])
        residual = np.eye(3, 6, dtype=np.float32)
        after = (Dense(weight, bias, activation, residual), Normalize())
        found = pooled(*batch, pipeline("mean", after=after))
        np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)


def test_a_text_of_no_tokens_gives_no_rubbish() -> None:
    for mode in ("mean", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"):
        found = pooled(np.ones((1, 2, 6), np.float16), np.zeros((1, 2)), pipeline(mode))
        np.testing.assert_array_equal(found, np.zeros((1, 6)))
