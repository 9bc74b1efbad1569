"""Memory that runs out: fewer rows at once, then the length that would fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import Heard, chat, colours

from tunewright import children
from tunewright.errors import JobFailed
from tunewright.training.loss import Objective, Sums
from tunewright.training.memory import recomputes
from tunewright.training.plans.layouts import Layout
from tunewright.training.recipe import Recipe
from tunewright.training.report import Message
from tunewright.training.supervised import train

Make = Callable[..., Recipe]


def allow(patcher: pytest.MonkeyPatch, tokens: int) -> None:
    """More padded tokens than that do not fit, as torch says it on a CPU."""
    real = Objective.run

    def run(self: Objective, layout: Layout, *given: Any) -> Sums:
        if layout.ids.numel() > tokens:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")
        return real(self, layout, *given)

    patcher.setattr(Objective, "run", run)


def test_fewer_rows_at_once_give_the_same_weights(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = recipe(colours(24), batch_size=8)
    train(given, tmp_path / "whole", Heard())
    allow(monkeypatch, 60)
    train(given, tmp_path / "task", said)
    assert any("Memory ran out" in message.message for message in said.of(Message))
    whole, task = (
        load_file(tmp_path / folder / "model" / "adapter_model.safetensors")
        for folder in ("whole", "task")
    )
    for name, weights in whole.items():
        torch.testing.assert_close(task[name], weights, rtol=1e-3, atol=1e-4)


def test_activations_are_computed_again_before_a_row_is_refused(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = recipe(colours(12))
    train(given, tmp_path / "whole", Heard())
    real = Objective.learn

    def learn(self: Objective, *given: Any) -> Sums:
        if not recomputes(self._model):
            raise MemoryError
        return real(self, *given)

    monkeypatch.setattr(Objective, "learn", learn)
    train(given, tmp_path / "task", said)
    assert any("computed twice" in message.message for message in said.of(Message))
    whole, task = (
        load_file(tmp_path / folder / "model" / "adapter_model.safetensors")
        for folder in ("whole", "task")
    )
    for name, weights in whole.items():
        torch.testing.assert_close(task[name], weights, rtol=1e-3, atol=1e-4)


def test_a_row_that_does_not_fit_alone_is_named_with_the_length_that_would(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(monkeypatch, 100)
    rows = [*colours(11), chat("a", "b" * 300)]
    with pytest.raises(JobFailed, match=r"line 12\).*An example of \d+ tokens fits") as failed:
        train(recipe(rows), tmp_path / "task", said)
    assert failed.value.code == "out_of_memory"
    fits = int(failed.value.message.partition("An example of ")[2].split()[0])
    assert 50 < fits <= 100


def test_the_kernels_kills_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters = tmp_path / "vmstat"
    monkeypatch.setattr(children, "_COUNTERS", counters)
    assert children.kills_for_memory() == 0
    counters.write_text("nr_free_pages 7\noom_kill 3\n")
    assert children.kills_for_memory() == 3
