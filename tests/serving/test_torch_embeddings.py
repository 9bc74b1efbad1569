"""A model that torch computes, through a real server and its engine."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tiny_encoders
from servers import REPOSITORY, Server
from tunewright.app import Tunewright
from tunewright.embedding import open_embedder
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.embedder import Embedder
from tunewright.home import Home
from tunewright.serving.client import EngineClient
from tunewright.serving.remote import EngineEncoder

MODEL = "tiny-by-torch"
ENGINE = "tunewright.serving"
SDK = REPOSITORY / ".sdk/3.54.0/bin/python"
SCRIPT = REPOSITORY / "tests/sdk/embedded_twice.py"
TEXTS = ["The cat sat on the mat.", "A dog", "word " * 200, "the central bank"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.for_torch(tmp_path_factory.mktemp("encoder") / "model")


@pytest.fixture(scope="module", autouse=True)
def _added(server: Server, directory: Path) -> Iterator[None]:
    about = Chosen("torch").about
    with contextlib.closing(Tunewright(server.home)) as tw:
        tw.bases.add(MODEL, directory, "embedding", lambda *_: None, about)
        yield
        tw.bases.delete(MODEL)


@pytest.fixture(scope="module")
def embedder(server: Server, directory: Path) -> Iterator[Embedder]:
    client = EngineClient(Home(server.home).socket)
    yield open_embedder(directory, encoder=EngineEncoder(client))
    client.close()


def embedded(server: Server, inputs: list) -> np.ndarray:
    answer = server.http.post("/embeddings", json={"model": MODEL, "input": inputs})
    assert answer.is_success, answer.text
    return np.array([each["embedding"] for each in answer.json()["data"]], np.float32)


def test_the_server_gives_the_engines_vectors_and_the_api_loads_no_torch(
    server: Server, embedder: Embedder
) -> None:
    expected = embedder.embed(TEXTS).vectors
    np.testing.assert_allclose(embedded(server, TEXTS), expected, atol=1e-6)
    ids = embedder.tokenize(TEXTS)[:2]
    np.testing.assert_allclose(embedded(server, ids), expected[:2], atol=1e-6)
    assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_a_stream_and_embeddings_side_by_side_are_as_each_alone(server: Server) -> None:
    messages = [{"role": "user", "content": "Tell me of cats."}]
    body = {"model": "builtin-chat", "messages": messages, "temperature": 0, "max_tokens": 60}

    def chat() -> list[str]:
        answer = server.http.post("/chat/completions", json={**body, "stream": True})
        assert answer.text.endswith("data: [DONE]\n\n")
        events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
        return [json.loads(event)["choices"][0]["delta"] for event in events]

    texts = [f"{text} {n}" for n in range(100) for text in TEXTS[:2]]
    alone, vectors = chat(), embedded(server, texts)
    with ThreadPoolExecutor(2) as pool:
        chatting = pool.submit(chat)
        embedding = pool.submit(embedded, server, texts)
        assert chatting.result() == alone
        np.testing.assert_allclose(embedding.result(), vectors, atol=1e-5)


@pytest.mark.slow  # an engine starts anew
def test_an_engine_killed_in_the_middle_fails_the_call_once_and_the_next_one_works(
    server: Server, embedder: Embedder
) -> None:
    expected = embedder.embed(TEXTS).vectors
    embedded(server, TEXTS[:1])  # a connection that is not open yet would wait for the next engine
    engine = server.child(ENGINE)
    engine.send_signal(signal.SIGSTOP)  # so that the call is open when it dies
    command = [str(SDK), str(SCRIPT), MODEL, *TEXTS]
    environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"asking\n"
        time.sleep(5)  # the request is on its way, on a busy machine too
        assert asking.poll() is None
        engine.kill()
        told, _ = asking.communicate(timeout=60)
    first, second = map(json.loads, told.splitlines()[::2])
    assert (first["raised"], first["status"]) == ("InternalServerError", 503)
    assert "engine stopped" in first["body"]["message"]
    np.testing.assert_allclose(second["vectors"], expected, atol=1e-6)
    assert server.child(ENGINE).pid != engine.pid
