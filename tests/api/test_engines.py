"""/v1/engines: the model named in the path, as OpenAI's first API and SDK 0.28 have it."""

import subprocess
from pathlib import Path

import pytest

from servers import REPOSITORY, Server

SCRIPT = Path(__file__).parents[1] / "sdk" / "engines_0_28_1.py"


def test_sdk_0_28_1_names_the_engine(server: Server) -> None:
    python = REPOSITORY / ".sdk/0.28.1/bin/python"
    if not python.exists():
        pytest.fail("no environment for openai 0.28.1: run `make sdk`")
    done = subprocess.run(
        [str(python), str(SCRIPT), server.url, server.key],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout == "the engines ran\n", done.stdout + done.stderr


def test_an_engine_is_a_model_in_the_old_shape(server: Server) -> None:
    engines = server.http.get("/engines").json()
    models = server.http.get("/models").json()
    assert [engine["id"] for engine in engines["data"]] == [m["id"] for m in models["data"]]
    assert server.http.get("/engines/babbage-002").json() == {
        "id": "babbage-002",
        "object": "engine",
        "owner": "tunewright-alias",
        "ready": True,
    }
    assert server.http.get("/engines/nothing").json()["error"]["code"] == "model_not_found"


def test_a_name_with_a_slash_or_escapes_reaches_its_call(server: Server) -> None:
    for name in ("org%2Fmodel", "org/model", "ft%3Aa%3Ab%3A%3Ac"):
        answer = server.http.post(f"/engines/{name}/embeddings", json={"input": "a"})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("call", ["embeddings", "completions", "chat/completions"])
def test_path_and_body_may_agree_but_not_differ(server: Server, call: str) -> None:
    path = f"/engines/builtin-static/{call}"
    answer = server.http.post(path, json={"model": "builtin-chat", "input": "a"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "model"
    same = server.http.post(path, json={"model": "builtin-static", "input": "a"})
    null = server.http.post(path, json={"model": None, "input": "a"})
    assert same.status_code == null.status_code == (200 if call == "embeddings" else 400)
    assert same.content == null.content


def test_other_calls_have_no_engine(server: Server) -> None:
    assert server.http.post("/engines/builtin-chat/edits", json={}).status_code in (404, 405)
    assert server.http.get("/engines/builtin-static/embeddings").status_code in (404, 405)
