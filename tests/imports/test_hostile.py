"""A source that is broken, or means harm: nothing leaves the archive, and no traceback."""

import contextlib
import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imports.elsewhere import KEY, Elsewhere, account, refused
from servers import chats
from tunewright import Tunewright, names
from tunewright.cli.plain import in_json, line, plain
from tunewright.errors import BadRequest, TunewrightError
from tunewright.imports import Archive, Source, SourceError, answers, estimates, fetch, plan, replay
from tunewright.imports.answers import spent
from tunewright.imports.asking import AskingSource
from tunewright.imports.connection import Bounds
from tunewright.imports.prices import Budget, Price

OLD = "ft:gpt-4o-mini-2024-07-18:acme::A1"
ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe"
BOUNDS = Bounds(body=20_000, content=200_000, together=10**7, pages=20, least=50, window=0.3)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = account(1_795_000_000, completions=3)
    yield made
    made.close()


def source(elsewhere: Elsewhere, bounds: Bounds = BOUNDS) -> Source:
    return Source(KEY, elsewhere.url, bounds=bounds, sleep=lambda seconds: None)


OUTSIDE = [
    *("../../elsewhere/secret", "/../../../x", "..", ".", "/etc/passwd", "a/../../b", "..\\..\\x"),
    *("", "x" * 201, "\u4e2d" * 100, "a\0b", None, 7, ["file-1"], {"id": "x"}, True),
]


def _jobs_of(id: Any, file: Any) -> dict[str, Any]:
    return {
        "id": id,
        "status": "succeeded",
        "model": "gpt-4o-mini",
        "fine_tuned_model": OLD,
        "training_file": file,
        "validation_file": file,
    }


def test_ids_inside_of_a_job_lead_nowhere(tmp_path: Path) -> None:
    """They are in an archive already, whoever has written it."""
    tw = Tunewright(tmp_path / "deep" / "home")
    archive = Archive.of(tw.home.imports, "http://127.0.0.1:1/v1")
    (archive.root / "files").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret.content").write_bytes(chats(12))
    for place in (tmp_path, *archive.root.parents, archive.root):
        if place.is_relative_to(tmp_path):
            (place / "secret.content").write_bytes(chats(12))
    climbing = [f"{'../' * up}secret" for up in range(1, 8)]
    for at, id in enumerate([*OUTSIDE, *climbing, "../../../../elsewhere/secret"]):
        record = _jobs_of(f"ftjob-{at}", id)
        archive.put(f"jobs/f{at}/job.json", json.dumps(record).encode())
        archive.put(f"jobs/j{at}/job.json", json.dumps(_jobs_of(id, "file-1")).encode())
    archive.save()
    before = _tree(tmp_path)
    for dry_run in (True, False):
        made = list(replay(tw, archive, "builtin-chat", dry_run=dry_run))
        assert len(made) == 2 * (len(OUTSIDE) + len(climbing) + 1)
        assert {each.state for each in made} == {"refused"}
        assert list(replay(tw, archive, "builtin-chat", on_answers=True,
                           allow_output_training=True, dry_run=dry_run))  # fmt: skip
    assert not tw.files.list().data
    assert not tw.jobs.list().data
    tw.close()
    assert {path for path in _tree(tmp_path) if "catalog.db" not in path} == {
        path for path in before if "catalog.db" not in path
    }


def _tree(root: Path) -> set[str]:
    return {path.as_posix() for path in root.rglob("*")}


@pytest.mark.parametrize("id", OUTSIDE)
def test_what_is_no_name_is_refused_in_one_place(id: object, tmp_path: Path) -> None:
    for refusing in (lambda: names.foreign(id), lambda: Archive(tmp_path).has(f"a/../{id}")):
        found = None
        with contextlib.suppress(BadRequest):
            found = refusing()
        if found:  # kept under another name, inside
            assert (tmp_path / found).resolve().parent == tmp_path.resolve()
            assert len(found.encode()) <= 200


