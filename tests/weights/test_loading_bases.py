from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tunewright import durable
from tunewright.errors import BadRequest, Corrupt
from tunewright.weights.base import load_base


def test_a_base_comes_in_eval_mode_and_in_the_asked_dtype(base: Path) -> None:
    model = load_base(base, dtype=torch.bfloat16)
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("remove", "words"), [("model.safetensors", "safetensors"), ("config.json", "config.json")]
)
def test_an_incomplete_directory_is_refused(base: Path, remove: str, words: str) -> None:
    (base / remove).rename(base / "pytorch_model.bin")
    with pytest.raises(BadRequest, match=words):
        load_base(base)


def test_an_adapter_is_no_base(base: Path) -> None:
    durable.write_json(base / "adapter_config.json", {"base_model_name_or_path": "elsewhere"})
    with pytest.raises(BadRequest, match="adapter"):
        load_base(base)


def test_code_in_the_directory_never_runs(base: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    (base / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    config = durable.read_json(base / "config.json")
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    durable.write_json(base / "config.json", config)
    with pytest.raises(BadRequest):
        load_base(base)
    assert not marker.exists()


def test_a_flipped_bit_is_noticed_when_asked(base: Path) -> None:
    durable.write_manifest(base)
    load_base(base, verify=True)
    data = bytearray((base / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (base / "model.safetensors").write_bytes(data)
    with pytest.raises(Corrupt, match="sha256"):
        load_base(base, verify=True)


def test_a_cut_file_and_a_missing_weight_are_noticed(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    whole = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(whole[:-9])
    with pytest.raises(Corrupt, match="broken"):
        load_base(base)
    gone = max(weights)
    save_file({k: w for k, w in weights.items() if k != gone}, base / "model.safetensors")
    with pytest.raises(Corrupt, match="lacks weights"):
        load_base(base)


def test_surplus_weights_and_other_shapes_are_noticed(base: Path) -> None:
    """transformers drops the ones, fills the others with random numbers, and warns."""
    weights = load_file(base / "model.safetensors")
    name = max(weights)
    save_file({**weights, "surplus": weights[name].clone()}, base / "model.safetensors")
    with pytest.raises(Corrupt, match="no place for, among them surplus"):
        load_base(base)
    save_file({**weights, name: weights[name][:-1].clone()}, base / "model.safetensors")
    with pytest.raises(Corrupt, match=f"other shapes .*, among them {name}"):
        load_base(base)


def test_a_part_that_is_missing_or_an_index_that_is_none_is_noticed(base: Path) -> None:
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(base, max_shard_size="60KB")
    (base / "model.safetensors").unlink()
    load_base(base)
    part = max(base.glob("model-*.safetensors"))
    part.rename(base / "elsewhere")
    with pytest.raises(Corrupt, match=f"lacks {part.name}"):
        load_base(base)
    for nonsense in ("{", "[]", '{"weight_map": {"a": 1}}'):
        (base / "model.safetensors.index.json").write_text(nonsense)
        with pytest.raises(Corrupt, match=r"index\.json"):
            load_base(base)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_nan_and_infinity_are_refused(base: Path, bad: float) -> None:
    weights = load_file(base / "model.safetensors")
    name = next(iter(weights))
    weights[name].view(-1)[3] = bad
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Corrupt, match="NaN or infinite"):
        load_base(base)
