"""GGUF files out: the package `gguf` reads them, our own reader makes the same model of them."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import Gemma2Config, Gemma3TextConfig, LlamaConfig, Qwen2Config

from exporting.test_writing import carried_out, logits, recipe, theirs
from training.tiny import CONFIGS
from tunewright import durable
from tunewright.errors import BadRequest, JobFailed
from tunewright.exporting import gguf_files
from tunewright.gguf import making
from tunewright.gguf.dequantise import dequantised
from tunewright.gguf.kinds import Kind
from tunewright.gguf.quantise import quantised
from tunewright.weights.base import load_base

_KEPT = (
    "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads", "vocab_size",
    "max_position_embeddings", "eos_token_id",
)  # fmt: skip
_SHAPE: dict[str, Any] = {k: v for k, v in CONFIGS["llama"].to_dict().items() if k in _KEPT}
_GEMMA = {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 16}
MORE: dict[str, Any] = {
    "qwen2": Qwen2Config(**_SHAPE, num_hidden_layers=2, tie_word_embeddings=True),
    "gemma2": Gemma2Config(**_SHAPE, **_GEMMA, num_hidden_layers=2, final_logit_softcapping=2.0),
    "gemma3": Gemma3TextConfig(**_SHAPE, **_GEMMA, num_hidden_layers=7),
    "llama3": LlamaConfig(**_SHAPE, num_hidden_layers=2, rope_parameters={
        "rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0,
        "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}),
}  # fmt: skip
_LONGER = ("llama3", "qwen2", "gemma2", "gemma3")
NAMES = ["llama", "qwen3", "granite", *(pytest.param(n, marks=pytest.mark.slow) for n in _LONGER)]


@pytest.fixture(autouse=True)
def _more_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, config in MORE.items():
        monkeypatch.setitem(CONFIGS, name, config)


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.Q8_0, Kind.Q4_0])
def test_numbers_are_quantised_as_llama_cpp_does(kind: Kind) -> None:
    numbers = np.random.default_rng(1).standard_normal((64, 96)).astype(np.float32)
    numbers[3] = 0  # a block of nothing
    numbers[4, :32] = np.linspace(-1, 1, 32) * 127  # halves, on either side
    ours = quantised(numbers, kind)
    expected = gguf.quants.quantize(numbers, gguf.GGMLQuantizationType(int(kind)))
    assert np.array_equal(ours, expected.view(np.uint8).reshape(ours.shape))
    assert np.abs(dequantised(ours, kind) - numbers).max() <= np.abs(numbers).max() / 8


@pytest.mark.parametrize("name", NAMES)
def test_a_merged_file_is_the_model(tmp_path: Path, name: str) -> None:
    made = recipe(tmp_path, name, "gguf", "f16")
    found = carried_out(made)
    assert found.failure is None, found
    assert found.kept == pytest.approx(1, abs=0.02)
    file = made.directory / gguf_files.MODEL
    assert [path.name for path in made.directory.iterdir()] == [file.name]
    read = gguf.GGUFReader(file)
    assert read.fields["general.architecture"].contents() == name.replace("llama3", "llama")
    assert read.fields["tokenizer.ggml.pre"].contents() == "gpt-2"
    assert {t.tensor_type.name for t in read.tensors} == {"F32", "F16"}
    with gguf_files._converted(file) as directory:
        torch.testing.assert_close(
            logits(load_base(directory, dtype=torch.float32)), theirs(made), atol=0.02, rtol=0.02
        )


@pytest.mark.parametrize("dtype", ["q8_0", "q4_0"])
def test_quantised_files_pass_by_the_bases_own_noise(tmp_path: Path, dtype: str) -> None:
    made = recipe(tmp_path, "llama", "gguf", dtype)
    found = carried_out(made)
    assert found.failure is None, found
    assert 0 < found.difference <= found.tolerance == pytest.approx(4 * found.noise)
    kinds = {
        t.name: t.tensor_type.name for t in gguf.GGUFReader(made.directory / "model.gguf").tensors
    }
    assert kinds["blk.0.ffn_down.weight"] == dtype.upper()
    assert kinds["token_embd.weight"] == "Q8_0"
    assert kinds["output_norm.weight"] == "F32"


@pytest.mark.parametrize("name", ["llama", "qwen3"])
def test_an_adapter_file_is_the_adapter(tmp_path: Path, name: str) -> None:
    made = recipe(tmp_path, name, "gguf", None, only_adapter=True)
    found = carried_out(made)
    assert (found.failure, found.noise) == (None, 0)
    read = gguf.GGUFReader(made.directory / gguf_files.ADAPTER)
    assert read.fields["general.type"].contents() == "adapter"
    assert read.fields["adapter.lora.alpha"].contents() == 32
    tensors = {t.name: t.data for t in read.tensors}
    from tunewright.weights.peft import load_adapter

    pairs = load_adapter(made.adapter or Path()).weights
    assert len(tensors) == 2 * len(pairs)
    a, b = pairs["model.layers.1.self_attn.q_proj"]
    assert np.array_equal(tensors["blk.1.attn_q.weight.lora_a"], a.numpy())
    # llama.cpp's own conversion of the rows of a head, for the architectures where it is done.
    heads = 4
    turned = b.numpy().reshape(heads, 2, -1, 4).swapaxes(1, 2).reshape(b.shape)
    expected = turned if name == "llama" else b.numpy()
    assert np.array_equal(tensors["blk.1.attn_q.weight.lora_b"], expected)


@pytest.mark.parametrize("what", ["rows", "norms"])
def test_rows_in_the_wrong_order_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    made = recipe(tmp_path, "llama" if what == "rows" else "gemma2", "gguf", "f16")
    monkeypatch.setattr(making, "changed", lambda numbers, pair, size: numbers)
    assert carried_out(made).failure


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    made = recipe(tmp_path, "gpt2", "gguf", "f16")
    with pytest.raises(BadRequest, match="its architecture is gpt2") as refused:
        carried_out(made)
    assert "'to': 'merged'" in str(refused.value)


def test_a_scale_without_a_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = Gemma2Config(**_SHAPE, **{**_GEMMA, "query_pre_attn_scalar": 20}, num_hidden_layers=2)
    monkeypatch.setitem(CONFIGS, "gemma2", odd)
    with pytest.raises(BadRequest, match="its query_pre_attn_scalar is 20"):
        carried_out(recipe(tmp_path, "gemma2", "gguf", "f16"))


def test_a_way_to_cut_texts_without_a_name_is_refused(tmp_path: Path) -> None:
    made = recipe(tmp_path, "llama", "gguf", "f16")
    path = made.weights / "tokenizer.json"
    tokenizer = durable.read_json(path)
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": r"\d"}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    ]}  # fmt: skip
    durable.write_json(path, tokenizer)
    with pytest.raises(BadRequest, match="a way that GGUF has no name for"):
        carried_out(made)


def test_a_tokenizer_that_reads_back_as_another_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As under a near name: digits one by one."""
    made = recipe(tmp_path, "llama", "gguf", "f16")
    durable.write_json(made.weights / "tokenizer.json", _with_digits(made.weights))
    words = gguf_files.words
    monkeypatch.setattr(gguf_files, "words", lambda *given, **more: {
        **words(*given, **more), "tokenizer.ggml.pre": "smollm"})  # fmt: skip
    with pytest.raises(JobFailed, match="other tokens of a text"):
        carried_out(made)


