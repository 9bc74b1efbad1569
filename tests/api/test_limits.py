"""What an organisation may use, through HTTP: OpenAI's 429s and headers."""

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from servers import Server, chats, start_server
from tunewright.app import Tunewright
from tunewright.catalog.catalog import Catalog
from tunewright.errors import TunewrightError
from tunewright.generation.generator import ModelSpec, Request
from tunewright.records.keys import KeyRequest
from tunewright.serving.client import Delta, Done, EngineEvent, Failed, Handle
from tunewright.serving.rows import Rows
from tunewright.settings import Settings
from tunewright.usage import Bucket, Usage, duration

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


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """Of an organisation of its own: no test finds that another has used its tokens."""
    access = Tunewright(server.home).access
    organisation = access.create_organisation(f"o{secrets.token_hex(4)}")
    key = access.create_key(organisation, KeyRequest(name="tests", role="owner")).value
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=60) as client:
        yield client


def test_tokens_and_headers(http: httpx.Client) -> None:
    before = http.get("/models").headers
    assert before["x-ratelimit-limit-requests"] == "1000"
    assert before["x-ratelimit-limit-tokens"] == "50"
    first = http.post("/embeddings", json=EMBED)
    assert first.status_code == 200
    left = int(first.headers["x-ratelimit-remaining-tokens"])
    assert 0 < left <= 50 - first.json()["usage"]["total_tokens"] + 1
    assert re.fullmatch(r"\d+ms|[\d.]+s", first.headers["x-ratelimit-reset-tokens"])

    many = http.post("/embeddings", json={**EMBED, "input": ["one two three"] * 100})
    assert (many.status_code, many.json()["error"]["type"]) == (429, "tokens")
    assert many.headers["x-should-retry"] == "false", "it would never fit"
    assert "limit 50, requested 300" in many.json()["error"]["message"]


def test_calls_made_at_once_get_no_more_than_the_limit(http: httpx.Client) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: http.post("/embeddings", json=EMBED), range(20)))
    used = sum(a.json()["usage"]["total_tokens"] for a in answers if a.status_code == 200)
    assert 30 <= used <= 50
    refused = next(a for a in answers if a.status_code == 429)
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")
    assert int(refused.headers["x-ratelimit-remaining-tokens"]) < 30
    assert int(refused.headers["retry-after"]) * 1000 >= int(refused.headers["retry-after-ms"]) > 0
    assert http.get("/models").status_code == 200, "reading is not limited"
    for stop in ("cancel", "pause", "resume"):
        answer = http.post(f"/fine_tuning/jobs/ftjob-none/{stop}")
        assert answer.status_code == 404, "what stops work is not limited"
    assert http.post("/uploads/upload_none/cancel").status_code == 404


def test_what_a_generation_may_use_is_taken_and_the_rest_given_back(tmp_path: Path) -> None:
    settings = Settings(tokens_per_minute=1000)
    quota = Usage(Catalog(tmp_path / "catalog.db"), settings, lambda _: 0).of("a")
    events: list[Callable[[EngineEvent], None]] = []

    def submit(_: Request, on_event: Callable[[EngineEvent], None]) -> Handle:
        events.append(on_event)
        return cast("Handle", SimpleNamespace(cancel=lambda: None))

    rows = Rows(cast("Any", SimpleNamespace(submit=submit)), most=100)
    engine = rows.of("a", quota.reserve, quota.spend)
    heard: list[EngineEvent] = []

    def left() -> int:
        return int(quota.headers()["x-ratelimit-remaining-tokens"])

    def ask(prompt: int, most: int) -> Handle:
        model = ModelSpec("m", "base", None, "")
        return engine(Request(0, model, [1] * prompt, max_tokens=most), heard.append)

    def refused() -> TunewrightError:
        heard.clear()
        ask(10, 10)
        assert isinstance(heard[0], Failed)
        return heard[0].error

    first, second = ask(100, 200), ask(100, 8000)
    assert left() == 0, "all that is left is taken for the one that may use more"
    assert 0 < (refused().retry_after or 0) <= 60
    events[0](Delta([1] * 50))
    events[0](Done("stop"))
    first.cancel()
    assert 150 <= left() <= 152, "once, though it was cancelled after its end"
    events[1](Delta([1] * 5000))
    second.cancel()
    assert left() == 0
    assert 55 <= (refused().retry_after or 0) <= 61, "a debt is as large as the limit at most"


def test_uploads_are_counted_as_files_are(new_server: Callable[..., Server]) -> None:
    """What is announced, what the parts really have, and what arrives at the same time."""
    server = new_server(TUNEWRIGHT_DISK_BYTES="100000")
    announce = {"filename": "a", "mime_type": "text/plain", "purpose": "fine-tune"}

    def begin(size: int) -> httpx.Response:
        return server.http.post("/uploads", json={**announce, "bytes": size})

    def part(id: str, size: int) -> httpx.Response:
        return server.http.post(f"/uploads/{id}/parts", files={"data": b"x" * size})

    def file(size: int) -> httpx.Response:
        files = {"file": ("a", b"x" * size)}
        return server.http.post("/files", data={"purpose": "fine-tune"}, files=files)

    def refused(answer: httpx.Response) -> bool:
        return (answer.status_code, answer.json()["error"]["type"]) == (429, "insufficient_quota")

    assert refused(begin(100_001))
    upload = begin(60_000).json()["id"]
    assert refused(begin(40_001)), "what is announced is counted"
    assert refused(file(40_001))
    parts = [part(upload, 30_000), part(upload, 30_000)]
    assert [p.status_code for p in parts] == [200, 200], "and not twice"
    assert part(upload, 40_000).status_code == 200, "room for a part that came again"
    assert refused(part(upload, 1_000))
    ids = [p.json()["id"] for p in parts]
    done = server.http.post(f"/uploads/{upload}/complete", json={"part_ids": ids})
    assert done.json()["file"]["bytes"] == 60_000
    assert refused(file(40_001))
    assert file(40_000).status_code == 200


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
    bucket.take(-1000)
    assert bucket.level() == 60
    bucket.take(90)
    now[0] = 31.0
    assert (bucket.level(), bucket.seconds_until(60)) == (1, 59)
    now[0] = 1000.0
    assert bucket.level() == 60


def test_durations_are_written_as_openai_does() -> None:
    seconds = (0.012, 1, 8.64, 59.999, 90, 119.9, 360, 16080)
    written = ["12ms", "1s", "8.64s", "1m0s", "1m30s", "2m0s", "6m0s", "4h28m0s"]
    assert [duration(s) for s in seconds] == written
