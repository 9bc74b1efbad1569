"""Drawing from logits: the distribution, the nucleus, the independence of rows."""

import random

import pytest
import torch

from tunewright.generation import sampling
from tunewright.generation.sampling import Choice, draw, source

LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0, 0.0])


def drawn(temperature: float, top_p: float, count: int = 4000) -> torch.Tensor:
    numbers = random.Random(1)
    choices = [Choice(temperature, top_p, numbers.random()) for _ in range(count)]
    tokens = draw(LOGITS.expand(count, -1), choices)
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


def test_at_least_the_best_token_stays() -> None:
    assert drawn(1.0, 0.0).tolist() == [0, 1, 0, 0, 0]
    assert drawn(1e-8, 1.0).tolist() == [0, 1, 0, 0, 0]


def test_a_flat_nucleus_beyond_the_likely_thousand() -> None:
    choices = [Choice(1.0, 0.9, n / 100) for n in range(100)]
    tokens = draw(torch.zeros(100, 5000), choices)
    assert max(tokens) > 4000


def test_a_row_draws_the_same_in_any_company() -> None:
    choices = [Choice(t, p, u) for t in (0.3, 1.5) for p in (0.5, 1.0) for u in (0.0, 0.7, 0.999)]
    logits = torch.randn(len(choices), 50, generator=torch.Generator().manual_seed(3))
    alone = [draw(logits[at : at + 1], [choice])[0] for at, choice in enumerate(choices)]
    assert draw(logits, choices) == alone


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
    draw(logits, [Choice(1.0, share, 0.5) for share in shares])
    assert shapes == [(1, 5000)]  # the one that is flat and has a nucleus


def test_seeds_repeat_and_differ() -> None:
    assert source(5).random() == source(5).random()
    assert len({source(seed).random() for seed in (0, 1, -1, 2**70, None, None)}) == 6
