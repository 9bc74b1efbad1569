"""Attention by products is SDPA's, and a job keeps to the way that it began with."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from plans import ARCHITECTURES, close, gradients, piece_of, reference, tiny
from test_plans import shared_rows
from tiny import Heard
from torch import Tensor
from transformers import PreTrainedModel

from tunewright.training import attending, parity
from tunewright.training.loss import Objective
from tunewright.training.plans.planner import Kind
from tunewright.training.ranks import ALONE
from tunewright.training.recipe import Recipe
from tunewright.training.supervised import train
from tunewright.weights import attention
from tunewright.weights.attention import PRODUCTS, Attention, by_sdpa, use

BY_SDPA = [name for name in ARCHITECTURES if name != "gemma2"]


@pytest.mark.parametrize("architecture", BY_SDPA)
def test_loss_and_gradients_are_those_of_sdpa(architecture: str) -> None:
    """Masked, unmasked, after a prefix and in a trie; with grouped heads and with windows."""
    model, rows = tiny(architecture), shared_rows()
    loss, expected = reference(model, rows)
    assert use(model, PRODUCTS)
    kinds: list[Kind] = ["rows", "prefix", "forest"]
    for kind in kinds:
        if architecture in ("gemma3", "mistral") and kind == "forest":
            continue  # rows reach beyond the window
        total, found = gradients(model, Objective(model, "model"), [piece_of(kind, rows)])
        assert total == pytest.approx(loss, rel=1e-5), kind
        close(found, expected, 2e-5)


def test_products_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not SDPA under another name; rows that are too long for them still are."""
    model, rows = tiny("llama"), shared_rows()
    use(model, PRODUCTS)
    pieces = [piece_of("prefix", rows)]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("SDPA was asked")

    with monkeypatch.context() as patch:
        patch.setattr(attention, "sdpa_attention_forward", refuse)
        _, found = gradients(model, Objective(model, "head"), pieces)
        monkeypatch.setattr(attention, "LONGEST", 20)
        with pytest.raises(AssertionError, match="SDPA"):
            gradients(model, Objective(model, "head"), pieces)
    _, long = gradients(model, Objective(model, "head"), pieces)
    close(found, long, 2e-5)


@pytest.mark.parametrize("fault", ["scale", "mask", "groups"])
def test_a_wrong_product_is_not_used(
    fault: str, recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, rows = tiny("llama"), shared_rows()
    plain = attention._attend

    def wrong(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
        if fault == "groups":
            k = k.flip(1)
        if fault == "mask" and mask is not None:
            mask = torch.ones_like(mask)
        return plain(q, k, v, mask, scale * (2 if fault == "scale" else 1))

    monkeypatch.setattr(attending, "faster", lambda *_: PRODUCTS)
    good = attending.examined(model, rows, recipe(), tmp_path, ALONE)
    assert attending.way(model) == PRODUCTS
    use(model, "sdpa")
    monkeypatch.setattr(attention, "_attend", wrong)
    assert attending.examined(model, rows, recipe(), tmp_path, ALONE) == good
    assert attending.way(model) == "sdpa"


def test_plain_is_what_nobody_chose() -> None:
    model = tiny("llama")
    use(model, PRODUCTS)
    with by_sdpa(model):
        assert model.config._attn_implementation == "sdpa"
    assert model.config._attn_implementation == PRODUCTS
    gemma = tiny("gemma2")  # whose soft cap SDPA has not
    assert not use(gemma, PRODUCTS)
    assert gemma.config._attn_implementation == "eager"


@pytest.mark.parametrize("began", ["sdpa", PRODUCTS])
def test_a_job_keeps_to_the_way_that_it_began_with(
    began: str, recipe: Callable[..., Recipe], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its parity is computed so too."""
    other = PRODUCTS if began == "sdpa" else "sdpa"
    used: list[str] = []
    plain = attention.use

    def noted(model: PreTrainedModel, how: Attention) -> bool:
        used.append(how)
        return plain(model, how)

    monkeypatch.setattr(parity, "use", noted)
    answers = iter([began, other])
    monkeypatch.setattr(attending, "faster", lambda *_: next(answers))
    told: list[str | None] = []
    for _ in range(2):
        heard = Heard()
        train(recipe(), tmp_path / "job", heard)
        told.append(attending._kept(tmp_path / "job"))
    assert told == [began, began]
    assert set(used) == {began}


def test_a_machine_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([PRODUCTS])
    monkeypatch.setattr(attending, "faster", lambda *_: next(answers))
    file, device = tmp_path / "speed.json", "cpu"
    assert [attending._machines(file, device) for _ in range(2)] == [PRODUCTS] * 2
    with pytest.raises(StopIteration):
        attending._machines(None, device)
