from collections.abc import Callable
from pathlib import Path

import pytest

from tunewright.errors import BadRequest
from tunewright.training.defaults import Facts, batch_size, learning_rate, rank, rate_at, resolve
from tunewright.training.order import Order
from tunewright.training.recipe import Recipe


def facts(**changed: object) -> Facts:
    given = {
        "examples": 60,
        "supervised_tokens": 2000,
        "family": "llama",
        "hidden_size": 2000,
        "lora_parameters": 100,
    }
    return Facts(**(given | changed))


def recipe(**fields: object) -> Recipe:
    given = {"base": Path(), "base_name": "b", "kind": "chat", "training_file": Path()}
    return Recipe(**(given | fields))


def test_auto_becomes_numbers_and_numbers_stay() -> None:
    auto = resolve(recipe(), facts())
    assert (auto.n_epochs, auto.batch_size, auto.learning_rate_multiplier) == (3, 4, 1.0)
    assert (auto.learning_rate, auto.rank, auto.alpha) == (5e-4, 32, 32)
    given = resolve(recipe(n_epochs=1, batch_size=2, learning_rate_multiplier=0.5, rank=3), facts())
    assert (given.n_epochs, given.batch_size, given.rank) == (1, 2, 3)
    assert given.learning_rate == 2.5e-4


@pytest.mark.parametrize(
    ("examples", "size"),
    [(1, 1), (3, 3), (60, 4), (100, 8), (5000, 10), (15000, 30), (10**6, 31)],
)
def test_batches_stay_small(examples: int, size: int) -> None:
    assert batch_size(examples) == size


def test_the_rate_follows_family_width_and_adaptation() -> None:
    wide = learning_rate(facts(hidden_size=4000), full=False)
    assert wide == pytest.approx(5e-4 * 0.5**0.781)
    qwen = learning_rate(facts(hidden_size=4000, family="qwen3"), full=False)
    assert qwen == pytest.approx(5e-4 * 0.5**0.0775)
    assert learning_rate(facts(family="mistral"), full=True) == pytest.approx(5e-5)


@pytest.mark.parametrize(("tokens", "expected"), [(1, 8), (800, 8), (801, 16), (10**9, 64)])
def test_the_rank_holds_the_supervised_tokens(tokens: int, expected: int) -> None:
    assert rank(facts(supervised_tokens=tokens)) == expected


@pytest.mark.parametrize("total", [1, 2, 20, 1000])
def test_the_rate_warms_up_decays_and_never_reaches_zero(total: int) -> None:
    rates = [rate_at(step, total, 1.0) for step in range(total)]
    assert all(0 < rate <= 1 for rate in rates)
    assert max(rates) == 1.0
    peak = rates.index(1.0)
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_each_epoch_sees_every_example_once_in_another_order() -> None:
    order = Order(examples=10, batch_size=4, epochs=2, seed=1)
    assert (order.steps_per_epoch, order.total) == (3, 6)
    seen = [[i for step in range(e * 3, e * 3 + 3) for i in order.of(step)] for e in range(2)]
    assert all(sorted(epoch) == list(range(10)) for epoch in seen)
    assert seen[0] != seen[1]
    assert [order.ends_epoch(step) for step in range(6)] == [False, False, True] * 2
    assert order.of(4) == Order(10, 4, 2, 1).of(4) != Order(10, 4, 2, 2).of(4)


def test_no_rank_beyond_the_smallest_layer(recipe: Callable[..., Recipe]) -> None:
    narrow = facts(supervised_tokens=10**6, largest_rank=12)
    assert rank(narrow) == 12
    with pytest.raises(BadRequest, match="at most 12") as refused:
        resolve(recipe(rank=13), narrow)
    assert refused.value.code == "invalid_hyperparameter"
    assert resolve(recipe(rank=12), narrow).rank == 12
