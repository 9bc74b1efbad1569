"""A batch from its file to its files, with a worker in this process: what it checks, answers,
keeps, counts and leaves behind."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from tunewright import durable
from tunewright.app import Acting, Tunewright
from tunewright.errors import BadRequest, JobFailed, NotRunning, PayloadTooLarge, Unavailable
from tunewright.records.batches import Batch
from tunewright.records.completions import ChatChoice, ChatCompletion, Usage
from tunewright.records.files import File
from tunewright.records.messages import AssistantMessage, MadeCall, MadeFunction
from tunewright.records.record import now
from tunewright.resources import files
from tunewright.serving.client import Done
from tunewright.serving.rows import Rows
from tunewright.settings import Settings
from tunewright.work import batch as work_batch
from tunewright.work import batch_asking, batch_endpoints, batch_lines, batch_round
from tunewright.work.worker import Worker, assigned

URL = "/v1/embeddings"
BODY = {"model": "builtin-static", "input": "Great taffy at a great price"}


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    made = Tunewright(tmp_path / "home")
    yield made
    made.close()


def requests(bodies: list[dict[str, Any]], url: str = URL) -> bytes:
    return b"".join(
        json.dumps({"custom_id": f"row-{n}", "method": "POST", "url": url, "body": body}).encode()
        + b"\n"
        for n, body in enumerate(bodies)
    )


def texts(count: int) -> bytes:
    return requests([{**BODY, "input": f"review {n}"} for n in range(count)])


def batch(acting: Acting, data: bytes, endpoint: str = URL, **more: Any) -> str:
    file = acting.files.create(file=data, purpose="batch", filename="requests.jsonl")
    given = {"endpoint": endpoint, "completion_window": "24h", **more}
    return acting.batches.create(input_file_id=file.id, **given).id


class Work:
    """One worker, whose tasks are done when they are asked for."""

    def __init__(self, tw: Tunewright, name: str = "one") -> None:
        self._tw = tw
        self._worker = Worker(tw, name)
        self._begun: dict[str, Any] = {}

    def once(self) -> str | None:
        """Do one task of a batch; its kind."""
        for lane in ("cpu", "batch"):
            if task := self._tw.tasks.lease(lane, "one"):
                self._worker._do(task, self._begun)
                return task.kind
        return None

    def all(self) -> None:
        while self.once():
            pass


@pytest.fixture
def work(tw: Tunewright) -> Work:
    return Work(tw)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunewright]:
    """One home for the many ways in which a file can be wrong."""
    made = Tunewright(tmp_path_factory.mktemp("many") / "home")
    yield made
    made.close()


def output(tw: Tunewright, id: str) -> list[dict[str, Any]]:
    return list(tw.batches.results(id))


def failed(tw: Tunewright, id: str) -> list[dict[str, Any]]:
    return list(tw.batches.results(id, errors=True))


def test_answers_are_those_of_the_call_in_the_order_of_the_requests(
    tw: Tunewright, work: Work
) -> None:
    bodies: list[dict[str, Any]] = [{**BODY, "input": f"review {n}"} for n in range(70)]
    bodies[3] = {**BODY, "encoding_format": "base64", "input": ["one", "two"]}
    bodies[5] = {**BODY, "nonsense": 1}
    bodies[9] = {**BODY, "input": ""}
    life = {"anchor": "created_at", "seconds": 3600}
    id = batch(tw, requests(bodies), metadata={"a": "b"}, output_expires_after=life)
    assert tw.batches.retrieve(id).status == "validating"
    assert work.once() == "batch-check"
    waiting = tw.batches.retrieve(id)
    assert (waiting.status, waiting.model, waiting.request_counts.total) == (
        "in_progress",
        "builtin-static",
        70,
    )
    work.all()
    done = tw.batches.retrieve(id)
    assert done.status == "completed"
    assert done.request_counts.model_dump() == {"total": 70, "completed": 68, "failed": 2}
    good = output(tw, id)
    assert [line["custom_id"] for line in good] == [
        f"row-{n}" for n in range(70) if n not in (5, 9)
    ]
    used = 0
    for line in good:
        number = int(line["custom_id"].removeprefix("row-"))
        assert line["error"] is None
        assert line["response"]["status_code"] == 200
        assert line["response"]["request_id"].startswith("req_")
        expected = tw.embeddings.create(**bodies[number]).wire()
        assert as_float32(line["response"]["body"]) == as_float32(expected)
        used += expected["usage"]["prompt_tokens"]
    assert (done.usage.input_tokens, done.usage.output_tokens) == (used, 0)
    assert done.usage.total_tokens == used
    bad = failed(tw, id)
    assert [(line["custom_id"], line["response"]["status_code"]) for line in bad] == [
        ("row-5", 400),
        ("row-9", 400),
    ]
    assert bad[0]["response"]["body"]["error"]["code"] == "unknown_parameter"
    assert bad[0]["response"]["body"]["error"]["param"] == "nonsense"
    assert len({line["id"] for line in good + bad}) == 70
    assert done.output_file_id
    assert done.error_file_id
    for file in map(tw.files.retrieve, (done.output_file_id, done.error_file_id)):
        assert file.purpose == "batch_output"
        assert file.expires_at == file.created_at + 3600
        assert file.bytes == len(b"".join(tw.files.content(file.id)))
    listed = tw.files.list(purpose="batch_output").data
    assert {file.id for file in listed} == {done.output_file_id, done.error_file_id}
    assert not tw.home.batch(id).exists(), "what was kept meanwhile goes"
    times = (done.created_at, done.in_progress_at, done.finalizing_at, done.completed_at)
    assert list(times) == sorted(times)  # pyright: ignore[reportArgumentType]
    assert done.expires_at == done.created_at + 24 * 3600
    assert (done.metadata, done.errors) == ({"a": "b"}, None)
    wire = tw.batches.retrieve(id).wire()
    assert wire["output_expires_after"] == life


def as_float32(body: dict[str, Any]) -> dict[str, Any]:
    """Numbers are written with as many digits as a float32 needs."""
    for each in body["data"]:
        if isinstance(each["embedding"], list):
            each["embedding"] = np.float32(each["embedding"]).tobytes()
    return body


def line(**changed: Any) -> str:
    fields = {"custom_id": "row-0", "method": "POST", "url": URL, "body": BODY, **changed}
    return json.dumps({name: value for name, value in fields.items() if value != "-"})


@pytest.mark.parametrize(
    ("text", "code", "param"),
    [
        ("{", "invalid_json_line", None),
        ("[1]", "invalid_json_line", None),
        ('{"a": NaN}', "invalid_json_line", None),
        (line(custom_id="-"), "missing_required_parameter", "custom_id"),
        (line(custom_id=7), "invalid_type", "custom_id"),
        (line(custom_id=""), "string_below_min_length", "custom_id"),
        (line(custom_id="first"), "duplicate_custom_id", "custom_id"),
        (line(method="GET"), "invalid_value", "method"),
        (line(method="-"), "missing_required_parameter", "method"),
        (line(url="/v1/completions"), "url_mismatch", "url"),
        (line(body=[]), "invalid_type", "body"),
        (line(body="-"), "missing_required_parameter", "body"),
        (line(body={**BODY, "stream": True}), "invalid_value", "body.stream"),
        (line(body={"input": "x"}), "missing_required_parameter", "body.model"),
        (line(body={**BODY, "model": 7}), "missing_required_parameter", "body.model"),
        (line(body={**BODY, "model": "builtin-mini"}), "model_mismatch", "body.model"),
        (line(extra=1), "unknown_parameter", "extra"),
    ],
)
def test_a_bad_line_fails_the_batch_before_anything_is_asked(
    many: Tunewright, text: str, code: str, param: str | None
) -> None:
    id = batch(many, f"{line(custom_id='first')}\n\n{text}\n".encode())
    Work(many).all()
    found = many.batches.retrieve(id)
    assert (found.status, found.output_file_id, found.error_file_id) == ("failed", None, None)
    assert found.failed_at
    assert found.errors
    [error] = found.errors.data
    assert (error.code, error.param, error.line) == (code, param, 3)
    assert found.request_counts.total == 0


@pytest.mark.parametrize(
    ("data", "code", "at"),
    [
        (b"\n \n", "empty_file", None),
        (requests([{**BODY, "model": "no-such"}]), "model_not_found", 1),
        (requests([{**BODY, "model": "builtin-chat"}]), "model_kind", 1),
        (requests([{**BODY, "input": ["x"] * 2048}] * 25), "too_many_inputs", None),
        (texts(101), "too_many_tasks", None),
    ],
)
def test_what_is_wrong_with_the_whole_file(
    many: Tunewright,
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    code: str,
    at: int | None,
) -> None:
    assert batch_lines.MOST_REQUESTS == 50_000
    monkeypatch.setattr(batch_lines, "MOST_REQUESTS", 100)
    id = batch(many, data)
    Work(many).all()
    found = many.batches.retrieve(id)
    assert found.status == "failed"
    assert found.errors
    assert (found.errors.data[0].code, found.errors.data[0].line) == (code, at)


def test_of_many_errors_the_first_are_listed(many: Tunewright) -> None:
    id = batch(many, b"{}\n" * 60)
    Work(many).all()
    errors = many.batches.retrieve(id).errors
    assert errors
    assert [error.line for error in errors.data] == [*range(1, 51), None]
    assert errors.data[-1].message.startswith("10 more lines")


def test_what_cannot_become_a_batch(many: Tunewright) -> None:
    before = many.batches.list()
    other = many.files.create(file=texts(1), purpose="fine-tune").id
    given = {"endpoint": URL, "completion_window": "24h"}
    for changed, code in (
        ({"input_file_id": "file-none"}, "file_not_found"),
        ({"input_file_id": other}, "invalid_file_purpose"),
        ({"input_file_id": other, "endpoint": "/v1/responses"}, "invalid_value"),
        ({"input_file_id": other, "completion_window": "1h"}, "invalid_value"),
        ({"input_file_id": other, "metadata": {"a" * 65: "b"}}, "string_above_max_length"),
        (
            {
                "input_file_id": other,
                "output_expires_after": {"anchor": "created_at", "seconds": 3599},
            },
            "integer_below_min_value",
        ),
    ):
        with pytest.raises(BadRequest) as refused:
            many.batches.create(**{**given, **changed})
        assert refused.value.code == code
    assert many.batches.list() == before


def test_only_the_input_of_a_batch_has_its_limit(
    many: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert files.BATCH_BYTES == 200 * 2**20
    monkeypatch.setattr(files, "BATCH_BYTES", 100)
    announced = {"bytes": 101, "filename": "a", "mime_type": "text/plain"}
    with pytest.raises(PayloadTooLarge, match="may have 100 bytes, and this file has 101"):
        many.files.create(file=b"x" * 101, purpose="batch")
    with pytest.raises(PayloadTooLarge):
        many.uploads.create(**announced, purpose="batch")
    assert many.files.create(file=b"x" * 100, purpose="batch").bytes == 100
    assert many.files.create(file=b"x" * 101, purpose="user_data").expires_at is None
    assert many.uploads.create(**announced, purpose="user_data").status == "pending"


def test_cancelled_in_the_midst_it_keeps_the_answers(
    tw: Tunewright, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = batch(tw, texts(500))
    work.once()
    monkeypatch.setattr(work_batch, "LOOK_SECONDS", 0.0)
    add = work_batch.Answers.add

    def cancelling(answers: Any, some: Any) -> None:
        add(answers, some)
        assert tw.batches.cancel(id).status == "cancelling"

    monkeypatch.setattr(work_batch.Answers, "add", cancelling)
    work.all()
    found = tw.batches.retrieve(id)
    counts = found.request_counts
    assert found.status == "cancelled"
    assert found.cancelling_at
    assert found.cancelled_at
    assert 0 < counts.completed < 500
    assert len(output(tw, id)) == counts.completed
    rest = failed(tw, id)
    assert len(rest) == 500 - counts.completed
    assert {line["error"]["code"] for line in rest} == {"batch_cancelled"}
    assert {line["response"] for line in rest} == {None}
    both = [line["custom_id"] for line in [*output(tw, id), *rest]]
    assert sorted(both) == sorted(f"row-{n}" for n in range(500)), "each once"
    with pytest.raises(BadRequest, match="status 'cancelled'"):
        tw.batches.cancel(id)
    assert work.once() is None


def test_one_that_waits_behind_another_is_cancelled_at_once(tw: Tunewright, work: Work) -> None:
    first, second = batch(tw, texts(3)), batch(tw, texts(3))
    unchecked = batch(tw, texts(3))
    assert [work.once(), work.once()] == ["batch-check"] * 2
    for id in (second, unchecked):
        tw.batches.cancel(id)
    assert tw.batches.retrieve(first).status == "in_progress"
    work.once()  # the check of the third, which has nothing to do any more
    assert work.once() == "batch-end"
    assert tw.batches.retrieve(second).status == "cancelled"
    assert [line["error"]["code"] for line in failed(tw, second)] == ["batch_cancelled"] * 3
    assert tw.batches.retrieve(first).status == "in_progress"
    work.all()
    assert tw.batches.retrieve(first).status == "completed"
    assert tw.batches.retrieve(unchecked).status == "cancelled"
    assert failed(tw, unchecked) == [], "its lines were never read"


def test_out_of_time_it_ends_with_what_it_has(
    tw: Tunewright, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = batch(tw, texts(40))
    work.once()
    shelf = tw.acting(tw.owner).shelf
    with work_batch.Answers(tw.home.batch(id)) as answers:
        found = tw.batches.retrieve(id)
        asking = batch_asking.Asking(tw, found)
        first = next(batch_lines.requests(tw.blobs.path(found.input_file_id)))
        answers.add(asking([first]).answered)
    shelf.change(Batch, id, lambda it: it.model_copy(update={"expires_at": it.created_at}))
    tw.batches.sweep()
    assert work.once() == "batch-end"
    found = tw.batches.retrieve(id)
    assert (found.status, found.request_counts.completed) == ("expired", 1)
    assert found.expired_at
    assert found.finalizing_at
    assert {line["error"]["code"] for line in failed(tw, id)} == {"batch_expired"}
    assert [line["custom_id"] for line in output(tw, id)] == ["row-0"]
    assert len(failed(tw, id)) == 39
    work.all()
    assert tw.batches.retrieve(id) == found


def test_organisations_take_turns(
    tw: Tunewright, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_batch, "TURN_SECONDS", 0.0001)
    other = tw.acting(tw.access.create_organisation("other"))
    long = batch(tw, texts(500))
    work.once()
    short = batch(other, texts(2))
    work.once()
    ended: list[str] = []
    while work.once():
        for acting, id in ((tw, long), (other, short)):
            if acting.batches.retrieve(id).status == "completed" and id not in ended:
                ended.append(id)
    assert ended == [short, long]
    assert [line["custom_id"] for line in output(tw, long)] == [f"row-{n}" for n in range(500)]


def test_in_the_engine_it_has_turns_of_its_own(tw: Tunewright, work: Work) -> None:
    """Chats that its organisation sends meanwhile do not wait behind it."""
    asked: list[Any] = []

    class Engine:
        def submit(self, request: Any, on_event: Any) -> Any:
            asked.append(request)
            threading.Thread(target=lambda: on_event(Done("length"))).start()
            return SimpleNamespace(cancel=lambda: None)

    tw.rows = Rows(cast("Any", Engine()), 1024)
    chat = {"model": "builtin-chat", "messages": [{"role": "user", "content": "Hi"}]}
    url = "/v1/chat/completions"
    id = batch(tw, requests([chat, {**chat, "seed": 5}, chat], url), url)
    work.all()
    assert tw.batches.retrieve(id).request_counts.completed == 3
    tw.chat.create(**chat)
    own = tw.owner.organisation
    assert [one.organisation for one in asked] == [f"{own}/batch"] * 3 + [own]
    *seeds, online = (one.seed for one in asked)
    assert 5 in seeds
    assert len(set(seeds)) == 3, "those that name none differ"
    assert online is None


def test_what_is_answered_again_has_the_same_ids(tw: Tunewright) -> None:
    found = tw.batches.retrieve(batch(tw, texts(1)))
    asked = batch_lines.Asked(3, "row-3", {})

    def made() -> dict[str, Any]:
        calls = [MadeCall(function=MadeFunction(name="f", arguments="{}")) for _ in range(2)]
        message = AssistantMessage(content=None, tool_calls=calls)
        usage = Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2)
        choice = ChatChoice(index=0, message=message, finish_reason="tool_calls")
        given = {"model": "m", "usage": usage, "system_fingerprint": "fp"}
        return ChatCompletion(choices=[choice] * 2, created=now() + 7, **given).wire()

    first, second = made(), made()
    assert first["id"] != second["id"]
    lines = {batch_lines.Naming(found).good(asked, body) for body in (first, second)}
    [line] = map(json.loads, lines)
    body = line["response"]["body"]
    assert re.fullmatch("chatcmpl-[0-9a-f]{24}", body["id"])
    assert body["created"] == found.created_at
    calls = [call["id"] for each in body["choices"] for call in each["message"]["tool_calls"]]
    assert len(set(calls)) == 4
    assert all(re.fullmatch("call_[0-9a-f]{24}", id) for id in calls)


def test_the_input_stays_while_it_is_needed(tw: Tunewright, work: Work) -> None:
    id = batch(tw, texts(2))
    file = tw.batches.retrieve(id).input_file_id
    assert tw.files.retrieve(file).expires_at == tw.files.retrieve(file).created_at + 30 * 86400
    with pytest.raises(BadRequest, match="Cancel the batch") as refused:
        tw.files.delete(file)
    assert refused.value.code == "file_in_use"
    work.all()
    assert tw.files.delete(file).deleted
    assert len(output(tw, id)) == 2


def test_at_its_rate_limit_it_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many at once as a minute's tokens allow; the others wait and lose nothing."""
    tw = Tunewright(settings=Settings.read(tmp_path / "home", tokens_per_minute=20))
    work = Work(tw)
    try:
        id = batch(tw, requests([{**BODY, "input": "one two three four"}] * 7))
        bucket = tw.acting(tw.owner, background=True).quota._used.buckets["tokens"]
        pauses: list[float] = []
        put_back = batch_round.Round._put_back

        def refilled(self: batch_round.Round, asked: Any, seconds: float) -> None:
            pauses.append(seconds)
            bucket.take(-20)
            put_back(self, asked, 0.0)

        monkeypatch.setattr(batch_round.Round, "_put_back", refilled)
        work.all()
        found = tw.batches.retrieve(id)
        assert (found.status, found.request_counts.completed) == ("completed", 7)
        assert pauses
        assert max(pauses) <= 60
        too_large = batch(tw, requests([{**BODY, "input": "one two three " * 30}]))
        work.all()
        assert failed(tw, too_large)[0]["response"]["status_code"] == 429, "it would never fit"
    finally:
        tw.close()


