"""SIGKILL the server while it works: clients hear of it, and the next start finds a sound home."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import func, select

from servers import REPOSITORY, Server, chats
from tunewright import durable
from tunewright.app import Tunewright
from tunewright.catalog.catalog import Catalog
from tunewright.catalog.tables import tasks
from tunewright.records.jobs import Event, Job
from tunewright.records.record import new_id
from tunewright.resources import removals

New = Callable[..., Server]


def send_half_an_upload(server: Server) -> socket.socket:
    """A form whose file part goes on for ever; returns once its bytes lie on the disk."""
    host, port = server.root_url.removeprefix("http://").split(":")
    sock = socket.create_connection((host, int(port)))
    head = (
        f"POST /v1/files HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.key}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 99000000\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    )
    sock.sendall(head.encode() + bytes(3 * 1024 * 1024))
    for _ in range(500):
        if any(p.stat().st_size for p in (server.home / "blobs").glob("*.tmp-*")):
            return sock
        time.sleep(0.02)
    raise AssertionError("nothing of the upload came to the disk")


@pytest.mark.parametrize("point", ["between", pytest.param("within", marks=pytest.mark.slow)])
def test_killed_during_an_upload_there_is_no_file_and_no_litter(
    new_server: New, point: str
) -> None:
    """In the middle of its bytes, and between its bytes and its record."""
    armed = {"TUNEWRIGHT_FAULT": "file.stored:kill"} if point == "between" else {}
    server = new_server(**armed)
    blobs = server.home / "blobs"
    if point == "between":
        with pytest.raises(httpx.HTTPError):
            server.upload(chats(2))
        assert server.process.wait(20) == -signal.SIGKILL
        assert [p.name[:5] for p in blobs.iterdir()] == ["file-"], "bytes without a record"
    else:
        sock = send_half_an_upload(server)
        server.stop(signal.SIGKILL)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1) == b"", "no answer, let alone a good one"
        assert list(blobs.iterdir())
    server = new_server(key=server.key)
    assert list(blobs.iterdir()) == []
    assert server.http.get("/files").json()["data"] == []
    file = server.upload(chats(2))
    assert server.http.get(f"/files/{file}/content").content == chats(2)


def test_a_start_leaves_the_uploads_of_living_processes_alone(tmp_path: Path) -> None:
    """Another process, such as the command line, uploads to the home whose server starts."""
    script = (
        "import sys; from tunewright.app import Tunewright\n"
        "draft = Tunewright(sys.argv[1]).files.draft(); draft.write(b'{}')\n"
        "file = draft.seal('a', 'fine-tune') if sys.argv[2] == 'sealed' else None\n"
        "print(flush=True); input()\n"
        "draft.publish(file or draft.seal('a', 'fine-tune'))"
    )
    home = tmp_path / "home"
    tw = Tunewright(home)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(home), how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for how in ("sealed", "open")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"\n"
    (tw.home.blobs / new_id("file-")).write_bytes(b"x")
    durable.sweep(tw.home.root)
    removals.sweep(tw.catalog, tw.home, tw.blobs)
    for writer in writers:
        writer.communicate(b"\n")
        assert writer.returncode == 0
    found = {file.id for file in tw.files.list().data}
    assert len(found) == 2
    assert {path.name for path in tw.home.blobs.iterdir()} == found


CHAT = {
    "model": "builtin-chat",
    "messages": [{"role": "user", "content": "Tell me of the sea."}],
    "temperature": 0,
}

STREAM = """
import sys
from openai import OpenAI

try:
    for chunk in OpenAI(max_retries=0).chat.completions.create(**{body!r}):
        print("chunk", flush=True)
    print("ended well")
except Exception as error:
    print(type(error).__name__)
