"""One effect for a request, however often it is sent."""

import inspect
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from proxies import Loser, losing_answers
from servers import REPOSITORY, Server, chats
from tunewright.api.call import Drafting, Use
from tunewright.api.calls import CALLS
from tunewright.api.once import once

SDK = REPOSITORY / ".sdk/3.54.0/bin/python"

# `lose` waits until the proxy has been told to lose the next answers.
UPLOAD_AND_TUNE = """
import sys
from openai import OpenAI

def lose():
    print("lose", flush=True)
    sys.stdin.readline()

client = OpenAI()
lose()
file = client.files.create(file=("a.jsonl", open({data!r}, "rb")), purpose="fine-tune")
lose()
job = client.fine_tuning.jobs.create(model="gpt-3.5-turbo", training_file=file.id, suffix="lost")
lose()
job = client.fine_tuning.jobs.cancel(job.id)
print(file.id, job.id, job.status)
"""


def jobs_of(server: Server, suffix: str) -> list[dict]:
    jobs = server.http.get("/fine_tuning/jobs", params={"limit": 100}).json()["data"]
    return [job for job in jobs if job["user_provided_suffix"] == suffix]


def test_lost_answers_make_nothing_twice(server: Server, tmp_path: Path) -> None:
    """The SDK repeats what it heard no answer to, without a key. Of each of its three calls two
    answers are lost, and there are one file, one job and one cancelling."""
    data = tmp_path / "a.jsonl"
    data.write_bytes(chats(10))
    before = files_of(server)
    with losing_answers(server.url) as proxy:
        file, job, status = run_sdk(UPLOAD_AND_TUNE.format(data=str(data)), proxy, server.key)
    repeated = [post for post in proxy.posts if "x-stainless-retry-count: 0" not in post]
    assert (len(proxy.posts), len(repeated)) == (9, 6)
    assert not any("idempotency-key" in post for post in proxy.posts)
    (only,) = jobs_of(server, "lost")
    assert (only["id"], only["training_file"], status) == (job, file, "cancelled")
    assert files_of(server) - before == {file}
    assert len([e for e in server.events(job) if "cancelled" in e["message"]]) == 1


def run_sdk(script: str, proxy: Loser, key: str) -> list[str]:
    """Run `script` through the proxy; return the words of its last line."""
    process = subprocess.Popen(
        [str(SDK), "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENAI_BASE_URL": proxy.url, "OPENAI_API_KEY": key},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    line = ""
    for line in process.stdout:
        if line == "lose\n":
            proxy.lose = 2
            process.stdin.write("go\n")
            process.stdin.flush()
    assert process.wait(60) == 0
    return line.split()


def files_of(server: Server) -> set[str]:
    page = server.http.get("/files", params={"limit": 10000}).json()
    return {file["id"] for file in page["data"]}


def create(server: Server, body: dict, **headers: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.http.post("/fine_tuning/jobs", json=body, headers=headers)


@pytest.fixture(scope="module")
def file(server: Server) -> str:
    return server.upload(b"{}\n")  # its jobs fail at once


def test_retries_are_told_from_equal_requests(server: Server, file: str) -> None:
    body = {"model": "gpt-3.5-turbo", "training_file": file, "suffix": "equal"}
    first = create(server, body, x_stainless_retry_count="0").json()["id"]
    second = create(server, body, x_stainless_retry_count="0").json()["id"]
    assert first != second, "two first attempts are two requests"
    again = create(server, body, x_stainless_retry_count="2")
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (second, "true")
    other = create(server, {**body, "seed": 1}, x_stainless_retry_count="1").json()["id"]
    unnamed = create(server, body).json()["id"]
    assert len({first, second, other, unnamed}) == len(jobs_of(server, "equal")) == 4


def test_idempotency_key(server: Server, file: str) -> None:
    body = {"model": "gpt-3.5-turbo", "training_file": file, "suffix": "named"}
    key = "k" * 255
    first = create(server, body, idempotency_key=key)
    again = create(server, body, idempotency_key=key)
    assert first.content == again.content
    assert (first.status_code, again.status_code) == (200, 200)
    assert len(jobs_of(server, "named")) == 1

    other = create(server, {**body, "seed": 1}, idempotency_key=key)
    assert (other.status_code, other.json()["error"]["code"]) == (400, "idempotency_key_reused")
    for bad in ("k" * 256, ""):
        refused = create(server, body, idempotency_key=bad)
        assert refused.json()["error"]["code"] == "invalid_idempotency_key"
    assert len(jobs_of(server, "named")) == 1

    cancel = f"/fine_tuning/jobs/{first.json()['id']}/cancel"
    here = [server.http.post(cancel, headers={"idempotency-key": key}) for _ in range(2)]
    assert here[0].content == here[1].content, "the same key on another route is another request"


def test_a_refusal_is_repeated_too(server: Server) -> None:
    body = {"model": "gpt-3.5-turbo", "training_file": "file-none"}
    first = create(server, body, idempotency_key="refused")
    again = create(server, body, idempotency_key="refused")
    assert first.status_code == again.status_code == 400
    assert (first.content, again.headers["idempotent-replayed"]) == (again.content, "true")


def test_at_the_same_moment(server: Server, file: str) -> None:
    """A repetition that comes while the first is in progress waits for its answer."""
    body = {"model": "gpt-3.5-turbo", "training_file": file, "suffix": "together"}
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: create(server, body, idempotency_key="together"), range(8))
        )
    assert {a.status_code for a in answers} == {200}
    assert len({a.json()["id"] for a in answers}) == len(jobs_of(server, "together")) == 1


def test_uploads_compare_their_parts(server: Server) -> None:
    """Each attempt has another boundary; the same file is the same request, another one is not."""

    def upload(data: bytes) -> httpx.Response:
        files = {"file": ("a.jsonl", data)}
        headers = {"idempotency-key": "upload"}
        return server.http.post(
            "/files", data={"purpose": "fine-tune"}, files=files, headers=headers
        )

    blobs = server.home / "blobs"
    first, count = upload(b"one\n").json()["id"], len(list(blobs.iterdir()))
    assert upload(b"one\n").json()["id"] == first
    assert upload(b"two\n").status_code == 400
    assert len(list(blobs.iterdir())) == count, "what was not published left nothing"
    server.http.delete(f"/files/{first}")
    assert upload(b"two\n").json()["id"] != first, "deleting takes the reply along"


def test_a_killed_server_remembers(new_server: Callable[..., Server]) -> None:
    server = new_server()
    body = {"model": "gpt-3.5-turbo", "training_file": server.upload(b"{}\n"), "suffix": "kill"}
    retried = create(server, body, x_stainless_retry_count="0")
    named = create(server, {**body, "seed": 1}, idempotency_key="kill")
    key = server.key
    server.stop(signal.SIGKILL)
    server = new_server(key=key)
    assert create(server, body, x_stainless_retry_count="1").content == retried.content
    assert create(server, {**body, "seed": 1}, idempotency_key="kill").content == named.content
    assert len(jobs_of(server, "kill")) == 2


def test_every_call_that_makes_something_uses_it() -> None:
    # What computes leaves nothing behind, and the answer of the last holds a secret.
    other = ("/completions", "/embeddings", "/search", "/check", "/admin_api_keys")
    for call in CALLS:
        if call.method == "POST" and not call.path.endswith(other):
            if isinstance(call.run, Use):
                assert call.run.how is once, call.path
            else:
                source = Drafting if isinstance(call.run, Drafting) else call.run
                assert "once(" in inspect.getsource(source), call.path