def test_where_its_files_would_be_too_large_it_waits(tmp_path: Path) -> None:
    tw = Tunewright(settings=Settings.read(tmp_path / "home", disk_bytes=600_000))
    work = Work(tw)
    try:
        id, large = (
            batch(tw, texts(500)),
            tw.files.create(file=b"x" * 300_000, purpose="user_data"),
        )
        for _ in range(3):
            work.once()
        waiting = tw.batches.retrieve(id)
        assert waiting.status == "in_progress"
        assert 0 < waiting.request_counts.completed < 500
        tw.files.delete(large.id)
        tw.settings.__dict__["disk_bytes"] = 9_000_000
        work.all()
        assert tw.batches.retrieve(id).request_counts.completed == 500
        assert [line["custom_id"] for line in output(tw, id)] == [f"row-{n}" for n in range(500)]
    finally:
        tw.close()


def test_what_is_down_for_a_moment_is_asked_again(
    tw: Tunewright, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_round, "_LONGEST_PAUSE", 0.01)
    acting = tw.acting(tw.owner, background=True)
    preparing, times = acting.embeddings.preparing, {"row 1": 0, "row 2": 0, "row 4": 0}

    def shaky(request: Any, **rest: Any) -> Any:
        if request.input in times:
            times[request.input] += 1
            if request.input == "row 4" and times["row 4"] < 9:
                raise NotRunning("The engine is not running (yet). Try again in a moment.")
            if request.input == "row 2" or (request.input == "row 1" and times["row 1"] < 3):
                raise Unavailable("The engine stopped while it was working on this. Try again.")
        if request.input == "row 3":
            raise ZeroDivisionError
        return preparing(request, **rest)

    monkeypatch.setattr(acting.embeddings, "preparing", shaky)
    id = batch(tw, requests([{**BODY, "input": f"row {n}"} for n in range(5)]))
    work.all()
    assert [line["custom_id"] for line in output(tw, id)] == ["row-0", "row-1", "row-4"]
    assert [(line["custom_id"], line["response"]["status_code"]) for line in failed(tw, id)] == [
        ("row-2", 503),
        ("row-3", 500),
    ]
    assert times == {"row 1": 3, "row 2": 4, "row 4": 9}


