"""A base that cannot be used is refused when it is added; what it takes is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from rendering.models import CHATML
from training.tiny import write_base
from tunewright.errors import BadRequest
from tunewright.probing import probe
from tunewright.rendering.configuration import Configuration
from tunewright.resources.bases import check_directory


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base", "llama")


def configure(base: Path, **more: object) -> None:
    path = base / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


def test_a_tokenizer_that_is_larger_than_the_embedding(base: Path) -> None:
    layout = json.loads((base / "tokenizer.json").read_text())
    last = max(token["id"] for token in layout["added_tokens"])
    more = {**layout["added_tokens"][-1], "id": last + 500, "content": "<|beyond|>"}
    for id in range(last + 1, last + 501):
        layout["added_tokens"].append({**more, "id": id, "content": f"<|beyond {id}|>"})
    (base / "tokenizer.json").write_text(json.dumps(layout))
    with pytest.raises(BadRequest, match=r"embedding .* rows.*resize_token_embeddings"):
        probe(base, "chat")


def test_weights_that_are_no_numbers(base: Path) -> None:
    weights = load_file(base / "model.safetensors")
    name = next(iter(weights))
    save_file(
        weights | {name: np.full_like(weights[name], np.nan)},
        base / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(BadRequest, match=r"weights of .* cannot be used"):
        probe(base, "chat")


def test_quantised_weights(base: Path) -> None:
    configure(base, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(BadRequest, match=r"quantised \(gptq\).*add the model that they were made"):
        check_directory(base)


@pytest.mark.parametrize("length", ["long", 0, -1, True])
def test_a_context_that_is_no_length(base: Path, length: object) -> None:
    configure(base, max_position_embeddings=length)
    with pytest.raises(BadRequest, match="max_position_embeddings"):
        Configuration.read(base).context()


def test_a_context_without_end_is_none(base: Path) -> None:
    configure(base, max_position_embeddings=1e30)
    assert Configuration.read(base).context() == 2048


def test_a_template_in_a_file_of_json(base: Path) -> None:
    (base / "chat_template.jinja").unlink()
    assert Configuration.read(base).template() is None
    (base / "chat_template.json").write_text(json.dumps({"chat_template": CHATML}))
    assert Configuration.read(base).template() == CHATML


def test_what_a_template_does_not_take_is_said(base: Path) -> None:
    (base / "chat_template.jinja").write_text(
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('in turn') }}{% endif %}{{ m.content }}<|end|>{% endfor %}"
    )
    notes = " ".join(probe(base, "chat"))
    assert "no system message" in notes
    assert "a user message first" in notes
    assert "knows no tools" in notes
