"""Moving from our own server, and from one that has all of OpenAI's lists and misbehaves."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from imports.elsewhere import KEY, Elsewhere, account, refused
from servers import Server
from tunewright.errors import Corrupt
from tunewright.imports import Archive, Line, Source, SourceError, fetch

TODAY = 1_795_000_000


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = account(TODAY)
    yield made
    made.close()


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def fetched(elsewhere: Elsewhere, archive: Archive, **more: object) -> list[Line]:
    waits: list[float] = []
    with Source(KEY, elsewhere.url, sleep=waits.append) as source:
        return list(fetch(source, archive, **more))


def states(lines: list[Line]) -> dict[tuple[str, str], int]:
    return dict(Counter((line.kind, line.state) for line in lines))


ALL = {
    ("model", "fetched"): 2,
    ("file", "fetched"): 4,
    ("job", "fetched"): 2,
    ("eval", "fetched"): 1,
    ("run", "fetched"): 2,
    ("completion", "fetched"): 12,
}


def test_everything_is_fetched_as_it_was_sent_and_only_once(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    assert states(fetched(elsewhere, archive)) == ALL
    for path, body in elsewhere.bodies.items():
        name = (
            path[1:]
            .replace("fine_tuning/jobs/", "jobs/")
            .replace("chat/completions", "completions")
        )
        if path.endswith("/content"):
            name = name.replace("/content", ".content")
        elif name.startswith("jobs/"):
            name += "/job.json"
        elif name.startswith("completions/"):
            name += "/completion.json"
        else:
            name += "/run.json" if "/runs/" in name else ".json"
        if "gpt-4o-mini.json" not in name:  # not a tuned one
            assert archive.read(name) == body
    events = [json.loads(archive.read(f"jobs/ftjob-0/events-000{n}.json")) for n in (1, 2, 3)]
    assert [event["id"] for page in events for event in page["data"]] == [
        f"ftevent-0-{n}" for n in range(250)
    ]
    before = Counter(elsewhere.asked)
    again = fetched(elsewhere, archive)
    assert {line.state for line in again} == {"kept"}
    asked = elsewhere.asked - before
    assert not [path for path in asked if path.endswith(("content", "events", "messages", "items"))]
    assert not archive.changed()
    assert elsewhere.methods == {"GET"}


def test_it_goes_on_from_wherever_it_was_cut_off(elsewhere: Elsewhere, tmp_path: Path) -> None:
    del elsewhere.lists["/chat/completions"][6:]
    with Source(KEY, elsewhere.url) as source:
        whole = list(fetch(source, Archive(tmp_path / "whole")))
        archive = Archive(tmp_path / "pieces")
        for cut in range(1, len(whole), 3):
            lines = fetch(source, Archive(archive.root))
            assert [next(lines) for _ in range(cut)][-1].state == "fetched"
            lines.close()
    fetched(elsewhere, Archive(archive.root))
    assert _tree(archive.root) == _tree(tmp_path / "whole")
    contents = [n for path, n in elsewhere.asked.items() if path.endswith("content")]
    assert contents == [2] * 4  # once for each of the two archives


def test_a_killed_command_leaves_nothing_half_and_the_next_goes_on(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    arrived = threading.Event()

    def stall(path: str) -> None:
        if path == "/fine_tuning/jobs/ftjob-1/events" and not arrived.is_set():
            arrived.set()
            threading.Event().wait(20)

    elsewhere.before = stall
    command = _command(elsewhere, tmp_path)
    process = subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE, text=True)
    assert arrived.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [root] = (tmp_path / "imports").iterdir()
    assert not Archive(root).changed()
    assert not [path for path in _tree(root) if ".tmp-" in path]
    assert json.loads((root / "jobs/ftjob-1/job.json").read_bytes())["status"] == "succeeded"
    assert KEY.encode() not in b"".join(_tree(tmp_path).values())
    assert KEY not in done.stdout + done.stderr


def test_a_busy_source_is_asked_again_when_it_says(elsewhere: Elsewhere, archive: Archive) -> None:
    elsewhere.odd["/files/file-fine-tune-0/content"] = [
        refused(429, "Slow down.", Retry_After="7"),
        refused(500, "Oops."),
        refused(429, "Slow down.", Retry_After_Ms="250"),
    ]
    waits: list[float] = []
    with Source(KEY, elsewhere.url, sleep=waits.append) as source:
        assert states(list(fetch(source, archive))) == ALL
    assert waits == [7.0, 2.0, 0.25]


def test_what_is_refused_is_a_line_with_a_remedy_and_can_be_given(
    elsewhere: Elsewhere, archive: Archive, tmp_path: Path
) -> None:
    path = "/files/file-fine-tune-1/content"
    elsewhere.odd[path] = [refused(403, f"Not with {KEY}.")]
    elsewhere.odd["/evals/eval_1/runs"] = [refused(400, "Odd.")]
    elsewhere.lists["/files"][0]["id"] = "../../outside"
    elsewhere.lists["/evals"].append({"id": "../eval"})
    lines = fetched(elsewhere, archive)
    failed = {line.id: line for line in lines if line.state == "failed"}
    assert set(failed) == {"file-fine-tune-1", "/evals/eval_1/runs", "../../outside", "../eval"}
    assert "403, Not with [key]" in failed["file-fine-tune-1"].message
    assert "--file" in failed["file-fine-tune-1"].remedy
    assert states(lines)["completion", "fetched"] == 12  # it went on
    assert not (tmp_path.parent / "outside.content").exists()
    elsewhere.odd[path] = [refused(403, "Still not.")]
    mine = tmp_path / "mine.jsonl"
    mine.write_bytes(b"mine\n")
    given = {"file-fine-tune-1": mine, "file-deleted-long-ago": mine}
    again = fetched(elsewhere, archive, given=given)
    assert states(again)["file", "given"] == 2
    assert archive.read("files/file-deleted-long-ago.content") == b"mine\n"
    assert states(again)["run", "fetched"] == 2
    assert archive.read("files/file-fine-tune-1.content") == b"mine\n"


def test_nothing_is_overwritten(elsewhere: Elsewhere, archive: Archive) -> None:
    elsewhere.bodies["/fine_tuning/jobs/ftjob-0"] = b'{"id": "ftjob-0", "status": "running"}'
    fetched(elsewhere, archive)
    elsewhere.bodies["/fine_tuning/jobs/ftjob-0"] = b'{"id": "ftjob-0", "status": "succeeded"}'
    elsewhere.bodies["/files/file-fine-tune-0/content"] = b"another"
    again = fetched(elsewhere, archive)
    assert [line.id for line in again if line.state == "fetched"] == ["ftjob-0"]
    assert b"running" in (archive.root / "jobs/ftjob-0/job.json").read_bytes()
    assert archive.json("jobs/ftjob-0/job.json")["status"] == "succeeded"
    content = archive.root / "files/file-fine-tune-0.content"
    assert content.read_bytes() == "fine-tune\u20280\r\n".encode()
    content.write_bytes(b"touched here")
    assert archive.changed() == ["files/file-fine-tune-0.content"]
    with pytest.raises(Corrupt):
        Archive(archive.root).read("files/file-fine-tune-0.content")


def test_the_key_goes_to_no_other_host(elsewhere: Elsewhere, archive: Archive) -> None:
    other = Elsewhere(bodies={"/stolen": b"x", "/files/moved/content": b"x"})
    path = "/files/file-fine-tune-0/content"
    elsewhere.odd[path] = [(307, {"location": f"{other.url}/stolen"}, b"")]
    elsewhere.odd["/files/file-fine-tune-1/content"] = [(302, {"location": "/v1/moved"}, b"")]
    elsewhere.bodies["/moved"] = b"moved within the host"
    lines = fetched(elsewhere, archive)
    [failed] = [line for line in lines if line.state == "failed"]
    assert "another host" in failed.message
    assert not other.asked
    assert archive.read("files/file-fine-tune-1.content") == b"moved within the host"
    other.close()


def test_a_refused_key_ends_it_and_is_not_repeated(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.odd["/models"] = [refused(401, f"Incorrect API key provided: {KEY}.")] * 2
    with pytest.raises(SourceError, match=r"\[key\]"):
        fetched(elsewhere, Archive(tmp_path / "archive"))
    command = _command(elsewhere, tmp_path)
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Incorrect API key" in done.stderr
    assert KEY not in done.stdout + done.stderr


def test_our_own_server_is_a_source_too(server: Server, tuned: dict, archive: Archive) -> None:
    with Source(server.key, server.url) as source:
        lines = list(fetch(source, archive))
    assert not [line for line in lines if line.state == "failed"]
    job = tuned["id"]
    kept = archive.json(f"jobs/{job}/job.json")
    assert kept == server.http.get(f"/fine_tuning/jobs/{job}").json()
    events = [
        event["id"]
        for path in sorted((archive.root / "jobs" / job).glob("events-*.json"))
        for event in json.loads(path.read_bytes())["data"]
    ]
    assert events == [event["id"] for event in server.events(job)][::-1]
    for file in (tuned["training_file"], *tuned["result_files"]):
        content = server.http.get(f"/files/{file}/content").content
        assert archive.read(f"files/{file}.content") == content
    names = [line.id for line in lines if line.kind == "model"]
    assert tuned["fine_tuned_model"] in names


def _tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and path.name != "received.json")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def _command(elsewhere: Elsewhere, home: Path) -> list[str]:
    tunewright = [sys.executable, "-m", "tunewright", "import", "openai", "fetch"]
    return [*tunewright, "--from-base-url", elsewhere.url, "--home", str(home)]


def _environment() -> dict[str, str]:
    return {**os.environ, "OPENAI_API_KEY": KEY, "NO_COLOR": "1", "COLUMNS": "160"}


def test_a_job_that_ends_while_it_is_fetched_loses_no_event(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    path, ended = "/fine_tuning/jobs/ftjob-0", b'{"id": "ftjob-0", "status": "succeeded"}'
    elsewhere.bodies[path] = b'{"id": "ftjob-0", "status": "running"}'

    def end(asked: str) -> None:  # between the last page of its events and what comes next
        if asked == f"{path}/checkpoints":
            elsewhere.bodies[path] = ended
            elsewhere.lists[f"{path}/events"].append({"id": "ftevent-last"})

    elsewhere.before = end
    fetched(elsewhere, archive)
    elsewhere.before = lambda asked: None
    fetched(elsewhere, archive)
    assert archive.read("jobs/ftjob-0/job.json") == ended
    assert b"ftevent-last" in archive.read("jobs/ftjob-0/events-0003.json")