def test_given_up_it_keeps_what_it_has(tw: Tunewright, work: Work) -> None:
    id = batch(tw, texts(3))
    work.once()
    found = tw.batches.retrieve(id)
    with work_batch.Answers(tw.home.batch(id)) as answers:
        asked = next(batch_lines.requests(tw.blobs.path(found.input_file_id)))
        answers.add(batch_asking.Asking(tw, found)([asked]).answered)
    task = tw.tasks.lease("batch", "one")
    assert task
    made = assigned(task)(tw, task, work._worker.stopping, {})
    assert made.fail(JobFailed("The batch ended its worker 3 times.", code="worker_crashed"))
    found = tw.batches.retrieve(id)
    assert found.status == "failed"
    assert found.errors
    assert found.errors.data[0].code == "worker_crashed"
    assert [line["custom_id"] for line in output(tw, id)] == ["row-0"]
    assert [line["error"]["code"] for line in failed(tw, id)] == ["batch_failed"] * 2


def test_what_was_kept_is_not_asked_again(
    tw: Tunewright, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies after each step: the file is that of an undisturbed run, byte for byte."""
    count = 300
    bodies = [
        {"model": "builtin-mini", "input": f"review {n} " * (n % 9 + 1)} for n in range(count)
    ]
    id = batch(tw, requests(bodies))
    work.once()
    found, asked = tw.batches.retrieve(id), list[int]()
    call = batch_asking.Asking.__call__

    def noting(self: batch_asking.Asking, group: batch_lines.Group) -> Any:
        asked.extend(one.number for one in group)
        return call(self, group)

    monkeypatch.setattr(batch_asking.Asking, "__call__", noting)
    groups = batch_lines.groups(tw.blobs.path(found.input_file_id), found.endpoint)
    asking = batch_asking.Asking(tw, found)
    calm = [one.line + b"\n" for group in groups for one in call(asking, group).answered]

    class Died(Exception):
        pass

    def dies(*_: object) -> None:
        raise Died

    tell = work_batch.RunBatch._tell
    for _ in range(2):
        monkeypatch.setattr(work_batch.RunBatch, "_tell", dies)
        task = tw.tasks.lease("batch", "one")
        assert task
        with pytest.raises(Died):
            assigned(task)(tw, task, work._worker.stopping, {}).run()
        tw.tasks.release_of_dead()
    monkeypatch.setattr(work_batch.RunBatch, "_tell", tell)
    work.all()
    found = tw.batches.retrieve(id)
    assert found.request_counts.completed == count
    assert list(tw.batches.result_lines(id)) == calm
    under_way = batch_endpoints.ENDPOINTS[URL].at_once * batch_endpoints.ENDPOINTS[URL].group
    assert len(asked) - len(set(asked)) <= 2 * under_way, "what was under way, and no more"


def test_a_file_is_there_before_its_batch_says_so(
    tw: Tunewright, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between files and record, it writes the same files again."""
    id = batch(tw, texts(3))
    work.once()
    move = type(tw.batches).move

    def dies(self: Any, batch_id: str, *leaving: Any, **update: Any) -> Any:
        if update.get("status") == "completed":
            raise JobFailed("dies here")
        return move(self, batch_id, *leaving, **update)

    with monkeypatch.context() as patch:
        patch.setattr(type(tw.batches), "move", dies)
        patch.setattr(work_batch.RunBatch, "fail", lambda *_: True)
        work.once()
    assert tw.batches.retrieve(id).status == "finalizing"
    assert tw.acting(tw.owner).shelf.all(File, where={"purpose": "batch_output"}) == []
    tw.tasks.release_of_dead()
    work.all()
    assert tw.batches.retrieve(id).status == "completed"
    assert len(output(tw, id)) == 3


def test_a_deleted_model_fails_the_rest(tw: Tunewright, work: Work) -> None:
    id = batch(tw, texts(3))
    work.once()
    acting = tw.acting(tw.owner, background=True)
    acting.shelf.change(Batch, id, lambda it: it)
    call: Callable[..., Any] = acting.models.weights

    def gone(name: str, *rest: Any) -> Any:
        return call("no-such-model" if name == "builtin-static" else name, *rest)

    acting.embeddings._models.weights = gone  # pyright: ignore[reportAttributeAccessIssue]
    work.all()
    found = tw.batches.retrieve(id)
    assert (found.status, found.request_counts.failed) == ("completed", 3)
    assert found.output_file_id is None
    assert {line["response"]["status_code"] for line in failed(tw, id)} == {404}


def test_folders_of_batches_that_have_ended_are_swept(tw: Tunewright) -> None:
    id = batch(tw, texts(1))
    stray = tw.home.batch("batch_" + "a" * 24)
    for folder in (stray, tw.home.batch(id)):
        durable.make_directory(folder)
    tw.start()
    tw.processes.stop()
    assert not stray.exists()
