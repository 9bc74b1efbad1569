"""Training in bfloat16, on whatever processor: as near to float32 as its 8 bits of mantissa allow.

How near that is differs from base to base, so it is measured: what the plain forward, each row
alone, loses in bfloat16 is lost by rounding only. Two ways to the same numbers round independently,
so a plan may lose as much again; what is wrong loses several times that.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from plans import ARCHITECTURES, gradients, piece_of, reference, sample, tiny
from safetensors.torch import load_file
from test_plans import shared_rows
from tiny import Heard, chat, colours, write_base
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel

from tunewright import durable
from tunewright.training import Stopped
from tunewright.training.examples import Sample
from tunewright.training.loss import Objective
from tunewright.training.plans import layouts
from tunewright.training.plans.planner import Piece
from tunewright.training.recipe import Recipe
from tunewright.training.report import Message, Step
from tunewright.training.selfcheck import examine, way_of
from tunewright.training.supervised import train
from tunewright.weights import exact as float32
from tunewright.weights.base import computing_in

pytestmark = pytest.mark.bfloat16
Make = Callable[..., Recipe]
UNIT = 2.0**-9
"""Rounding to 8 bits of mantissa is off by at most this part of a number."""


@pytest.fixture(autouse=True)
def in_bfloat16() -> Iterator[None]:
    with computing_in(torch.bfloat16):
        yield


def lost(found: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    """The length of the gradients' error, of the gradients' own."""
    error = sum(float((found[name] - exact[name]).square().sum()) for name in exact)
    return math.sqrt(error / sum(float(one.square().sum()) for one in exact.values()))


def tolerance(model: PreTrainedModel, rows: list[Sample], exact: dict[str, Tensor]) -> float:
    with torch.autocast("cpu", torch.bfloat16):
        _, rounded = reference(model, rows)
    alone = lost(rounded, exact)
    # The weights of these bases are so large that attention is nearly a choice, which multiplies
    # what goes in; it must stay rounding for all that.
    assert UNIT < alone < 32 * UNIT
    return 2 * alone


def break_trie(fault: str, patch: pytest.MonkeyPatch) -> None:
    real = layouts.trie

    def wrong(*given: object) -> layouts.Layout:
        made = real(*given)  # pyright: ignore[reportArgumentType]
        assert made.mask is not None
        assert made.counts is not None
        causal = torch.ones_like(made.mask).triu(1).bool()
        changed: dict[str, Tensor] = {
            "counts": torch.ones_like(made.counts),
            "mask": torch.zeros_like(made.mask).masked_fill_(
                causal, torch.finfo(made.mask.dtype).min
            ),
            "positions": torch.arange(made.ids.shape[1])[None],
        }
        return layouts.Layout(**{**vars(made), fault: changed[fault]})

    patch.setattr(layouts, "trie", wrong)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_plan_loses_what_rounding_does(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = tiny(architecture), [*shared_rows(), shared_rows()[2]]
    loss, exact = reference(model, rows)
    verdict = examine(model, rows)
    with computing_in(torch.float32):
        assert verdict == examine(model, rows), "rounding decides nothing"
    allowed = tolerance(model, rows, exact)
    for kind in sorted(verdict.kinds):
        objective = Objective(model, verdict.way)
        near, found = gradients(model, objective, [piece_of(kind, rows)])
        assert lost(found, exact) <= allowed, kind
        assert near == pytest.approx(loss, rel=UNIT)
    for fault in ("counts", "mask", "positions") if "forest" in verdict.kinds else ():
        with monkeypatch.context() as patch:
            break_trie(fault, patch)
            _, found = gradients(model, Objective(model, "model"), [piece_of("forest", rows)])
        assert lost(found, exact) > 2 * allowed, f"a wrong one is noticed: {fault}"


@pytest.mark.parametrize("kept_in", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("twins", [False, True])
@pytest.mark.parametrize(("shared", "at_once"), [(24, 0), (120, 1 << 30)])
def test_the_self_check_sees_a_wrong_mask_below_the_rounding(
    kept_in: torch.dtype, twins: bool, shared: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an untrained base, whose logits hardly depend on what its rows see. Also where the rows
    that share most are equal: their trie has no branch."""
    model, rows = tiny("llama", initializer_range=0.02).to(kept_in), shared_rows(shared=shared)
    rows = [*rows, rows[2]] if twins else rows
    monkeypatch.setattr(float32, "_AT_ONCE", at_once)
    before = [weight.data_ptr() for weight in model.parameters()]
    assert "forest" in examine(model, rows).kinds
    assert [weight.data_ptr() for weight in model.parameters()] == before
    break_trie("mask", monkeypatch)
    assert examine(model, rows).kinds == {"rows", "prefix"}


