"""Every plan gives the loss and the gradients of the rows computed one by one."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plans import ARCHITECTURES, close, gradients, piece_of, reference, sample, tiny
from torch import Tensor
from transformers import PreTrainedModel

from tunewright.training.examples import Sample
from tunewright.training.loss import Objective, Way
from tunewright.training.memory import recompute
from tunewright.training.plans import layouts
from tunewright.training.plans.costs import Costs
from tunewright.training.plans.planner import BUDGETS, Kind, Piece, Planner
from tunewright.training.plans.tries import Sorted
from tunewright.training.selfcheck import examine
from tunewright.weights.lora import attach

ALL = frozenset[Kind]({"rows", "prefix", "forest"})


def shared_rows(count: int = 6, shared: int = 24) -> list[Sample]:
    """A shared prefix, own ends of different lengths; two of them share more."""
    random = np.random.default_rng(3)
    system = random.integers(0, 256, shared)
    rows = [
        np.concatenate([system, random.integers(0, 256, 9 + 3 * line)]) for line in range(count)
    ]
    rows[1] = np.concatenate([rows[0][: shared + 5], random.integers(0, 256, 7)])
    return [sample(ids, 3, line) for line, ids in enumerate(rows)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_and_gradients_are_those_of_the_rows_alone(architecture: str) -> None:
    model, rows = tiny(architecture), shared_rows()
    verdict = examine(model, rows)
    assert verdict.way == ("model" if architecture == "gemma2" else "head")
    # Their windows are shorter than the rows; the next test shows that this is ruled out rightly.
    assert verdict.kinds == (ALL - {"forest"} if architecture in ("mistral", "gemma3") else ALL)
    expected = reference(model, rows)
    for kind in sorted(verdict.kinds):
        loss, found = gradients(model, Objective(model, verdict.way), [piece_of(kind, rows)])
        assert loss == pytest.approx(expected[0], rel=1e-5)
        close(found, expected[1], 1e-4)


def test_a_window_shorter_than_the_rows_rules_the_forest_out_rightly() -> None:
    model, rows = tiny("mistral"), shared_rows()
    expected = reference(model, rows)
    loss, _ = gradients(model, Objective(model), [piece_of("forest", rows)])
    assert loss != pytest.approx(expected[0], rel=1e-4)


@pytest.mark.parametrize("rope", ["dynamic", "longrope"])
def test_a_rotation_that_depends_on_the_batch_shares_nothing(rope: str) -> None:
    scaling = {"rope_type": rope, "rope_theta": 1e4, "factor": 2.0}
    if rope == "longrope":
        factors = {"short_factor": [1.0] * 8, "long_factor": [2.0] * 8}
        scaling |= {**factors, "original_max_position_embeddings": 24}
    verdict = examine(tiny("llama", rope_parameters=scaling), shared_rows())
    assert verdict.kinds == {"rows"}
    assert "rotation" in verdict.refused[0]


def test_a_base_whose_mask_means_something_else_fails_its_self_check(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, rows = tiny("llama"), shared_rows()
    plain = model.forward

    def ignoring(*args: object, **given: object) -> object:
        given.pop("attention_mask", None)
        return plain(*args, **given)

    monkeypatch.setattr(ignoring, "__wrapped__", plain, raising=False)  # keeps the signature
    monkeypatch.setattr(model, "forward", ignoring)
    verdict = examine(model, rows)
    assert verdict.kinds == {"rows", "prefix"}
    assert "'forest'" in verdict.refused[0]


@pytest.mark.parametrize("kind", ["prefix", "forest"])
def test_no_gradient_flows_from_one_rows_loss_into_anothers_own_tokens(kind: Kind) -> None:
    model, rows = tiny("qwen2"), shared_rows(4)  # untied: its head touches every token
    only = rows[2]
    muted = [
        Sample(row.ids, len(row.ids) if row is not only else row.start, row.line, 0) for row in rows
    ]
    _, found = gradients(model, Objective(model), [piece_of(kind, muted)])
    embedding = model.get_input_embeddings().get_parameter("weight")
    assert embedding.grad is not None
    moved = set(torch.nonzero(embedding.grad.abs().sum(-1)).flatten().tolist())
    assert moved <= set(only.ids.tolist())
    assert set(only.ids.tolist()[:-1]) <= moved
    assert found


@pytest.mark.parametrize("kind", ["rows", "prefix", "forest"])
@pytest.mark.parametrize("way", ["head", "model"])
def test_rows_count_as_they_weigh(kind: Kind, way: Way) -> None:
    """Equal rows of opposite weights, too: what they share in a trie cancels out."""
    model, rows = tiny("llama"), [*shared_rows(), *shared_rows()[:3]]
    given = [0.5, -1.0, 0.0, 2.0, 0.25, -0.5, 1.0, -3.0]
    weighed = [replace(row, weight=given[at % len(given)]) for at, row in enumerate(rows)]
    expected = reference(model, weighed)
    loss, found = gradients(model, Objective(model, way), [piece_of(kind, weighed)])
    assert loss == pytest.approx(expected[0], rel=1e-4)
    close(found, expected[1], 1e-4)
    unweighed = reference(model, rows)
    with pytest.raises(AssertionError):
        close(found, unweighed[1], 1e-1)


@pytest.mark.parametrize("fault", ["counts", "mask", "positions"])
def test_a_wrong_trie_is_noticed(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: with what is easily got wrong, it does."""
    model, rows = tiny("llama"), [*shared_rows(), shared_rows()[2]]
    expected = reference(model, rows)
    real = layouts.trie

    def wrong(*given: object) -> layouts.Layout:
        made = real(*given)  # pyright: ignore[reportArgumentType]
        assert made.mask is not None
        assert made.counts is not None
        changed: dict[str, Tensor] = {
            "counts": torch.ones_like(made.counts),
            "mask": torch.zeros_like(made.mask).masked_fill_(
                torch.ones_like(made.mask).triu(1).bool(), torch.finfo(made.mask.dtype).min
            ),
            "positions": torch.arange(made.ids.shape[1])[None],
        }
        return layouts.Layout(**{**vars(made), fault: changed[fault]})

    monkeypatch.setattr(layouts, "trie", wrong)
    _, found = gradients(model, Objective(model), [piece_of("forest", rows)])
    with pytest.raises(AssertionError):
        close(found, expected[1], 1e-4)


