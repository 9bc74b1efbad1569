"""A prompt that the model cannot read is answered, and the answer's header says so."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dataset.conftest import write_model_of_words
from tunewright.generation.generator import ModelSpec
from tunewright.records.completions import ChatRequest, CompletionRequest
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.chat import Chat
from tunewright.resources.completions import Completions


@pytest.mark.parametrize("kind", ["chat", "completion"])
def test_a_prompt_that_cannot_be_read_is_said(tmp_path: Path, kind: Any) -> None:
    renderer = Renderer.load(write_model_of_words(tmp_path), chat=kind == "chat")
    weights = Weights(
        id="words", kind=kind, base="words", base_directory=str(tmp_path), base_fingerprint="f" * 9
    )
    spec = ModelSpec("words", str(tmp_path), None, "f" * 9)
    models: Any = SimpleNamespace(weights=lambda name, kinds: weights, spec=lambda weights: spec)
    engine: Any = SimpleNamespace(check=lambda rows: None)
    made: Any = Chat if kind == "chat" else Completions
    resource = made(models, engine, lambda weights: renderer, SimpleNamespace())

    def warning(text: str) -> str | None:
        if kind == "chat":
            messages = [{"role": "user", "content": text}]
            request: Any = ChatRequest.parse({"model": "words", "messages": messages})
        else:
            request = CompletionRequest.parse({"model": "words", "prompt": ["hi", text]})
        return resource.prepare(request).answering.warning

    assert warning("hi hello") is None
    assert warning("hi สวัสดี") == "The model does not know some characters of the text."
