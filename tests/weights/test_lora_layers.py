from pathlib import Path

import peft
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt
from tunewright.weights.base import load_base
from tunewright.weights.lora import Adapter, adapter_of, add, attach, remove, select, wrap
from tunewright.weights.peft import TENSORS, load_adapter, save_adapter

IDS = torch.arange(24).reshape(3, 8) * 7 % 300


def logits(model: torch.nn.Module, ids: Tensor = IDS) -> Tensor:
    with torch.no_grad():
        return model(input_ids=ids, use_cache=False).logits


def trained(base: Path, seed: int, rank: int = 4) -> Adapter:
    """An adapter whose B is not zero, as after training."""
    model = load_base(base, dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    for layer in attach(model, rank, 32, seed):
        layer.b["0"].data = torch.randn(layer.b["0"].shape, generator=generator) * 0.02
    return adapter_of(model, 0, base="some/base")


@pytest.fixture
def saved(base: Path, tmp_path: Path) -> Path:
    with durable.directory(tmp_path / "adapter") as directory:
        save_adapter(directory, trained(base, 1))
    return tmp_path / "adapter"


def test_a_fresh_adapter_changes_nothing_and_is_the_same_for_a_seed(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    before = logits(model)
    layers = attach(model, 4, 32, seed=5)
    assert torch.equal(logits(model), before)
    first = [layer.a["0"].clone() for layer in layers]
    again = attach(load_base(base, dtype=torch.float32), 4, 32, seed=5)
    assert all(torch.equal(a, layer.a["0"]) for a, layer in zip(first, again, strict=True))


def test_only_the_adapter_is_trainable_and_the_head_is_untouched(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    layers = attach(model, 4, 32, seed=0)
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert trainable == {id(p) for layer in layers for p in (layer.a["0"], layer.b["0"])}
    assert isinstance(model.get_output_embeddings(), torch.nn.Linear)


def test_peft_loads_ours_with_equal_logits(base: Path, saved: Path) -> None:
    ours = load_base(base, dtype=torch.float32)
    add(ours, 0, load_adapter(saved, verify=True))
    select(ours, 0)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    untuned = logits(plain)
    theirs = peft.PeftModel.from_pretrained(plain, saved)
    assert not torch.allclose(logits(theirs), untuned, atol=1e-3)
    torch.testing.assert_close(logits(ours), logits(theirs), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", [{}, {"use_rslora": True}])
def test_we_load_pefts_with_equal_logits(base: Path, tmp_path: Path, options: dict) -> None:
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    config = peft.LoraConfig(
        r=4, lora_alpha=16, target_modules="all-linear", init_lora_weights=False, **options
    )
    theirs = peft.get_peft_model(plain, config).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    ours = load_base(base, dtype=torch.float32)
    add(ours, 0, load_adapter(tmp_path / "theirs"))
    select(ours, 0)
    torch.testing.assert_close(logits(ours), logits(theirs), atol=1e-5, rtol=1e-5)


def test_rows_of_different_adapters_in_one_batch_equal_each_alone(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    add(model, 3, trained(base, 1))
    add(model, 7, trained(base, 2, rank=8))
    alone = []
    for row, slot in enumerate([7, -1, 3]):
        select(model, slot)
        alone.append(logits(model, IDS[row : row + 1]))
    select(model, [7, -1, 3])
    torch.testing.assert_close(logits(model), torch.cat(alone), atol=1e-5, rtol=1e-5)
    select(model, None)
    torch.testing.assert_close(logits(model)[1:2], alone[1], atol=1e-5, rtol=1e-5)


def test_a_removed_adapter_acts_no_more(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    before = logits(model)
    add(model, 0, trained(base, 1))
    remove(model, 0)
    select(model, 0)
    assert torch.equal(logits(model), before)
    assert not any(layer.scales for layer in wrap(model).values())


def test_an_adapter_in_bfloat16_stays_near(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    add(model, 0, trained(base, 1))
    add(model, 1, trained(base, 1), dtype=torch.bfloat16)
    select(model, 0)
    exact = logits(model)
    select(model, 1)
    torch.testing.assert_close(logits(model), exact, atol=0.05, rtol=0.05)


def test_another_bases_adapter_is_refused_and_nothing_changes(base: Path) -> None:
    model = load_base(base, dtype=torch.float32)
    good = trained(base, 1)
    path = next(iter(good.weights))
    for weights in (
        good.weights | {"no.such.layer": (torch.zeros(4, 8), torch.zeros(8, 4))},
        good.weights | {path: (torch.zeros(4, 8), torch.zeros(8, 4))},
    ):
        with pytest.raises(BadRequest, match="another base"):
            add(model, 0, Adapter(weights=weights, alpha=32))
        assert not any(layer.scales for layer in wrap(model).values())


def test_what_we_do_not_compute_is_refused_by_name(saved: Path) -> None:
    config = durable.read_json(saved / "adapter_config.json")
    durable.write_json(saved / "adapter_config.json", config | {"use_dora": True})
    with pytest.raises(BadRequest, match="use_dora"):
        load_adapter(saved)


def test_a_changed_or_cut_adapter_is_noticed(saved: Path) -> None:
    whole = (saved / TENSORS).read_bytes()
    (saved / TENSORS).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(Corrupt):
        load_adapter(saved, verify=True)
    (saved / TENSORS).write_bytes(whole[:-9])
    with pytest.raises(Corrupt):
        load_adapter(saved)


def test_nan_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = trained(base, 1)
    next(iter(adapter.weights.values()))[0][0, 0] = float("nan")
    save_adapter(tmp_path, adapter)
    with pytest.raises(Corrupt, match="NaN"):
        load_adapter(tmp_path)
