"""A served model whose files are not what its configuration says: a named error, no crash."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save

from servers import Server, chats
from tunewright import builtin, durable
from tunewright.app import Tunewright

NAME = "fragile"
Tensors = dict[str, torch.Tensor]


def surplus(tensors: Tensors) -> bytes:
    return save({**tensors, "model.layers.999.mlp.weight": torch.zeros(2, 2)})


def missing(tensors: Tensors) -> bytes:
    return save({name: tensors[name] for name in sorted(tensors)[1:]})


def wrong_shape(tensors: Tensors) -> bytes:
    name = max(tensors)
    return save({**tensors, name: tensors[name][:-1].clone()})


def not_finite(tensors: Tensors) -> bytes:
    bad = tensors[max(tensors)].clone()
    bad.view(-1)[0] = float("nan")
    return save({**tensors, max(tensors): bad})


DAMAGES: dict[str, tuple[Callable[[Tensors], bytes], str]] = {
    "surplus": (surplus, "no place for, among them model.layers.999.mlp.weight"),
    "missing": (missing, "lacks weights"),
    "shape": (wrong_shape, "of other shapes"),
    "nan": (not_finite, "NaN or infinite"),
    "cut": (lambda tensors: save(tensors)[:-9], "model.safetensors is broken"),
    "cut within the head": (lambda tensors: save(tensors)[:20], "model.safetensors is broken"),
    "empty": (lambda _: b"", "model.safetensors is broken"),
    "no safetensors": (lambda _: b"PK\x03\x04" * 100, "model.safetensors is broken"),
}


@pytest.fixture
def fragile(server: Server) -> Iterator[Path]:
    """The directory of a base that nothing has loaded, and whose manifest is gone."""
    source = next(base.directory for base in builtin.BASES if base.kind == "chat")
    with Tunewright(server.home) as tw:
        tw.bases.add(NAME, source, "chat", lambda *_: None)
        (directory,) = (server.home / "bases").glob(f"{NAME}-*")
        (directory / durable.MANIFEST).unlink()
        yield directory
        tw.bases.delete(NAME)


def ask(server: Server, model: str) -> Any:
    messages = [{"role": "user", "content": "Tell me of the sea."}]
    body = {"model": model, "messages": messages, "max_tokens": 4, "temperature": 0}
    return server.http.post("/chat/completions", json=body)


def test_a_damaged_base_is_named_and_answers_once_it_is_whole(
    server: Server, fragile: Path
) -> None:
    weights = fragile / "model.safetensors"
    whole, tensors = weights.read_bytes(), load_file(weights)
    sound = ask(server, "builtin-chat").json()["choices"]
    engine = server.child("tunewright.serving").pid
    for name, (damage, words) in DAMAGES.items():
        durable.write_bytes(weights, damage(tensors))  # a new file: the old one is linked
        answer = ask(server, NAME)
        error = answer.json()["error"]
        found = (answer.status_code, error["type"], error["code"], error["param"])
        assert found == (500, "server_error", "model_corrupt", None), (name, error)
        assert words in error["message"], name
    durable.write_bytes(weights, whole)
    assert ask(server, NAME).json()["choices"] == sound
    assert server.child("tunewright.serving").pid == engine, "it lived through all of it"


@pytest.mark.slow
def test_a_job_on_a_damaged_base_fails_and_says_why(server: Server, fragile: Path) -> None:
    weights = fragile / "model.safetensors"
    durable.write_bytes(weights, wrong_shape(load_file(weights)))
    job = server.wait(server.job(model=NAME, training_file=server.upload(chats(10)))["id"])
    assert job["status"] == "failed"
    assert job["error"]["code"] == "model_corrupt"
    assert "of other shapes" in job["error"]["message"]
