"""A word that is used everywhere and then deleted is found nowhere below the home."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from servers import Server
from tunewright.records.record import new_id

KEYS = "/organization/admin_api_keys"


@pytest.fixture
def word() -> str:
    """Fit for every place: it is also part of a model's name."""
    return "canary-" + new_id("", 12).lower()


def places(home: Path, word: str) -> list[str]:
    """The files below `home` that hold the word, or are called by it."""
    return [
        str(path.relative_to(home))
        for path in home.rglob("*")
        if word in path.name or (path.is_file() and word.encode() in path.read_bytes())
    ]


def gone(home: Path, word: str) -> list[str]:
    """`places`, once the worker has had the time to finish what was ordered."""
    for _ in range(200):
        if not (found := places(home, word)):
            return []
        time.sleep(0.1)
    return found


def rows(word: str) -> bytes:
    return b"".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"Question {number} about {word}"},
                    {"role": "assistant", "content": f"The {word} says {number}."},
                ]
            }
        ).encode()
        + b"\n"
        for number in range(12)
    )


def leave_traces(server: Server, word: str) -> Iterator[str]:
    """Say the word wherever nothing is meant to be kept. Yields the paths of what to delete."""
    chat = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": word}]}
    for path, body in (
        ("/embeddings", {"model": "text-embedding-ada-002", "input": word}),
        ("/chat/completions", {**chat, "max_tokens": 2}),
        ("/chat/completions", {**chat, "temperature": 9}),
        ("/chat/completions", {**chat, "messages": [{"role": word, "content": word}]}),
        ("/chat/completions", {**chat, "model": word}),
        ("/fine_tuning/jobs", {"model": word, "training_file": word}),
        (f"/{word}", {}),
    ):
        server.http.post(path, json=body)
    server.http.get(f"/files/{word}", params={"after": word})
    yield f"{KEYS}/{server.http.post(KEYS, json={'name': word}).json()['id']}"
    bad = rows(word) + b'{"messages": [{"role": "' + word.encode() + b'", "content": "x"}]}\n'
    file = server.upload(bad, f"{word}.jsonl")
    yield f"/files/{file}"
    failed = server.job(model="gpt-3.5-turbo", training_file=file, metadata={word: word})["id"]
    assert server.wait(failed)["status"] == "failed"
    yield f"/fine_tuning/jobs/{failed}"
    yield from leave_a_batch(server, word)
    yield from leave_a_store(server, word)


def leave_a_batch(server: Server, word: str) -> Iterator[str]:
    """Its record stays, as at OpenAI; what was asked and answered goes with its files."""
    line = {"custom_id": word, "method": "POST", "url": "/v1/embeddings"}
    bodies = [{"model": "builtin-static", "input": word}, {"model": "builtin-static", word: 1}]
    lines = [{**line, "custom_id": f"{word}-{n}", "body": body} for n, body in enumerate(bodies)]
    file = server.upload("\n".join(map(json.dumps, lines)).encode(), f"{word}.jsonl", "batch")
    given = {"input_file_id": file, "endpoint": line["url"], "completion_window": "24h"}
    batch = server.http.post("/batches", json=given).json()
    while batch["status"] not in ("completed", "failed"):
        time.sleep(0.1)
        batch = server.http.get(f"/batches/{batch['id']}").json()
    for name in ("input_file_id", "output_file_id", "error_file_id"):
        yield f"/files/{batch[name]}"


def leave_a_store(server: Server, word: str) -> Iterator[str]:
    """With a file that stays in it, and one that is taken out."""
    texts = [f"What the {word} says, {word} {number}.\n".encode() * 40 for number in range(2)]
    files = [server.upload(text, f"{word}.txt", "assistants") for text in texts]
    given = {"name": word, "description": word, "metadata": {word: word}, "file_ids": files}
    store = server.http.post("/vector_stores", json=given).json()
    path = f"/vector_stores/{store['id']}"
    while store["status"] == "in_progress":
        time.sleep(0.1)
        store = server.http.get(path).json()
    assert store["file_counts"]["completed"] == 2
    for file in files:
        attributes = {"attributes": {word: word}}
        assert server.http.post(f"{path}/files/{file}", json=attributes).status_code == 200
    hybrid = {"hybrid_search": {"embedding_weight": 1, "text_weight": 1}}
    asked = {"query": word, "ranking_options": hybrid}
    found = server.http.post(f"{path}/search", json=asked).json()["data"]
    assert {result["file_id"] for result in found} == {*files}
    named = {"idempotency-key": f"{word}-again"}
    batch = server.http.post(f"{path}/file_batches", json={"file_ids": files}, headers=named)
    assert batch.status_code == 200, "while they are being read"
    yield from (f"{path}/files/{files[0]}", path, *(f"/files/{file}" for file in files))