@pytest.mark.parametrize("kind", ["prefix", "forest"])
def test_many_batches_accumulate_to_the_same(kind: Kind) -> None:
    model, rows = tiny("llama"), shared_rows(9)
    expected = reference(model, rows)
    budget = {"prefix": 90, "forest": 22}[kind]  # a trie may have four times as many tokens
    pieces = Planner(Costs.of(model), frozenset({"rows", kind})).plan(rows, budget)
    assert sum(len(piece.batches) for piece in pieces) > 1
    loss, found = gradients(model, Objective(model), pieces)
    assert loss == pytest.approx(expected[0], rel=1e-5)
    close(found, expected[1], 1e-4)


@pytest.mark.parametrize("kind", ["rows", "forest"])  # a prefix needs a cache, which it forbids
def test_gradient_checkpointing_changes_nothing(kind: Kind) -> None:
    model, rows = tiny("gpt2"), shared_rows()  # with dropout, which must stay off
    expected = reference(model, rows)
    assert recompute(model)
    assert not recompute(model)
    loss, found = gradients(model, Objective(model), [piece_of(kind, rows)])
    assert loss == pytest.approx(expected[0], rel=1e-5)
    close(found, expected[1], 1e-4)


def test_a_forest_longer_than_the_context() -> None:
    model, rows = tiny("llama", max_position_embeddings=64), shared_rows(8)
    assert Sorted.of(rows).nodes > 64 >= max(len(row.ids) for row in rows)
    expected = reference(model, rows)
    loss, found = gradients(model, Objective(model), [piece_of("forest", rows)])
    assert loss == pytest.approx(expected[0], rel=1e-5)
    close(found, expected[1], 1e-4)


