"""Drawing from logits: the distribution, the nucleus, the independence of rows."""

import random

import pytest
import torch

from tunewright.generation import sampling
from tunewright.generation.generator import SamplingParams
from tunewright.generation.sampling import draw, source

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0, 0.0])


def drawn(temperature: float, top_p: float, min_p: float = 0.0, count: int = 4000) -> torch.Tensor:
    numbers = random.Random(1)
    params = SamplingParams(temperature=temperature, top_p=top_p, min_p=min_p)
    uniform = [numbers.random() for _ in range(count)]
    tokens = draw(LOGITS.expand(count, -1), [params] * count, uniform)
    return torch.bincount(torch.tensor(tokens), minlength=5) / count


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_the_frequencies_are_the_probabilities(temperature: float) -> None:
    expected = (LOGITS / temperature).softmax(-1)
    torch.testing.assert_close(drawn(temperature, 1.0), expected, atol=0.03, rtol=0)


def test_the_nucleus_is_the_fewest_that_reach_top_p() -> None:
    # Probabilities: 0.63, 0.23, 0.09, 0.03, 0.01.
    assert drawn(1.0, 0.6).nonzero().flatten().tolist() == [1]
    assert drawn(1.0, 0.8).nonzero().flatten().tolist() == [1, 2]
    assert drawn(1.0, 0.9).nonzero().flatten().tolist() == [0, 1, 2]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("min_p", [0.02, 0.15, 0.5, 1.0])
def test_min_p_leaves_what_has_its_share_of_the_likeliest(temperature: float, min_p: float) -> None:
    """Of the probabilities at the temperature; those that are left keep their proportions."""
    probabilities = (LOGITS / temperature).softmax(-1)
    left = probabilities * (probabilities >= min_p * probabilities.max())
    expected = left / left.sum()
    found = drawn(temperature, 1.0, min_p)
    assert torch.equal(found > 0, expected > 0)
    torch.testing.assert_close(found, expected, atol=0.03, rtol=0)


def test_the_nucleus_is_of_what_min_p_leaves() -> None:
    # Of 0.63, 0.23, 0.09, 0.03, 0.01 the first three are left: 0.67, 0.24, 0.09.
    assert drawn(1.0, 0.65, 0.1).nonzero().flatten().tolist() == [1]
    assert drawn(1.0, 0.65).nonzero().flatten().tolist() == [1, 2]
    assert drawn(1.0, 0.98, 0.1).nonzero().flatten().tolist() == [0, 1, 2]


def test_at_least_the_best_token_stays() -> None:
    assert drawn(1.0, 0.0).tolist() == [0, 1, 0, 0, 0]
    assert drawn(1e-8, 1.0).tolist() == [0, 1, 0, 0, 0]


def test_a_flat_nucleus_beyond_the_likely_thousand() -> None:
    params = SamplingParams(top_p=0.9)
    tokens = draw(torch.zeros(100, 5000), [params] * 100, [n / 100 for n in range(100)])
    assert max(tokens) > 4000


def test_a_row_draws_the_same_in_any_company() -> None:
    uniform = [0.0, 0.7, 0.999] * 8
    params = [
        SamplingParams(temperature=t, top_p=p, min_p=m)
        for t in (0.3, 1.5)
        for p in (0.5, 1.0)
        for m in (0.0, 0.2)
        for _ in range(3)
    ]
    logits = torch.randn(len(params), 50, generator=torch.Generator().manual_seed(3))
    alone = [draw(logits[at : at + 1], [params[at]], [uniform[at]])[0] for at in range(len(params))]
    assert draw(logits, params, uniform) == alone


def test_only_rows_that_need_it_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of a vocabulary is sorted in the time of a step or two: for a flat row, not for all."""
    shapes: list[tuple[int, ...]] = []
    plain = sampling._sorted

    def noted(probabilities: torch.Tensor) -> torch.Tensor:
        shapes.append(tuple(probabilities.shape))
        found = plain(probabilities)
        assert torch.equal(found, probabilities.sort(-1, descending=True).values)
        return found

    monkeypatch.setattr(sampling, "_sorted", noted)
    peaked, flat = torch.zeros(1, 5000), torch.zeros(1, 5000)
    peaked[0, 7] = 50.0
    logits = torch.cat([peaked, flat, peaked, flat, peaked])
    shares = [0.9, 0.9, 1.0, 1.0, 0.999]
    draw(logits, [SamplingParams(top_p=share) for share in shares], [0.5] * 5)
    assert shapes == [(1, 5000)]  # the one that is flat and has a nucleus


def test_seeds_repeat_and_differ() -> None:
    assert source(5).random() == source(5).random()
    assert len({source(seed).random() for seed in (0, 1, -1, 2**70, None, None)}) == 6
