"""While a transaction is open everybody else who writes waits: no file is opened, linked, renamed,
synced or removed meanwhile, whoever's use case it is."""

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from servers import chats
from training.tiny import write_base
from tuned_models import put_tuned
from tunewright import durable
from tunewright.api.application import create_api
from tunewright.app import Tunewright
from tunewright.records.keys import KeyRequest
from tunewright.resources import removals
from tunewright.tasks import Lane
from tunewright.training.report import Checkpoint, Finished
from tunewright.work import expiry, gate, register
from tunewright.work.on_job import OnJob
from tunewright.work.parity import Verdict
from tunewright.work.reports import Reports
from tunewright.work.worker import assigned

FILE_EVENTS = {
    *("open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    *("os.listdir", "os.scandir", "os.truncate", "shutil.copyfile", "shutil.rmtree"),
}


class Watch:
    """What this process does to files of a home while a transaction of `tw` is open there."""

    def __init__(self) -> None:
        self.tw: Tunewright | None = None
        self.seen: list[str] = []
        sys.addaudithook(self._hear)  # for the life of the process: `tw` turns it on and off

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.tw is not None and event in FILE_EVENTS and arguments:
            self.note(event, arguments[0])

    def note(self, event: str, path: object) -> None:
        tw = self.tw
        if tw is None or getattr(tw.catalog._local, "connection", None) is None:
            return
        if event == "os.fsync" or str(tw.home.root) in str(path):
            self.seen.append(f"{event} {path}")


WATCH = Watch()


@pytest.fixture
def tw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tunewright]:
    tw = Tunewright(tmp_path / "home")
    real: Callable[[int], None] = os.fsync

    def fsync(handle: int) -> None:
        WATCH.note("os.fsync", handle)
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    WATCH.tw, WATCH.seen = tw, []
    yield tw
    WATCH.tw = None
    tw.close()


def leased(tw: Tunewright, lane: Lane) -> OnJob:
    task = tw.tasks.lease(lane, "test")
    assert task is not None
    assignment = assigned(task)(tw, task, threading.Event())
    assert isinstance(assignment, OnJob)
    return assignment


def removed(tw: Tunewright) -> None:
    while task := tw.tasks.lease("tidy", "test"):
        assigned(task)(tw, task, threading.Event()).run()


def trained(tw: Tunewright, job: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of the model of a job whose files are checked and whose training is skipped."""
    leased(tw, "cpu").run()
    assignment = leased(tw, "train")
    begun = assignment.progress.move(job, "queued", status="running")
    reports = Reports(assignment, begun)
    with durable.directory(assignment.folder / "checkpoints" / "step-3") as filling:
        durable.write_json(filling / "adapter_config.json", {"r": 4})
    reports.take(Checkpoint(step=3, epoch=1, path="checkpoints/step-3", metrics={}))
    with durable.directory(assignment.folder / "model") as filling:
        durable.write_bytes(filling / "adapter_model.safetensors", b"w")
    reports.take(Finished(path="model", trained_tokens=9, peak_bytes=9))
    monkeypatch.setattr(gate, "check", lambda *_: Verdict(0.002, 0.0, None, False))
    register.register(assignment, reports)
    name = tw.jobs.retrieve(job).fine_tuned_model
    assert name
    return name


def test_through_the_library_and_the_worker(
    tw: Tunewright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tw.files.create(file=chats(12), purpose="fine-tune").id
    upload = tw.uploads.create(bytes=4, filename="a", purpose="fine-tune", mime_type="text/plain")
    part = tw.uploads.add_part(upload.id, b"abcd")
    tw.uploads.complete(upload.id, part_ids=[part.id])
    tw.bases.add("ours", write_base(tmp_path / "ours", "llama"), "chat", lambda *_: None)
    lora, full = put_tuned(tw), put_tuned(tw, "ft:builtin-chat:personal:full:1", "full", job="x")

    jobs = [tw.jobs.create(model=each.id, training_file=file).id for each in (lora, full)]
    model = trained(tw, jobs[0], monkeypatch)
    tw.jobs.pause(jobs[1])
    tw.jobs.resume(jobs[1])
    tw.jobs.cancel(jobs[1])
    removals.tidy(tw.catalog, tw.home, tw.artefacts)
    further = tw.jobs.create(model=f"{model}:ckpt-step-3", training_file=file).id
    tw.jobs.cancel(further)
    for job in (*jobs, further):
        tw.jobs.delete(job)
    for name in (model, lora.id, full.id):
        tw.models.delete(name)
    tw.files.delete(file)
    removed(tw)
    tw.bases.delete("ours")
    durable.write_bytes(tw.home.job("ftjob-" + "a" * 24) / "start" / "w", b"nobody's")
    durable.write_bytes(tw.home.blobs / ("file-" + "a" * 24), b"nobody's")
    removals.sweep(tw.catalog, tw.home, tw.blobs)
    expiry.expire(tw)
    assert WATCH.seen == []
    assert list(tw.home.jobs.iterdir()) == []
    assert not list(tw.home.models.iterdir())


def test_through_http(tw: Tunewright) -> None:
    key = tw.access.create_key(tw.owner, KeyRequest(name="tests", role="owner")).value
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "once"}
    http = TestClient(create_api(tw), "http://127.0.0.1/v1", headers=headers)
    parent = put_tuned(tw)
    form = {"purpose": "fine-tune"}
    file = http.post("files", data=form, files={"file": ("a", chats(12))}).json()["id"]
    announced = {"bytes": 4, "filename": "a", "purpose": "fine-tune", "mime_type": "text/plain"}
    uploads = [
        http.post("uploads", json=announced, headers={"idempotency-key": f"{n}"}).json()["id"]
        for n in range(2)
    ]
    parts = http.post(f"uploads/{uploads[0]}/parts", files={"data": b"abcd"}).json()
    done = {"part_ids": [parts["id"]], "md5": hashlib.md5(b"abcd").hexdigest()}
    assert http.post(f"uploads/{uploads[0]}/complete", json=done).status_code == 200
    assert http.post(f"uploads/{uploads[1]}/cancel").status_code == 200
    body = {"model": parent.id, "training_file": file}
    job = http.post("fine_tuning/jobs", json=body).json()["id"]
    assert http.post(f"fine_tuning/jobs/{job}/cancel").status_code == 200
    for gone in (f"fine_tuning/jobs/{job}", f"models/{parent.id}", f"files/{file}"):
        assert http.delete(gone).json()["deleted"], gone
    assert WATCH.seen == []


def test_it_would_be_seen(tw: Tunewright) -> None:
    with tw.catalog.transaction():
        durable.write_bytes(tw.home.root / "x", b"x")
    events = {each.split()[0] for each in WATCH.seen}
    assert events == {"open", "os.fsync", "os.rename", "os.remove"}