def test_with_lora_and_twenty_identical_rows(tmp_path: Path) -> None:
    model = tiny("qwen3")
    attach(model, 4, 8, seed=1)
    for name, weight in model.named_parameters():
        if weight.requires_grad and ".b." in name:
            torch.nn.init.normal_(weight, std=0.1)
    rows = [*shared_rows(3), *([shared_rows(3)[1]] * 20)]
    expected = reference(model, rows)
    for kind in ("prefix", "forest"):
        loss, found = gradients(model, Objective(model, "head"), [piece_of(kind, rows)])
        assert loss == pytest.approx(expected[0], rel=1e-5)
        close(found, expected[1], 1e-4)


token = st.integers(0, 2)  # so few that rows share prefixes by chance


@st.composite
def any_rows(draw: st.DrawFn) -> list[Sample]:
    rows = draw(st.lists(st.lists(token, min_size=2, max_size=12), min_size=1, max_size=7))
    return [
        sample(np.array(ids), draw(st.integers(1, len(ids) - 1)), line)
        for line, ids in enumerate(rows)
    ]


@given(rows=any_rows(), budget=st.integers(1, 40))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_rows_by_any_choice_of_the_planner(rows: list[Sample], budget: int) -> None:
    model = _llama()
    expected = reference(model, rows)
    for kinds in (ALL, ALL - {"prefix"}, ALL - {"forest"}):
        pieces = _eager(model, kinds).plan(rows, budget)
        assert sorted(r.line for p in pieces for r in p.rows) == list(range(len(rows)))
        loss, found = gradients(model, Objective(model), pieces)
        assert loss == pytest.approx(expected[0], rel=1e-4)
        close(found, expected[1], 1e-4)


_made: list[PreTrainedModel] = []


def _llama() -> PreTrainedModel:
    if not _made:
        _made.append(tiny("llama"))
    return _made[0]


def _eager(model: PreTrainedModel, kinds: frozenset[Kind]) -> Planner:
    """Shares wherever it may: calls cost nothing."""
    costs = Costs.of(model)
    free = type(costs.rates)(**{**vars(costs.rates), "call": 0.0})
    return Planner(type(costs)(**{**vars(costs), "rates": free}), kinds)


@pytest.mark.parametrize(
    ("rows", "kinds"),
    [
        (lambda: [sample(np.arange(40) + 40 * i, 3, i) for i in range(4)], {"rows"}),
        (lambda: shared_rows(16, 300), {"prefix", "forest"}),
    ],
)
def test_what_the_planner_chooses(rows: Callable[[], list[Sample]], kinds: set[str]) -> None:
    planner = Planner(Costs.of(tiny("llama", hidden_size=256, intermediate_size=704)), ALL)
    pieces = planner.plan(rows(), 2048)
    assert {piece.kind for piece in pieces} <= kinds
    assert planner.plan(rows()[::-1], 2048)[0].kind == pieces[0].kind


def test_the_turns_of_a_long_conversation_are_computed_once() -> None:
    """Also where it is longer than a batch may be."""
    said = np.random.default_rng(4).integers(0, 256, 900)
    turns = [sample(said[:end], 40, 0) for end in range(150, 901, 150)]
    costs = Costs.of(tiny("llama", hidden_size=256, intermediate_size=704))
    pieces = Planner(costs, ALL).plan(turns, BUDGETS["cpu"])
    assert len(said) > BUDGETS["cpu"]
    assert sum(piece.computed for piece in pieces) < 1.1 * len(said)
    assert sum(len(piece.rows) for piece in pieces) == len(turns)


def test_a_shared_beginning_is_computed_once() -> None:
    rows = shared_rows(6, 40)
    prefix: Piece = piece_of("prefix", rows)
    longest = [max(len(row.ids) for row in some) - 40 for some in (rows[:2], rows[2:])]
    assert prefix.computed == 40 + 2 * longest[0] + 4 * longest[1]
    own = sum(len(row.ids) - 40 for row in rows)
    assert piece_of("forest", rows).computed == 40 + own - 5