"""


def run_sdk(server: Server, script: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key}
    command = [str(REPOSITORY / ".sdk/3.54.0/bin/python"), "-c", script]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_killed_while_it_streams_the_client_hears_an_error(new_server: New) -> None:
    """Never an answer that ends as if it were whole."""
    server = new_server()
    short = {**CHAT, "max_tokens": 5}
    first = server.http.post("/chat/completions", json=short).json()["choices"]
    children = psutil.Process(server.process.pid).children(recursive=True)
    assert len(children) == 2, "engine and worker"
    # 0 and 4 are the tokens with which an answer ends.
    endless = {**CHAT, "max_tokens": 900, "stream": True, "logit_bias": {"0": -100, "4": -100}}
    sdk = run_sdk(server, STREAM.format(body=endless))
    assert sdk.stdout is not None
    assert sdk.stdout.readline() == "chunk\n"
    lines: list[str] = []
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        read_and_kill(server, endless, lines)
    assert lines
    assert "data: [DONE]" not in lines
    assert sdk.communicate(timeout=30)[0].split()[-1].endswith("Error")
    assert server.process.wait(20) == -signal.SIGKILL
    assert not psutil.wait_procs(children, timeout=20)[1], "nothing outlives it"
    sound(server.home)
    server = new_server(key=server.key)
    assert server.http.post("/chat/completions", json=short).json()["choices"] == first


def read_and_kill(server: Server, body: dict, lines: list[str]) -> None:
    with server.http.stream("POST", "/chat/completions", json=body) as answer:
        for line in answer.iter_lines():
            lines.append(line)
            server.process.send_signal(signal.SIGKILL)


def sound(home: Path) -> None:
    with contextlib.closing(Catalog(home / "catalog.db")) as catalog:
        catalog.check()


CREATE = """
from openai import OpenAI

given = {{"n_epochs": 1, "batch_size": 12}}
job = OpenAI(max_retries=20).fine_tuning.jobs.create(
    model={model!r}, training_file={file!r}, seed=5, hyperparameters=given
)
print(job.id)
"""


@pytest.mark.slow
@pytest.mark.parametrize("point", ["job.creating", "reply.kept"])
def test_killed_while_it_makes_a_job_a_repetition_gives_one(new_server: New, point: str) -> None:
    """Before the commit there is no job at all, after it a whole one. The SDK repeats its call by
    itself, the next server hears it, and there is one job, which runs."""
    server = new_server()
    file, key = server.upload(chats(12)), server.key
    server.stop()
    server = new_server(key=key, TUNEWRIGHT_FAULT=f"{point}:kill")
    sdk = run_sdk(server, CREATE.format(model="gpt-3.5-turbo", file=file))
    assert server.process.wait(60) == -signal.SIGKILL
    sound(server.home)
    there = records(server.home)
    assert there == ((1, 2, 1) if point == "reply.kept" else (0, 0, 0))
    server = new_server(key=key, port=server.root_url.rpartition(":")[2])
    (id,) = sdk.communicate(timeout=120)[0].split()
    jobs = server.http.get("/fine_tuning/jobs").json()["data"]
    assert [job["id"] for job in jobs] == [id]
    assert server.wait(id)["status"] == "succeeded", server.events(id)
    texts = [event["message"] for event in server.events(id)]
    assert texts.count(f"Created fine-tuning job: {id}") == 1
    assert [path.name for path in (server.home / "jobs").iterdir()] == [id]


def records(home: Path) -> tuple[int, int, int]:
    """Jobs, their first events (made, and what answers), their tasks."""
    with contextlib.closing(Catalog(home / "catalog.db")) as catalog, catalog.reading() as reading:
        jobs, events = catalog.ids(Job), catalog.ids(Event)
        count = select(func.count()).where(tasks.c.kind == "check")
        return len(jobs), len(events), reading.execute(count).scalar_one()


def test_the_folder_of_a_job_that_never_was_goes_at_the_next_start(tmp_path: Path) -> None:
    """Killed before the commit of a job that goes on from a tuned model, whose files it keeps."""
    tw = Tunewright(tmp_path / "home")
    job, model = tw.home.job(new_id("ftjob-")), tw.home.models / "m"
    model.mkdir(parents=True)
    (model / "weights").write_bytes(b"w")
    durable.link(model, job / "start" / "adapter")
    file = tw.files.create(file=chats(12), purpose="fine-tune").id
    known = tw.home.job(tw.jobs.create(model="builtin-chat", training_file=file).id)
    known.mkdir(exist_ok=True)
    removals.sweep(tw.catalog, tw.home, tw.blobs)
    assert not job.exists()
    assert known.exists()
    assert (model / "weights").exists()
    assert tw.files.retrieve(file)
