from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tunewright.training import loss
from tunewright.training.examples import Sample
from tunewright.training.loss import Objective, full_logits_of, plain_logits
from tunewright.training.plans import layouts
from tunewright.training.plans.passes import logits_of
from tunewright.training.plans.planner import Piece, by_length
from tunewright.training.selfcheck import still, way_of
from tunewright.weights.base import load_base


def samples(*lengths: int, supervised: int = 5) -> list[Sample]:
    random = np.random.default_rng(sum(lengths))
    return [
        Sample(random.integers(0, 256, n).astype(np.int32), n - supervised, line, 0)
        for line, n in enumerate(lengths)
    ]


def gradients(model: PreTrainedModel) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def close(ours: dict[str, Tensor], theirs: dict[str, Tensor], tolerance: float) -> None:
    assert ours.keys() == theirs.keys()
    for name, gradient in ours.items():
        scale = theirs[name].abs().max()
        assert (gradient - theirs[name]).abs().max() <= tolerance * scale, name


def reference(model: PreTrainedModel, rows: list[Sample]) -> Tensor:
    """The loss as transformers computes it: padded, masked, labels -100 elsewhere."""
    longest = max(len(r.ids) for r in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, -100)
    for i, row in enumerate(rows):
        own = torch.from_numpy(row.ids.astype(np.int64))
        ids[i, : len(own)], mask[i, : len(own)] = own, 1
        labels[i, row.start : len(own)] = own[row.start :]
    return model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss


def test_loss_and_gradients_are_those_of_transformers(any_base: Path) -> None:
    rows = samples(40, 23, 31, 9)
    theirs = load_base(any_base, dtype=torch.float32)
    expected = reference(theirs, rows)
    expected.backward()
    ours = load_base(any_base, dtype=torch.float32)
    way = way_of(ours, rows)
    # These two go on after the head: a soft cap, a scale.
    assert way == ("model" if ours.config.model_type in ("gemma2", "granite") else "head")
    sums = Objective(ours, way).learn(Piece("rows", [rows]), 1 / 20)
    assert sums.mean_loss == pytest.approx(expected.item(), rel=1e-6)
    close(gradients(ours), gradients(theirs), 1e-5)


def test_logits_in_parts_are_those_at_once(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = samples(40, 23, 31, 9)
    found: list[dict[str, Tensor]] = []
    for at_once in (1 << 23, 3 * 300, 1):
        monkeypatch.setattr(loss, "LOGITS", at_once)
        model = load_base(base, dtype=torch.float32)  # its head is tied, and trained
        sums = Objective(model, "head").learn(Piece("rows", [rows]), 1 / 20)
        found.append({**gradients(model), "loss": sums.loss[None]})
    close(found[1], found[0], 1e-5)
    close(found[2], found[0], 1e-5)


@pytest.mark.parametrize("budget", [1, 60, 80])
def test_small_batches_accumulate_to_one_large_one(base: Path, budget: int) -> None:
    rows = samples(40, 23, 31, 9, 9, 12)
    found: list[dict[str, Tensor]] = []
    for batches in ([rows], list(by_length(rows, budget))):
        model = load_base(base, dtype=torch.float32)
        Objective(model).learn(Piece("rows", batches), 1 / 30)
        found.append(gradients(model))
    assert len(list(by_length(rows, budget))) > 1
    close(found[1], found[0], 1e-5)


def test_padding_changes_nothing(any_base: Path) -> None:
    short, long = samples(12, 60)
    model = load_base(any_base, dtype=torch.float32)
    with torch.no_grad():
        alone = logits_of(model, layouts.rows([short], model.device))
        padded = logits_of(model, layouts.rows([short, long], model.device))[: len(alone)]
    torch.testing.assert_close(padded, alone, atol=1e-5, rtol=1e-5)


def test_what_comes_after_the_head_is_kept(any_base: Path) -> None:
    model = load_base(any_base, dtype=torch.float32)
    batch = layouts.rows(samples(12, 20), model.device)
    with torch.no_grad():
        torch.testing.assert_close(
            logits_of(model, batch), full_logits_of(model, batch), atol=1e-5, rtol=1e-5
        )


def test_a_base_that_the_short_way_would_falsify_takes_the_long_one(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    rows = samples(12, 20)
    expected = Objective(model).judge(Piece("rows", [rows]))
    plain = model.forward

    def particular(**inputs: Tensor) -> object:
        """As no known base does: after the head, what works on [rows, time, vocabulary] only."""
        out = plain(**inputs)
        out.logits = torch.einsum("btv->btv", out.logits)
        return out

    model.forward = particular
    assert way_of(model, rows) == "rows"
    found = Objective(model, "rows").judge(Piece("rows", [rows]))
    assert found.supervised == expected.supervised
    assert found.mean_loss == pytest.approx(expected.mean_loss, rel=1e-5)


def test_a_plan_keeps_every_row_once_and_its_budget() -> None:
    rows = samples(*range(6, 60, 3), 500)
    groups = list(by_length(rows, 128))
    assert sorted(r.line for g in groups for r in g) == list(range(len(rows)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(len(r.ids) for r in group) <= 128


@pytest.mark.parametrize("make", [lambda: samples(9), lambda: samples(9, 9)])
def test_the_self_check_needs_no_two_lengths(base: Path, make: Callable[[], list[Sample]]) -> None:
    assert way_of(load_base(base, dtype=torch.float32), make()) == "head"


@pytest.mark.parametrize("shared", [0, 12])
def test_log_probabilities_after_a_shared_beginning_are_those_of_rows_alone(
    any_base: Path, shared: int
) -> None:
    rows = samples(40, 23, 31)
    rows = [replace(row, ids=np.r_[rows[0].ids[:12], row.ids]) for row in rows]
    rows = [replace(row, start=row.start + 12) for row in rows]
    model = load_base(any_base, dtype=torch.float32)
    found = list(Objective(model, way_of(model, rows)).logprobs(rows, shared))
    for row, (logprobs, targets) in zip(rows, found, strict=True):
        ids = torch.from_numpy(row.ids.astype(np.int64))
        alone = plain_logits(model, ids)[row.start - 1 : -1].log_softmax(-1)
        torch.testing.assert_close(logprobs, alone, atol=2e-4, rtol=1e-4)
        assert targets.tolist() == ids[row.start :].tolist()


def test_another_end_of_the_model_is_seen_after_training(base: Path) -> None:
    """A soft cap that an untrained base's logits are far below, and a trained one's are not."""
    model, rows = load_base(base, dtype=torch.float32), samples(40, 23)
    assert still("head", model, rows) == "head"
    forward = model.forward

    def capped(**inputs: Tensor) -> object:
        answer = forward(**inputs)
        answer.logits = answer.logits.tanh()
        return answer

    model.forward = capped
    assert still("head", model, rows) != "head"
