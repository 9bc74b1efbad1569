"""What a run would take, said before its first step without changing it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny import Heard, colours

from tunewright import durable
from tunewright.records.checks import Estimate
from tunewright.settings import Settings
from tunewright.training import forecast as forecasting
from tunewright.training import loop, method, supervised
from tunewright.training.recipe import Recipe
from tunewright.training.report import Finished, Forecast, Step
from tunewright.training.supervised import train

Make = Callable[..., Recipe]


def weights(folder: Path) -> dict[str, str]:
    files = durable.verify(folder / "model")["files"]
    return {name: entry["sha256"] for name, entry in files.items() if "safetensors" in name}


def test_the_probe_changes_no_bit_of_the_weights(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = recipe(colours(24), colours(3), n_epochs=5, batch_size=2)
    train(given, tmp_path / "probed", said)
    (expected,) = said.of(Forecast)
    (finished,) = said.of(Finished)
    assert said.index(expected) < said.index(said.of(Step)[0])
    assert (expected.total_steps, expected.trained_tokens) == (60, finished.trained_tokens)
    assert expected.seconds > expected.seconds_error > 0
    assert finished.peak_bytes > 2**20

    monkeypatch.setattr(loop, "forecast", lambda *_: None)
    train(given, tmp_path / "plain", Heard())
    assert weights(tmp_path / "probed") == weights(tmp_path / "plain") != {}


def test_expecting_ends_before_the_first_step(recipe: Make, said: Heard, tmp_path: Path) -> None:
    method("supervised", expect=True)(recipe(), tmp_path / "task", said)
    assert [report.kind for report in said] == ["plan", "started", "forecast"]
    assert not (tmp_path / "task").exists()


def test_where_memory_runs_out_nothing_is_foretold(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(forecasting, "_gradients", full)
    supervised.expect(recipe(), tmp_path / "task", said)
    assert said.of(Forecast) == []


def test_the_error_shrinks_with_more_probes() -> None:
    assert forecasting._mean([2.0]) == (2.0, 0.3)
    assert forecasting._mean([2.0, 2.0, 2.0]) == (2.0, 0.1)
    mean, error = forecasting._mean([1.0, 2.0, 3.0, 2.0])
    assert (mean, round(error, 4)) == (2.0, 0.4082)  # 2 * 0.8165 / sqrt(4) / 2


def test_an_estimate_in_words_and_its_cost(tmp_path: Path) -> None:
    prices = Settings(home=tmp_path, price_per_hour=2.0, price_per_million_tokens=8.0)
    assert prices.cost(1800, 500_000) == 5.0
    assert Settings(home=tmp_path).cost(1800, 500_000) is None
    estimate = Estimate(
        steps=1200,
        seconds=3725,
        seconds_error=65,
        peak_bytes=3 * 2**29,
        trained_tokens=500_000,
        cost=5.0,
    )
    words = "1,200 steps in 1:02:05 ± 1:05, 500,000 tokens, 1.50 GiB at most, cost 5.00"
    assert str(estimate) == words
