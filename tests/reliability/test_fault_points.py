"""SIGKILL at each named point of a job's way: it ends as if nothing had been."""

import random
import re
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from killing import Place

from servers import REPOSITORY
from tunewright import faults
from tunewright.tasks import KINDS

New = Callable[..., AbstractContextManager[Place]]

# (phase, who dies, where). A job makes five directories, in this order: checkpoint, resume point,
# checkpoint, resume point, model.
PHASES = [
    ("F01 after the lease", "worker", "job.leased"),
    ("F02 before the first step", "trainer", "training.prepared"),
    ("F03 in the middle of an epoch", "trainer", "training.step:2"),
    ("F04 half a checkpoint", "trainer", "model.half"),
    ("F05 before its sync", "trainer", "directory.filled"),
    ("F06 before its rename", "trainer", "directory.synced"),
    ("F07 after its rename", "trainer", "directory.renamed"),
    ("F08 half a model", "trainer", "model.half:3"),
    ("F09 before its sync", "trainer", "directory.filled:5"),
    ("F10 before its rename", "trainer", "directory.synced:5"),
    ("F11 after its rename", "trainer", "directory.renamed:5"),
    ("F12 before the registration", "worker", "registration.begun"),
    ("F13 inside the registering transaction", "worker", "registration.inside"),
    ("F14 after the registration", "worker", "registration.done"),
    # Beyond the fourteen.
    ("half a resume point", "trainer", "resume_point.half"),
    ("a resume point's rename", "trainer", "directory.renamed:2"),
    ("model, but no parity", "trainer", "training.written"),
    ("between check and queue", "worker", "check.queueing"),
    ("a step is recorded", "worker", "report.taking:4"),
    ("a checkpoint is recorded", "worker", "report.taking:6"),
    ("weights moved, nothing recorded", "worker", "registration.moved"),
    ("all but the records", "worker", "registration.recording"),
]


def struck(new_place: New, root: Path, calm: str, who: str, fault: str) -> list[str]:
    variable = "TUNEWRIGHT_FAULT" if who == "worker" else "TRAINER_FAULT"
    with new_place(root) as place:
        first = place.worker("worker", **{variable: f"{fault}:kill"})
        job = place.job()
        place.until(job)
        if who == "worker":
            assert first.wait(10) == -signal.SIGKILL, "the fault never struck"
        elif not any("exit code -9" in event.message for event in place.events(job)):
            return ["the fault never struck"]
        return place.wrong(job, calm)


@pytest.mark.slow  # F13 is quick among the tests of workers
@pytest.mark.parametrize(
    ("who", "fault"), [pytest.param(who, fault, id=phase) for phase, who, fault in PHASES]
)
def test_killed_at(new_place: New, tmp_path: Path, calm: str, who: str, fault: str) -> None:
    assert struck(new_place, tmp_path / "home", calm, who, fault) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_killed_at_random(new_place: New, tmp_path: Path, calm: str, seed: int) -> None:
    """Worker or trainer, two or three times, at any moment. The third death in a row ends a job,
    but only one that has not come to a checkpoint."""
    chance = random.Random(seed)
    with new_place(tmp_path / "home") as place:
        place.worker("worker")
        job = place.job()
        kills = chance.randrange(2, 4)
        for _ in range(kills):
            time.sleep(chance.random() * 0.8)
            trainer = place.trainer(job)
            if chance.random() < 0.5 and trainer is not None:
                trainer.kill()
            else:
                next(iter(place.workers.values())).kill()
            if place.until(job, "queued", "running", "succeeded", "failed").status == "succeeded":
                break
        ended = place.until(job)
        crashed = ended.error is not None and ended.error.code == "worker_crashed"
        if kills == KINDS["fine-tune"].attempts and crashed:
            assert place.tw.jobs.checkpoints(job).data == []
        else:
            assert place.wrong(job, calm, kills=kills) == []


# test_server_killed.py, test_job_drafts.py, test_batches_killed.py, test_vectors_killed.py,
# test_ingestion_killed.py
EXERCISED_ELSEWHERE = {
    *("file.stored", "job.sealed", "job.creating", "reply.kept"),
    *("batch.kept", "batch.written"),
    *("vectors.making", "vectors.half", "vectors.written", "vectors.committed"),
    *("vectors.deleted", "vectors.rows_deleted"),
    *("ingest.begun", "ingest.embedded", "ingest.indexed", "ingest.kept", "ingest.recorded"),
    *("reembed.embedded", "reembed.kept", "reembed.complete"),
    *("vectors.segment", "vectors.listing", "vectors.listed"),
}


def test_every_fault_point_is_exercised() -> None:
    source = "".join(p.read_text() for p in (REPOSITORY / "src").rglob("*.py"))
    points = re.findall(r"""^\s+fault\(["']([\w.]+)["']\)$""", source, re.MULTILINE)
    assert len(points) == len(set(points)), "a name stands for one place"
    assert source.count("    fault(") == len(points), "names are written out"
    struck = {fault.partition(":")[0] for _, _, fault in PHASES}
    assert set(points) == struck | EXERCISED_ELSEWHERE


@pytest.mark.parametrize("text", ["x:explode", "x:1:2:kill", "x:many:kill", "x"])
def test_a_misspelt_fault_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="NAME"):
        faults.read(text)


def test_a_fault_strikes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "armed", faults.read("here:2:raise"))
    faults.fault("here")
    faults.fault("elsewhere")
    with pytest.raises(faults.Injected):
        faults.fault("here")
    faults.fault("here")