def _with_digits(base: Path) -> dict[str, Any]:
    """A token for two digits, which is never made where digits are cut one by one."""
    tokenizer = durable.read_json(base / "tokenizer.json")
    tokenizer["added_tokens"] = [each for each in tokenizer["added_tokens"] if each["id"] != 259]
    tokenizer["model"]["vocab"]["12"] = 259
    tokenizer["model"]["merges"] = [["1", "2"]]
    return tokenizer


def test_ollama_gets_a_modelfile(tmp_path: Path) -> None:
    made = recipe(tmp_path, "llama", "ollama", "q8_0", licence="apache-2.0")
    assert carried_out(made).failure is None
    assert (made.directory / "Modelfile").read_text() == (
        "FROM ./model.gguf\n"
        'TEMPLATE """{{ range .Messages }}'
        '{{ if eq .Role "system" }}<|system|>{{ .Content }}<|end|>'
        '{{ else if eq .Role "user" }}<|user|>{{ .Content }}<|end|>'
        '{{ else if eq .Role "assistant" }}<|assistant|>{{ .Content }}<|end|>'
        '{{ end }}{{ end }}<|assistant|>"""\n'
        "PARAMETER num_ctx 512\n"
        'PARAMETER stop "<|end|>"\n'
        'LICENSE "apache-2.0"\n'
    )


def test_a_model_of_which_all_weights_were_trained_is_quantised_beside_its_base(
    tmp_path: Path,
) -> None:
    made = recipe(tmp_path, "qwen3", "gguf", "q8_0")
    model = load_base(made.start, dtype=torch.float32)
    generator = torch.Generator().manual_seed(5)
    for weight in model.parameters():
        weight.data += 0.02 * torch.randn(weight.shape, generator=generator) * (weight.dim() > 1)
    whole = tmp_path / "whole"
    model.to(torch.bfloat16).save_pretrained(whole)  # pyright: ignore[reportArgumentType]
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (whole / name).write_bytes((made.start / name).read_bytes())
    full = made.model_copy(update={"weights": whole, "adapter": None})
    found = carried_out(full)
    assert found.failure is None, found
    assert found.effect > 0.05
    assert found.kept == pytest.approx(1, abs=0.2)


def test_a_completion_model_needs_no_template(tmp_path: Path) -> None:
    made = recipe(tmp_path, "llama", "ollama", "f16", kind="completion")
    assert carried_out(made).failure is None
    assert 'TEMPLATE "{{ .Prompt }}"\n' in (made.directory / "Modelfile").read_text()
    keys = gguf.GGUFReader(made.directory / gguf_files.MODEL).fields
    assert "tokenizer.chat_template" not in keys