@pytest.mark.parametrize("cap", [2.0, 30.0])
def test_a_soft_cap_far_above_the_logits_is_seen(cap: float) -> None:
    model = tiny("gemma2", final_logit_softcapping=cap, initializer_range=0.02)
    assert way_of(model, shared_rows()) == "model"
    assert way_of(tiny("llama"), shared_rows()) == "head"


def test_what_many_batches_send_to_a_prefix_is_not_rounded_away() -> None:
    """A sum in bfloat16 no longer grows once it is 256 times what is added."""
    model, ids = tiny("qwen2"), np.random.default_rng(1).integers(0, 256, 47)
    rows = [sample(ids, 3, line) for line in range(512)]
    _, once = reference(model, rows[:1])
    exact = {name: gradient * len(rows) for name, gradient in once.items()}
    allowed = tolerance(model, rows[:1], once)
    _, found = gradients(
        model, Objective(model, "head"), [Piece("prefix", [[row] for row in rows], 40)]
    )
    assert lost(found, exact) <= allowed


@pytest.mark.parametrize("adaptation", ["lora", "full"])
def test_a_job_keeps_the_dtype_that_it_began_with(
    recipe: Make, tmp_path: Path, adaptation: str
) -> None:
    given = recipe(compute_dtype="bfloat16", adaptation=adaptation, n_epochs=8)
    whole, parts, other = (tmp_path / name for name in ("whole", "parts", "other"))
    heard, again, elsewhere = Heard(), Heard(), Heard()
    train(given, whole, heard)
    losses = [step.train_loss for step in heard.of(Step)]
    assert sum(losses[-3:]) < 0.9 * sum(losses[:3])
    with pytest.raises(Stopped):
        train(given, parts, again, lambda: len(again.of(Step)) == 3)
    later = given.model_copy(update={"compute_dtype": "float32"})
    train(later, parts, again)
    assert not [said for said in again.of(Message) if "another environment" in said.message]
    train(later.model_copy(update={"n_epochs": 1}), other, elsewhere)
    one, two = (next((f / "model").glob("*model.safetensors")) for f in (whole, parts))
    assert one.read_bytes() == two.read_bytes()
    dtypes = [durable.manifest(f / "model")["about"]["dtype"] for f in (whole, parts, other)]
    assert dtypes == ["torch.bfloat16", "torch.bfloat16", "torch.float32"]


def test_parity_says_what_the_written_model_answers(
    recipe: Make, said: Heard, tmp_path: Path
) -> None:
    given = recipe(colours(12), [chat("y", "green " * 40), *colours(12)])
    train(given, tmp_path / "task", said)
    rows = durable.read_json(tmp_path / "task" / "parity.json")["rows"]
    plain = AutoModelForCausalLM.from_pretrained(given.base)
    # Logits of about 1 go through two layers, some six roundings in each; five deviations.
    allowed = 5 * UNIT * math.sqrt(14 / 3)
    shifted: list[float] = []
    for row in rows:
        with torch.no_grad():
            logits = plain(torch.tensor([row["prompt"] + row["answer"]])).logits[0]
        first, answer = len(row["prompt"]), torch.tensor(row["answer"])[:, None]
        expected = logits[first - 1 : -1].log_softmax(-1).gather(1, answer)[:, 0]
        found = torch.tensor(row["base"]["logprobs"])
        torch.testing.assert_close(found, expected, atol=allowed, rtol=0)
        wrong = logits[first:].log_softmax(-1).gather(1, answer)[:, 0]
        shifted.append((found - wrong).abs().max().item())
    assert min(shifted) > 2 * allowed, "a position that is one off is noticed"


def test_whole_weights_are_kept_exact_while_products_are_rounded(
    recipe: Make, said: Heard, tmp_path: Path
) -> None:
    """Steps far smaller than bfloat16 resolves would change nothing there."""
    base = write_base(tmp_path / "exact", "llama")
    given = recipe(base=base, adaptation="full", learning_rate_multiplier=1e-3, n_epochs=1)
    train(given, tmp_path / "task", said)
    before = load_file(base / "model.safetensors")
    after = load_file(tmp_path / "task" / "model" / "model.safetensors")
    moved = [(after[name] != weight).float().mean().item() for name, weight in before.items()]
    assert min(moved) > 0.2
