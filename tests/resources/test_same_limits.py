"""The same calls through HTTP and through the library: the same counts, the same refusals."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, cast

import httpx
import pytest
from starlette.testclient import TestClient

from servers import chats
from tuned_models import put_tuned
from tunewright import usage
from tunewright.access import Caller
from tunewright.api.application import create_api, routes
from tunewright.app import Acting, Tunewright
from tunewright.errors import Busy, TunewrightError
from tunewright.generation.generator import Request
from tunewright.records.jobs import Job
from tunewright.records.keys import KeyRequest
from tunewright.records.models import Model, Weights
from tunewright.resources import asking
from tunewright.resources.naming import put_named
from tunewright.serving.client import Delta, Done, EngineEvent
from tunewright.serving.rows import Rows
from tunewright.settings import Settings

CHAT = {"model": "builtin-chat", "messages": [{"role": "user", "content": "Hello"}]}
TEXT = {"model": "builtin-completion", "prompt": "The sea", "max_tokens": 8}
EMBED = {"model": "builtin-mini", "input": "one two three"}
ANNOUNCED = {"filename": "a", "mime_type": "text/plain", "purpose": "fine-tune"}
JOB = {"model": "builtin-chat", "training_file": "$file"}
ALL = "x" * 60_000


class OwnEngine:
    """Answers every prompt with three tokens."""

    def submit(self, request: Request, on_event: Callable[[EngineEvent], None]) -> Any:
        def answer() -> None:
            on_event(Delta([100, 101, 102]))
            on_event(Done("length"))

        threading.Thread(target=answer).start()
        return SimpleNamespace(cancel=lambda: None)


@dataclass
class Answer:
    """Of either face: the record, or (status, error body)."""

    made: Any = None
    refused: tuple[int, Any] | None = None


@dataclass
class Face:
    """One organisation and how it calls. `ids`: of what it has made so far, by a name."""

    quota: usage.Quota
    call: "Calls"
    ids: dict[str, str] = field(default_factory=dict)

    def do(self, step: "Step") -> tuple[Any, dict[str, str]]:
        """What became of it, own ids by their names, and what is left of the limits."""
        given = {key: self._id(value) for key, value in step.given.items()}
        answer = self.call(step.call, self._id(step.id), given)
        if step.makes and answer.made:
            self.ids[step.makes] = answer.made["id"]
        return self._told(answer.refused), self.quota.headers()

    def _told(self, refused: tuple[int, Any] | None) -> Any:
        if refused is None:
            return "done"
        text = json.dumps(refused)
        for name, id in self.ids.items():
            text = text.replace(id, f"${name}")
        return json.loads(text)

    def _id(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._id(each) for each in value]
        known = isinstance(value, str) and value.startswith("$")
        return self.ids.get(value[1:], "none") if known else value


class Calls(Protocol):
    def __call__(self, call: str, id: str, given: dict[str, Any], /) -> Answer: ...


@dataclass(frozen=True)
class Step:
    call: str
    given: dict[str, Any]
    id: str = ""
    makes: str = ""


PATHS = {
    "files.check": "files/{}/check",
    "uploads.complete": "uploads/{}/complete",
    "uploads.cancel": "uploads/{}/cancel",
    "jobs.create": "fine_tuning/jobs",
    "jobs.cancel": "fine_tuning/jobs/{}/cancel",
    "jobs.pause": "fine_tuning/jobs/{}/pause",
    "jobs.resume": "fine_tuning/jobs/{}/resume",
    "exports.create": "models/{}/exports",
    "exports.cancel": "models/{}/exports/{}/cancel",
    "permissions.create": "fine_tuning/checkpoints/{}/permissions",
    "batches.create": "batches",
    "batches.cancel": "batches/{}/cancel",
    "vector_stores.create": "vector_stores",
    "vector_stores.update": "vector_stores/{}",
    "vector_stores.search": "vector_stores/{}/search",
    "vector_stores.files.create": "vector_stores/{}/files",
    "vector_stores.files.update": "vector_stores/{}/files/{}",
    "vector_stores.file_batches.create": "vector_stores/{}/file_batches",
    "vector_stores.file_batches.cancel": "vector_stores/{}/file_batches/{}/cancel",
    "keys.create": "organization/admin_api_keys",
    "chat.create": "chat/completions",
    "completions.create": "completions",
    "uploads.create": "uploads",
    "embeddings.create": "embeddings",
}


def through_http(client: httpx.Client, call: str, id: str, given: dict[str, Any]) -> Answer:
    if call == "files.create":
        form = {"purpose": given["purpose"]}
        answer = client.post("files", data=form, files={"file": ("a", given["file"])})
    elif call == "uploads.add_part":
        answer = client.post(f"uploads/{id}/parts", files={"data": given["data"]})
    elif call == "files.delete":
        answer = client.delete(f"files/{id}")
    elif call in ("chat.stream", "completions.stream"):
        path = PATHS[call.replace("stream", "create")]
        answer = client.post(path, json={**given, "stream": True})
        return Answer(made={} if answer.status_code == 200 else None)
    else:
        ids = (given.pop("model"), id) if call == "exports.cancel" else (id,)
        if "vector_store_id" in given:
            ids = (given.pop("vector_store_id"), id)
        answer = client.post(PATHS[call].format(*ids), json=given)
    body = answer.json()
    return Answer(body) if answer.status_code == 200 else Answer(None, (answer.status_code, body))


def through_library(acting: Acting, call: str, id: str, given: dict[str, Any]) -> Answer:
    method = attrgetter(call)(acting)
    verb = call.rpartition(".")[2]
    try:
        ids = [*([given.pop("model")] if call == "exports.cancel" else []), *([id] if id else [])]
        made = method(*ids, **given)
        if verb == "stream":
            list(made)
            return Answer(made={})
        return Answer(made.wire() if hasattr(made, "wire") else {})
    except TunewrightError as error:
        return Answer(None, (error.status, error.body()))


@pytest.fixture
def tw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tunewright]:
    """Whose clock stands still, so that what is left can be compared."""
    monkeypatch.setattr(usage, "Bucket", partial(usage.Bucket, clock=lambda: 0.0))
    limits = {"requests_per_minute": 50, "tokens_per_minute": 400}
    more = {"disk_bytes": 60_000, "concurrent_jobs": 1, "concurrent_batches": 1}
    tw = Tunewright(settings=Settings.read(tmp_path / "home", **limits, **more))
    tw.rows = Rows(cast("Any", OwnEngine()), tw.settings.generation_rows)
    yield tw
    tw.close()


def organisation(tw: Tunewright, name: str) -> Caller:
    """With a tuned model."""
    caller = tw.access.create_organisation(name)
    base = tw.models.weights("builtin-chat", ("chat",))
    shelf = tw.catalog.shelf(caller.organisation)
    model = f"ft:builtin-chat:{name}::1"
    put_named(shelf, base.model_copy(update={"id": model, "adaptation": "lora"}))
    shelf.put(Model(id=model, owned_by=name))
    assert shelf.get(Weights, model)
    return caller


def faces(tw: Tunewright, role: str = "owner") -> tuple[Face, Face]:
    one, two = (organisation(tw, f"{role}{n}") for n in range(2))
    key = tw.access.create_key(one, KeyRequest(name="tests", role=role)).value  # pyright: ignore[reportArgumentType]
    headers = {"authorization": f"Bearer {key}"}
    client = TestClient(create_api(tw), "http://127.0.0.1/v1/", headers=headers)
    acting = tw.acting(Caller(two.organisation, two.name, role))  # pyright: ignore[reportArgumentType]
    ids = [{"tuned": f"ft:builtin-chat:{each.name}::1"} for each in (one, two)]
    return (
        Face(tw.usage.of(one.organisation), partial(through_http, client), ids[0]),
        Face(acting.quota, partial(through_library, acting), ids[1]),
    )


FILE = {"file": chats(12), "purpose": "fine-tune"}
REQUESTS = b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"no"}}'
BATCH = {"endpoint": "/v1/embeddings", "completion_window": "24h", "input_file_id": "$requests"}
ATTRIBUTES = {"vector_store_id": "$store", "attributes": {"a": 1}}
STEPS = [
    Step("files.create", FILE, makes="file"),
    Step("files.create", {**FILE, "file": ALL.encode()}),  # too much
    Step("files.create", {**FILE, "file": b""}),
    Step("files.check", {}, id="$file"),
    Step("uploads.create", {**ANNOUNCED, "bytes": 4}, makes="upload"),
    Step("uploads.create", {**ANNOUNCED, "bytes": 60_000}),  # too much
    Step("uploads.add_part", {"data": b"abcd"}, id="$upload", makes="part"),
    Step("uploads.add_part", {"data": ALL.encode()}, id="$upload"),  # too much
    Step("uploads.complete", {"part_ids": ["$part"]}, id="$upload"),
    Step("uploads.cancel", {}, id="$upload"),
    Step("jobs.create", {**JOB, "nonsense": 1}),
    Step("jobs.create", JOB, makes="job"),
    Step("jobs.create", JOB),  # one too many
    Step("jobs.pause", {}, id="$job"),
    Step("jobs.resume", {}, id="$job"),
    Step("jobs.cancel", {}, id="$job"),
    Step("jobs.create", {**JOB, "training_file": "file-none"}),
    Step("jobs.create", JOB, makes="job"),
    Step("permissions.create", {"project_ids": ["a"]}, id="$tuned"),
    Step("exports.create", {"to": "peft"}, id="$tuned", makes="export"),
    Step("exports.create", {"to": "peft", "dtype": "bf16"}, id="$tuned"),
    Step("exports.cancel", {"model": "$tuned"}, id="$export"),
    Step("exports.cancel", {"model": "builtin-chat"}, id="$export"),
    Step("files.create", {"file": REQUESTS, "purpose": "batch"}, makes="requests"),
    Step("batches.create", {**BATCH, "input_file_id": "$file"}),
    Step("batches.create", BATCH, makes="batch"),
    Step("batches.create", BATCH),  # one too many
    Step("batches.cancel", {}, id="$batch"),
    Step("batches.cancel", {}, id="$file"),
    Step("files.create", {"file": b"words", "purpose": "assistants"}, makes="document"),
    Step("vector_stores.create", {"name": "a", "nonsense": 1}),
    Step("vector_stores.create", {"file_ids": ["file-none"]}),
    Step("vector_stores.create", {"file_ids": ["$file"]}),  # of another purpose
    Step("vector_stores.create", {"name": "a"}, makes="store"),
    Step("vector_stores.update", {"name": "b"}, id="$store"),
    Step("vector_stores.search", {"query": "one two three"}, id="$store"),
    Step("vector_stores.search", {"query": ""}, id="$store"),
    Step("vector_stores.search", {"query": "one"}, id="$file"),
    Step("vector_stores.files.create", {"file_id": "$document"}, id="$store"),
    Step("vector_stores.files.update", ATTRIBUTES, id="$document"),
    Step("vector_stores.files.update", {**ATTRIBUTES, "vector_store_id": "$file"}, id="$file"),
    Step("vector_stores.file_batches.create", {"file_ids": ["$document"]}, "$store", "file_batch"),
    Step("vector_stores.file_batches.cancel", {"vector_store_id": "$store"}, id="$file_batch"),
    Step("vector_stores.file_batches.cancel", {"vector_store_id": "$store"}, id="$file"),
    Step("keys.create", {"name": "more"}),
    Step("embeddings.create", EMBED),
    Step("embeddings.create", {**EMBED, "input": ["one two three"] * 100}),  # would never fit
    Step("chat.create", CHAT),
    Step("chat.create", {**CHAT, "model": "none"}),
    Step("chat.stream", {**CHAT, "n": 2, "max_tokens": 9}),
    Step("completions.create", TEXT),
    Step("completions.stream", TEXT),
    Step("completions.create", {**TEXT, "prompt": [5] * 350}),  # all but the last tokens
    Step("embeddings.create", {**EMBED, "input": "one " * 40}),  # not enough are left
    *[Step("permissions.create", {"project_ids": ["a"]}, id="$tuned")] * 12,  # and no requests
]


def test_counts_and_refusals_are_the_same(tw: Tunewright) -> None:
    http, library = faces(tw)
    seen: list[Any] = []
    for step in STEPS:
        expected, found = http.do(step), library.do(step)
        assert found == expected, step
        seen.append(expected[0])
    kinds = {(each[0], each[1]["error"]["type"]) for each in seen if each != "done"}
    assert kinds == {
        (400, "invalid_request_error"),
        (404, "invalid_request_error"),
        (429, "insufficient_quota"),
        (429, "requests"),
        (429, "tokens"),
    }
    left = http.quota.headers()
    assert left["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(left["x-ratelimit-remaining-tokens"]) < 40
    assert http.do(Step("jobs.cancel", {}, id="$job"))[0] == "done", "what stops work never waits"
    assert library.do(Step("jobs.cancel", {}, id="$job"))[0] == "done"


def test_a_members_refusals_are_the_same(tw: Tunewright) -> None:
    http, library = faces(tw, "member")
    for step in (
        Step("keys.create", {"name": "more"}),
        Step("permissions.create", {"project_ids": ["a"]}, id="$tuned"),
    ):
        (status, body), left = http.do(step)
        assert (status, body["error"]["code"]) == (403, "insufficient_permissions")
        named = json.dumps(body).replace("member0", "member1")
        (found, said), same = library.do(step)
        assert (found, json.dumps(said), same) == (status, named, left)


def test_every_call_that_is_counted_is_among_them() -> None:
    called = {step.call.replace("stream", "create") for step in STEPS}
    paths = {PATHS[call] for call in called & PATHS.keys()}
    paths |= {"files", "uploads/{}/parts"}
    for route in routes():
        path = route.path.removeprefix("/v1/")
        if "POST" in (route.methods or ()) and not path.startswith("engines/"):
            path = re.sub(r"\{[^}]+\}", "{}", path)
            assert path in paths, route.path


def test_who_asks_many_questions_waits_until_there_is_room(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`failures` is one call, and the requests that it makes are the organisation's."""
    put_tuned(tw, "ft:builtin-chat:personal:asked:1")
    file = tw.files.create(file=chats(12), purpose="fine-tune").id
    job = tw.jobs.create(model="builtin-chat", training_file=file, validation_file=file).id
    made = {"fine_tuned_model": "ft:builtin-chat:personal:asked:1"}
    acting = tw.acting(tw.owner)
    acting.shelf.change(Job, job, lambda it: it.model_copy(update=made))
    for _ in range(int(acting.quota.headers()["x-ratelimit-remaining-requests"])):
        acting.quota.admit()
    with pytest.raises(Busy):
        acting.quota.admit()
    waited: list[float] = []

    def pause(_: threading.Event, seconds: float) -> None:
        waited.append(seconds)
        for bucket in acting.quota._used.buckets.values():
            bucket.take(-1000)

    monkeypatch.setattr(asking, "pause", pause)
    told: list[tuple[int, int]] = []
    found = acting.failures.of(job, progress=lambda done, all_: told.append((done, all_)))
    assert (found.asked, found.unanswered) == (12, 0)
    assert told == [(done, 12) for done in range(1, 13)]
    assert 0 < waited[0] <= 60
