"""What an organisation may use, through HTTP: OpenAI's 429s and headers."""

import re
from collections.abc import Callable, Iterator

import httpx
import pytest

from servers import Server, chats, start_server
from tunewright.usage import Bucket, duration

EMBED = {"model": "text-embedding-ada-002", "input": "one two three"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Its limits refill so slowly that no test sees them do so."""
    running = start_server(
        tmp_path_factory.mktemp("limits") / "home",
        TUNEWRIGHT_REQUESTS_PER_MINUTE="1000",
        TUNEWRIGHT_TOKENS_PER_MINUTE="50",
    )
    yield running
    running.stop()


def test_tokens_and_headers(server: Server) -> None:
    before = server.http.get("/models").headers
    assert before["x-ratelimit-limit-requests"] == "1000"
    assert before["x-ratelimit-limit-tokens"] == "50"
    first = server.http.post("/embeddings", json=EMBED)
    assert first.status_code == 200
    left = int(first.headers["x-ratelimit-remaining-tokens"])
    assert 0 < left <= 50 - first.json()["usage"]["total_tokens"] + 1
    assert re.fullmatch(r"\d+ms|[\d.]+s", first.headers["x-ratelimit-reset-tokens"])

    many = {**EMBED, "input": ["one two three"] * 100}
    assert server.http.post("/embeddings", json=many).status_code == 200, "counted when it is known"
    refused = server.http.post("/embeddings", json=EMBED)
    error = refused.json()["error"]
    assert (refused.status_code, error["type"]) == (429, "tokens")
    assert error["code"] == "rate_limit_exceeded"
    assert refused.headers["x-ratelimit-remaining-tokens"] == "0"
    assert int(refused.headers["retry-after"]) * 1000 >= int(refused.headers["retry-after-ms"]) > 0
    assert server.http.get("/models").status_code == 200, "reading is not limited"


def test_jobs_and_disk(new_server: Callable[..., Server]) -> None:
    server = new_server(TUNEWRIGHT_DISK_BYTES="100000", TUNEWRIGHT_CONCURRENT_JOBS="1")

    def upload(size: int) -> httpx.Response:
        files = {"file": ("a", b"x" * size)}
        return server.http.post("/files", data={"purpose": "fine-tune"}, files=files)

    file = server.upload(chats(10))
    room = 100_000 - len(chats(10))
    refused = upload(room + 1)
    error = refused.json()["error"]
    assert (refused.status_code, error["type"]) == (429, "insufficient_quota")
    assert refused.headers["x-should-retry"] == "false"
    assert upload(room).status_code == 200, "what was refused took no room"
    assert "x-ratelimit-limit-requests" not in refused.headers

    job = server.job(model="gpt-3.5-turbo", training_file=file)["id"]
    more = server.http.post(
        "/fine_tuning/jobs", json={"model": "gpt-3.5-turbo", "training_file": file}
    )
    assert (more.status_code, more.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    server.http.post(f"/fine_tuning/jobs/{job}/cancel")
    next_job = server.job(model="gpt-3.5-turbo", training_file=file)["id"]
    server.http.post(f"/fine_tuning/jobs/{next_job}/cancel")


def test_a_bucket_fills_steadily() -> None:
    now = [0.0]
    bucket = Bucket(60, lambda: now[0])
    bucket.take(90)
    assert (bucket.level(), bucket.seconds_until(1)) == (-30, 31)
    now[0] = 31.0
    assert (bucket.level(), bucket.seconds_until(60)) == (1, 59)
    now[0] = 1000.0
    assert bucket.level() == 60


def test_durations_are_written_as_openai_does() -> None:
    seconds = (0.012, 1, 8.64, 90, 360)
    assert [duration(s) for s in seconds] == ["12ms", "1s", "8.64s", "1m30s", "6m0s"]
