"""What is written is read by peft and transformers, and is the model; what is not fails."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import peft
import pytest
import torch
from transformers import AutoModelForCausalLM

from training.tiny import CONFIGS, write_base
from tunewright import durable
from tunewright.exporting import writing
from tunewright.exporting.recipe import Recipe, Row
from tunewright.exporting.report import Compared, Said
from tunewright.exporting.run import run
from tunewright.weights.base import load_base
from tunewright.weights.lora import Adapter, adapter_of, attach
from tunewright.weights.peft import save_adapter


def write_adapter(base: Path, target: Path) -> Path:
    """One whose B is not zero, as after training."""
    model = load_base(base, dtype=torch.float32)
    generator = torch.Generator().manual_seed(1)
    for layer in attach(model, 4, 32, seed=1):
        layer.b["0"].data = torch.randn(layer.b["0"].shape, generator=generator) * 0.02
    with durable.directory(target) as directory:
        save_adapter(directory, adapter_of(model, 0, base="some/base"))
    return target


def recipe(tmp_path: Path, name: str, to: str, dtype: str | None, **given: Any) -> Recipe:
    stored = given.pop("stored", torch.bfloat16)
    base = write_base(tmp_path / "base", name, stored)
    adapter = write_adapter(base, tmp_path / "adapter")
    ids = np.random.default_rng(0).integers(0, 256, (6, 24)).tolist()
    directory = tmp_path / "out"
    directory.mkdir()
    return Recipe(
        start=base,
        weights=base,
        adapter=adapter,
        directory=directory,
        name="ft:some/base:tests::1",
        base_name="some/base",
        kind=given.pop("kind", "chat"),
        to=to,  # pyright: ignore[reportArgumentType]
        dtype=dtype,  # pyright: ignore[reportArgumentType]
        rows=[Row(prompt=row[: 4 + at], answer=row[4 + at :]) for at, row in enumerate(ids)],
        **given,
    )


def carried_out(recipe: Recipe) -> Compared:
    said: list[Said] = []
    run(recipe, said.append)
    assert isinstance(said[-1], Compared)
    return said[-1]


IDS = torch.arange(24).reshape(3, 8) * 7 % 250


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits.float()


def theirs(recipe: Recipe) -> torch.Tensor:
    """Of the base with the adapter, as PEFT computes them."""
    base = AutoModelForCausalLM.from_pretrained(recipe.weights, dtype=torch.float32)
    return logits(peft.PeftModel.from_pretrained(base, str(recipe.adapter)).eval())


@pytest.mark.parametrize("name", CONFIGS)
def test_merged_weights_are_the_model_and_transformers_reads_them(
    tmp_path: Path, name: str
) -> None:
    made = recipe(tmp_path, name, "merged", "fp32")
    found = carried_out(made)
    assert found.failure is None
    assert found.noise == 0
    assert found.kept == pytest.approx(1, abs=1e-3)
    assert found.effect > 0.01
    read = AutoModelForCausalLM.from_pretrained(made.directory, dtype="auto")
    assert read.dtype == torch.float32
    torch.testing.assert_close(logits(read), theirs(made), atol=2e-5, rtol=1e-5)


def test_rounding_to_bfloat16_is_measured_and_allowed_for(tmp_path: Path) -> None:
    made = recipe(tmp_path, "llama", "merged", "bf16")
    found = carried_out(made)
    assert found.failure is None
    assert 0 < found.noise < 0.05
    assert 0 < found.difference <= found.tolerance
    read = AutoModelForCausalLM.from_pretrained(made.directory, dtype="auto")
    assert read.dtype == torch.bfloat16
    torch.testing.assert_close(logits(read.float()), theirs(made), atol=0.05, rtol=0.05)


def test_the_adapter_is_read_by_peft(tmp_path: Path) -> None:
    made = recipe(tmp_path, "qwen3", "peft", None)
    found = carried_out(made)
    assert (found.failure, found.noise) == (None, 0)
    base = AutoModelForCausalLM.from_pretrained(made.weights, dtype=torch.float32)
    read = peft.PeftModel.from_pretrained(base, str(made.directory)).eval()
    torch.testing.assert_close(logits(read), theirs(made))
    assert {file.name for file in made.directory.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "chat_template.jinja",
        "generation_config.json",
        "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip


def test_what_older_readers_look_for_is_there(tmp_path: Path) -> None:
    """transformers 4 reads past `rope_parameters`, and would compute with a theta of 10,000."""
    made = recipe(tmp_path, "llama", "merged", "bf16")
    config = json.loads((made.weights / "config.json").read_text())
    config["rope_parameters"]["rope_theta"] = 50_000.0
    config.pop("rope_theta", None)
    (made.weights / "config.json").write_text(json.dumps(config))
    assert carried_out(made).failure is None
    written = json.loads((made.directory / "config.json").read_text())
    assert written["rope_theta"] == 50_000.0
    assert written["torch_dtype"] == written["dtype"] == "bfloat16"


def broken_scale(adapter: Adapter) -> Adapter:
    return Adapter(adapter.weights, adapter.alpha * 1.3)


def broken_order(adapter: Adapter) -> Adapter:
    """As when the rows of a permuted layer are not permuted back."""
    turned = {path: (a, b.flip(0) if "q_proj" in path else b)
              for path, (a, b) in adapter.weights.items()}  # fmt: skip
    return Adapter(turned, adapter.alpha)


def left_out(adapter: Adapter) -> Adapter:
    last = max(adapter.weights)
    weights = {path: pair for path, pair in adapter.weights.items() if path != last}
    return Adapter(weights, adapter.alpha)


@pytest.mark.parametrize("fault", [broken_scale, broken_order, left_out])
@pytest.mark.parametrize("dtype", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_files_that_are_not_the_model_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, dtype: str
) -> None:
    made = recipe(tmp_path, "llama", "merged", dtype)
    merge = writing.merge
    monkeypatch.setattr(writing, "merge", lambda model, adapter: merge(model, fault(adapter)))
    found = carried_out(made)
    assert found.failure, found