def test_names_that_look_like_ours_are_kept(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Neither swept away as unfinished, nor left out of the ledger, nor in each other's way."""
    for id in ("a.tmp-1-0123456789abcdef", "b.tmp-12-01234567", "received", "eval.json", "eval"):
        elsewhere.add("/evals", {"id": id})
        elsewhere.lists[f"/evals/{id}/runs"] = []
    elsewhere.add("/evals/eval.json/runs", {"id": "run_9", "status": "completed"})
    elsewhere.lists["/evals/eval.json/runs/run_9/output_items"] = []
    archive = Archive(tmp_path / "archive")
    with source(elsewhere) as opened:
        failed = [each for each in fetch(opened, archive) if each.state == "failed"]
        again = {each.state for each in fetch(opened, Archive(archive.root)) if each.id != "eval"}
    assert [each.id for each in failed] == ["eval"]
    assert again == {"kept"}
    assert (
        "evals/received.json" in json.loads((archive.root / "received.json").read_text())["objects"]
    )


def test_bodies_are_bounded(elsewhere: Elsewhere, tmp_path: Path) -> None:
    big = b'{"id": "x", "pad": "' + b"0" * 30_000 + b'"}'
    bomb = gzip.compress(b"0" * 10**8, 9)  # 97 kB that unpack to 100 MB
    elsewhere.bodies["/fine_tuning/jobs/ftjob-0"] = big
    elsewhere.bodies["/files/file-fine-tune-0/content"] = b"0" * 300_000
    elsewhere.odd["/evals/eval_1"] = [(200, {"content_encoding": "gzip"}, bomb)]
    elsewhere.odd["/files/file-fine-tune-1/content"] = [(200, {"content_encoding": "gzip"}, bomb)]
    elsewhere.odd["/chat/completions/chatcmpl-0"] = [(403, {}, big * 100)]
    with source(elsewhere) as opened:
        failed = {each.id for each in fetch(opened, Archive(tmp_path / "archive"))
                  if each.state == "failed"}  # fmt: skip
    gone = {"ftjob-0", "file-fine-tune-0", "file-fine-tune-1", "eval_1", "chatcmpl-0"}
    assert failed == gone
    assert not list(tmp_path.rglob("*.tmp-*"))


def test_a_page_that_is_too_large_is_asked_for_in_parts(elsewhere: Elsewhere) -> None:
    elsewhere.lists["/evals"] = [{"id": f"eval_{n}", "pad": "0" * 500} for n in range(150)]
    with source(elsewhere) as opened:
        assert len({each["id"] for each in opened.objects("/evals")}) == 150


@pytest.mark.parametrize("kind", ["the same", "in a circle", "always new", "without ids"])
def test_pages_without_end_end(elsewhere: Elsewhere, kind: str) -> None:
    number = 0

    def answer(path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        nonlocal number
        number += 1
        ids = {"the same": 1, "in a circle": number % 3, "always new": number, "without ids": None}
        page = {"data": [{"id": ids[kind] and str(ids[kind])}], "has_more": True}
        return 200, {}, json.dumps(page).encode()

    elsewhere.answer = answer  # type: ignore[method-assign]
    with source(elsewhere) as opened, pytest.raises(SourceError, match=r"page|go on from"):
        list(opened.objects("/evals"))
    assert number <= BOUNDS.pages


def test_all_answers_together_are_bounded(elsewhere: Elsewhere, tmp_path: Path) -> None:
    for bounds in (Bounds(together=5_000), Bounds(requests=9)):
        with (
            source(elsewhere, bounds) as opened,
            pytest.raises(SourceError, match="in one run") as e,
        ):
            list(fetch(opened, Archive(tmp_path / str(bounds.requests))))
        assert e.value.fatal
    with source(elsewhere) as opened:  # and it goes on from there
        assert not [x for x in fetch(opened, Archive(tmp_path / "9")) if x.state == "failed"]


@contextlib.contextmanager
def dripping(first: bytes, drop: bytes, every: float = 0.02) -> Iterator[str]:
    """A server that begins with `first` and then says `drop` for ever."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(65536)
            connection.sendall(first)
            while True:
                connection.sendall(drop)
                time.sleep(every)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
    server.close()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n"
GZIP = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "drop"),
    [
        (HEAD, b" "),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (GZIP + b"a\r\n" + gzip.compress(b"")[:10] + b"\r\n", b"5\r\n\x00\x00\x00\xff\xff\r\n"),
    ],
    ids=["a body", "a head", "announcements", "empty blocks of gzip"],
)
def test_an_answer_that_only_drips_is_ended(first: bytes, drop: bytes) -> None:
    with dripping(first, drop) as url:
        asking = AskingSource(KEY, url, bounds=BOUNDS, sleep=lambda seconds: None)
        with pytest.raises(SourceError, match=r"less than 50 bytes in 0\.3 s"):
            asking.get("/models")
        with pytest.raises(SourceError, match="broke off"):
            asking.ask("/chat/completions", {})
        asking.close()


def test_a_source_that_fails_again_and_again_is_left(elsewhere: Elsewhere, tmp_path: Path) -> None:
    always = [refused(500, "Oops.", Retry_After="1e9")] * 1000
    for number in range(3):
        elsewhere.odd[f"/chat/completions/chatcmpl-{number}"] = always
    elsewhere.odd["/files/file-fine-tune-0/content"] = always
    elsewhere.odd["/fine_tuning/jobs/ftjob-0"] = always
    with source(elsewhere, Bounds(lost=5)) as opened, pytest.raises(SourceError, match="5th") as e:
        list(fetch(opened, Archive(tmp_path / "archive")))
    assert e.value.fatal


@pytest.mark.parametrize("tokens", [-(10**9), "20", 1.5, None, [1], 2**70, float("nan")])
def test_what_an_answer_says_that_it_cost_brings_no_money_back(tokens: Any, tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    folder = "answers/m/p"
    asked = {"price": {"read": 1.0, "written": 1.0}, "at_most_usd": 0.5}
    archive.put(f"{folder}/asked-0001.json", json.dumps(asked).encode())
    usage = {"prompt_tokens": tokens, "completion_tokens": 5}
    archive.put(f"{folder}/answer-0001.json", json.dumps({"usage": usage}).encode())
    assert spent(archive) == 0.5


@pytest.mark.parametrize("usd", [float("nan"), float("inf"), -1.0])
def test_what_is_no_amount_is_no_budget(usd: float, elsewhere: Elsewhere, tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    with (
        AskingSource(KEY, elsewhere.url) as asking,
        pytest.raises(BadRequest, match="not an amount"),
    ):
        list(answers(asking, archive, [], max_usd=usd))
    assert not Budget(1.0, 0.0).hold(float("nan"))
    assert Price(1, 1).of(1, 1) > 0


def test_the_key_of_our_own_server_is_not_sent_to_openai() -> None:
    for url in ("https://api.openai.com/v1", "https://eu.api.openai.com/v1/"):
        with pytest.raises(BadRequest, match="would be sent to"):
            Source("sk-tw-abc", url)
    Source("sk-tw-abc", "http://127.0.0.1:8000/v1").close()
    for key in ("", " ", "sk-\u4e2d", "sk-a\nb"):
        with pytest.raises(BadRequest, match="OPENAI_API_KEY"):
            Source(key)
    for url in ("localhost:8000/v1", "file:///etc", "", "http://", "https://me:word@host/v1"):
        with pytest.raises(BadRequest, match="not the address"):
            Source(KEY, url)


def test_what_others_wrote_moves_no_cursor() -> None:
    for made in (plain, line):
        assert made(f"a{ESCAPES}b").isprintable()
        assert made("naïve 東京 👩‍🚀 नि") == "naïve 東京 👩‍🚀 नि"
    assert plain("a\tb\nc\r") == "a\tb\nc\\r"
    assert line("a\tb\n") == "a\\tb\\n"
    said = {"text": ESCAPES + "\u2028\ud800"}
    assert json.loads(in_json(json.dumps(said, ensure_ascii=False))) == said


def test_escapes_of_a_source_are_not_printed(elsewhere: Elsewhere, tmp_path: Path) -> None:
    from imports.test_never import everything, run

    elsewhere.add("/evals", {"id": f"[/red]{ESCAPES}"})
    elsewhere.odd["/evals/eval_1"] = [refused(403, f"No {ESCAPES}\nFake: all fetched")] * 9
    elsewhere.lists["/fine_tuning/jobs"][0]["status"] = ESCAPES
    elsewhere.lists["/files"][0]["id"] = ESCAPES
    elsewhere.lists["/files"][0]["filename"] = ESCAPES
    results = everything(elsewhere, tmp_path)
    results += [run(elsewhere, tmp_path, command, "--json") for command in ("plan", "fetch")]
    for result in results:
        assert result.exception is None or isinstance(
            result.exception, (TunewrightError, SystemExit)
        )
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", result.output)
    assert any("403, No" in result.output for result in results)


def test_suggested_commands_name_the_source_and_the_home(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    from imports.test_never import run

    said = run(elsewhere, tmp_path, "plan").output
    assert f"tunewright import openai fetch --from-base-url {elsewhere.url}\n" in said
    said = run(elsewhere, tmp_path, "replay", "--model", "builtin-chat").output
    assert f"fetch --from-base-url {elsewhere.url} --home {tmp_path}" in said


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats(allow_nan=False)
    | st.text(max_size=8) | st.sampled_from([OLD, "..", "../../x", ESCAPES, "succeeded"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
_FIELDS = (
    *("id", "status", "model", "created", "bytes", "data", "has_more", "training_file"),
    *("validation_file", "fine_tuned_model", "hyperparameters", "method", "metadata", "seed"),
    *("user_provided_suffix", "trained_tokens", "messages", "role", "content", "tools", "filename"),
    *("shutdown_date", "object", "purpose"),
)
CHANGES = st.dictionaries(st.sampled_from(_FIELDS), VALUES, min_size=1, max_size=4)


def _changed(value: Any, changes: dict[str, Any], choose: Callable[[], bool]) -> Any:
    """A JSON value with some fields, at whatever depth, in another form."""
    if isinstance(value, dict):
        return {
            name: changes[name] if name in changes and choose() else _changed(each, changes, choose)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_changed(each, changes, choose) for each in value]
    return value


@pytest.fixture(scope="module")
def hostile() -> Iterator[Elsewhere]:
    made = account(1_795_000_000, completions=2)
    made.lists["/models"][0]["id"] = OLD
    for part in ("training_file", "validation_file"):
        made.lists["/fine_tuning/jobs"][0][part] = "file-fine-tune-0"
    made.bodies["/files/file-fine-tune-0/content"] = chats(12)
    made.lists["/fine_tuning/jobs/ftjob-0/events"] = [{"id": "e"}]
    made.lists["/fine_tuning/jobs/ftjob-1/events"] = [{"id": "e"}]
    yield made
    made.close()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=CHANGES, seed=st.integers(0, 2**16), cut=st.none() | st.integers(0, 200))
def test_whatever_a_source_says_is_a_line_and_no_traceback(
    hostile: Elsewhere,
    tmp_path_factory: pytest.TempPathFactory,
    changes: dict[str, Any],
    seed: int,
    cut: int | None,
) -> None:
    import random

    draw = random.Random(seed)
    honest = Elsewhere.answer

    def answer(path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        status, headers, body = honest(hostile, path, query)
        with contextlib.suppress(ValueError):
            changed = _changed(json.loads(body), changes, lambda: draw.random() < 0.5)
            body = json.dumps(changed).encode()[: cut if draw.random() < 0.2 else None]
        return status, headers, body

    hostile.answer = answer  # type: ignore[method-assign]
    home = tmp_path_factory.mktemp("deep") / "a" / "home"
    tw = Tunewright(home)
    archive = Archive.of(tw.home.imports, hostile.url)
    try:
        with source(hostile) as opened, contextlib.suppress(SourceError):
            plan(opened)
            list(fetch(opened, archive))
        with contextlib.suppress(TunewrightError):
            estimates(archive)
        for on_answers in (False, True):
            for each in replay(tw, archive, "builtin-chat", dry_run=True, on_answers=on_answers,
                               allow_output_training=True):  # fmt: skip
                assert each.state in ("would be created", "refused", "there")
    finally:
        tw.close()
        del hostile.answer
    assert [path.name for path in home.parent.parent.iterdir()] == ["a"]
    assert [path.name for path in home.parent.iterdir()] == ["home"]