def attached(server: Server, store: str, text: str, attributes: dict[str, str]) -> str:
    """A file that was read into a store."""
    file = server.upload(text.encode(), f"{attributes}.md", "assistants")
    body = {"file_id": file, "attributes": attributes}
    path = f"/vector_stores/{store}/files"
    found = server.http.post(path, json=body).json()
    while found["status"] == "in_progress":
        time.sleep(0.05)
        found = server.http.get(f"{path}/{file}").json()
    assert found["status"] == "completed", found
    return file


def named(server: Server, word: str, file: str, **more: object) -> str:
    """A job with the word in its name, whose creation may be repeated."""
    body = {"model": "gpt-3.5-turbo", "training_file": file, "suffix": word, **more}
    answer = server.http.post("/fine_tuning/jobs", json=body, headers={"idempotency-key": word})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def delete(server: Server, path: str) -> None:
    assert server.http.delete(path).json()["deleted"] is True, path


def test_what_is_deleted_is_nowhere(server: Server, word: str) -> None:
    traces = list(leave_traces(server, word))
    file = server.upload(rows(word), f"{word}.jsonl")
    job = named(server, word, file)
    refused = server.http.delete(f"/fine_tuning/jobs/{job}")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_job_status")
    assert server.http.post(f"/fine_tuning/jobs/{job}/cancel").status_code == 200
    assert places(server.home, word), "the search finds what is there"
    for path in (*traces, f"/fine_tuning/jobs/{job}", f"/files/{file}"):
        delete(server, path)
        assert server.http.delete(path).status_code == 404
    assert gone(server.home, word) == []
    assert not (server.home / "jobs" / job).exists()


def test_what_leaves_a_vector_store_that_stays_is_nowhere(server: Server, word: str) -> None:
    """The text of a file that is taken out, an attribute that is replaced, and both of a file that
    is attached anew."""
    told, known = f"{word}-told", f"{word}-known"
    store = server.http.post("/vector_stores", json={}).json()["id"]
    for number in range(6):
        attached(server, store, f"w{word[7:]}{number} stays", {"n": str(number)})
    file = attached(server, store, f"The {told} is sweet.", {"name": known})
    path = f"/vector_stores/{store}/files/{file}"
    assert places(server.home, known), "the search finds what is there"
    assert server.http.post(path, json={"attributes": {"name": "x"}}).status_code == 200
    eq = {"type": "eq", "key": "name", "value": "x"}
    search = {"query": "sweet", "filters": eq}
    [found] = server.http.post(f"/vector_stores/{store}/search", json=search).json()["data"]
    assert found["attributes"] == {"name": "x"}
    assert server.http.delete(path).json()["deleted"] is True
    assert server.http.delete(f"/files/{file}").json()["deleted"] is True
    assert gone(server.home, told) == []
    assert gone(server.home, known) == []
    assert gone(server.home, f"{word[4:]}-told") == [], "an end of it, behind what words share"
    assert len(server.http.post(f"/vector_stores/{store}/search", json=search).json()["data"]) == 0
    everything = {"query": "stays", "max_num_results": 50}
    found = server.http.post(f"/vector_stores/{store}/search", json=everything).json()["data"]
    assert len(found) == 6
    assert server.http.delete(f"/vector_stores/{store}").json()["deleted"] is True
    assert not (server.home / "vectors" / store).exists()


@pytest.mark.slow
def test_a_trained_model_goes_wholly_and_lets_running_answers_end(new_server, word: str) -> None:
    server = new_server()
    file = server.upload(rows(word), f"{word}.jsonl")
    job = server.wait(
        named(server, word, file, metadata={"name": word}, hyperparameters={"n_epochs": 1})
    )
    model = job["fine_tuned_model"]
    assert word in model
    kept = server.home / "models"
    assert len(list(kept.iterdir())) == 1

    body = {"model": model, "messages": [{"role": "user", "content": word}], "stream": True}
    long = {**body, "max_tokens": 400, "n": 8, "temperature": 2, "seed": 1}
    with server.http.stream("POST", "/chat/completions", json=long) as running:
        lines = running.iter_lines()
        next(lines)
        delete(server, f"/models/{model}")
        assert server.http.post("/chat/completions", json=body).status_code == 404
        assert [*lines][-2:] == ["data: [DONE]", ""]
    for path in (f"/files/{job['result_files'][0]}", f"/files/{file}"):
        delete(server, path)
    assert not (server.home / "jobs" / job["id"] / "parity.json").exists()
    delete(server, f"/fine_tuning/jobs/{job['id']}")
    assert gone(server.home, word) == []
    assert list(kept.iterdir()) == []
    assert not list((server.home / "jobs").iterdir())
    assert len(list((server.home / "blobs").iterdir())) == 0
    with pytest.raises(httpx.HTTPStatusError):
        server.http.get(f"/models/{model}").raise_for_status()
