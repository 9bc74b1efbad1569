"""What nobody needs goes, and nothing else."""

import fcntl
from pathlib import Path

import pytest

from servers import chats
from training.tiny import write_base
from tunewright import durable
from tunewright.app import Tunewright
from tunewright.records.jobs import Job
from tunewright.records.models import Start, Weights
from tunewright.records.removals import Removal
from tunewright.resources import removals


def a_job(tw: Tunewright) -> str:
    """With a folder as a job has it that goes on from a tuned model."""
    file = tw.files.create(file=chats(12), purpose="fine-tune").id
    id = tw.jobs.create(model="builtin-chat", training_file=file).id
    for part in ("start/base", "start/adapter", "resume/step-3", "checkpoints/step-3"):
        durable.write_bytes(tw.home.job(id) / part / "weights", b"w")
    durable.write_bytes(tw.home.job(id) / "log.txt", b"told")
    return id


def left(tw: Tunewright, id: str) -> set[str]:
    folder = tw.home.job(id)
    return {str(path.relative_to(folder).parent) for path in folder.rglob("weights")}


ALL = {"start/base", "start/adapter", "resume/step-3", "checkpoints/step-3"}


@pytest.fixture
def tw(tmp_path: Path) -> Tunewright:
    return Tunewright(tmp_path / "home")


def test_a_job_that_ended_in_vain_keeps_what_is_served_and_told(tw: Tunewright) -> None:
    cancelled, open_ = a_job(tw), a_job(tw)
    tw.jobs.cancel(cancelled)
    removals.tidy(tw.catalog, tw.home, tw.artefacts)
    assert left(tw, cancelled) == {"checkpoints/step-3"}
    assert (tw.home.job(cancelled) / "log.txt").read_bytes() == b"told"
    assert left(tw, open_) == ALL


def test_a_checkpoint_keeps_the_base_that_it_is_for(tw: Tunewright) -> None:
    id = a_job(tw)
    tw.jobs.cancel(id)
    base = str((tw.home.job(id) / "start" / "base").relative_to(tw.home.root))
    checkpoint = Weights(
        id="ft:x:ckpt-step-3", kind="chat", base="x", base_directory=base, base_fingerprint="f"
    )
    tw.acting(tw.owner).shelf.put(checkpoint)
    removals.tidy(tw.catalog, tw.home, tw.artefacts)
    assert left(tw, id) == {"checkpoints/step-3", "start/base"}
    tw.acting(tw.owner).shelf.delete(Weights, checkpoint.id)
    removals.tidy(tw.catalog, tw.home, tw.artefacts)
    assert left(tw, id) == {"checkpoints/step-3"}


def test_a_deleted_base_stays_for_open_jobs_and_models_only(tw: Tunewright, tmp_path: Path) -> None:
    file = tw.files.create(file=chats(12), purpose="fine-tune").id
    source = write_base(tmp_path / "source", "llama")
    place, job = "", Job.model_construct()

    def deleted(name: str, end: bool) -> bool:
        nonlocal place, job
        tw.bases.add(name, source, "chat", lambda *_: None)
        place = tw.models.weights(name, ("chat",)).base_directory
        job = tw.jobs.create(model=name, training_file=file)
        if end:
            tw.jobs.cancel(job.id)
            assert tw.shelf.get(Start, job.id) is None
        tw.bases.delete(name)
        return not tw.artefacts.exists(place)

    assert deleted("ended", end=True)
    assert not deleted("open", end=False)
    tw.jobs.cancel(job.id)  # and that was the last who needed it
    tw.acting(tw.owner).removals.carry_out_all()
    assert not tw.artefacts.exists(place)
    assert not tw.shelf.all(Removal)


def test_a_folder_in_which_somebody_trains_stays_as_it_is(tw: Tunewright) -> None:
    id = a_job(tw)
    tw.jobs.cancel(id)
    with (tw.home.job(id) / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        removals.tidy(tw.catalog, tw.home, tw.artefacts)
        assert left(tw, id) == ALL
    removals.tidy(tw.catalog, tw.home, tw.artefacts)
    assert left(tw, id) == {"checkpoints/step-3"}


def test_what_somebody_put_into_a_home_stays(tw: Tunewright) -> None:
    for path in ("jobs/notes/todo.txt", "blobs/README", "blobs/lost+found/x"):
        durable.write_bytes(tw.home.root / path, b"mine")
    ours = tw.home.blobs / ("file-" + "a" * 24)
    durable.write_bytes(ours, b"nobody's")
    removals.sweep(tw.catalog, tw.home, tw.blobs)
    removals.tidy(tw.catalog, tw.home, tw.artefacts)
    assert not ours.exists()
    assert (tw.home.jobs / "notes" / "todo.txt").exists()
    assert (tw.home.blobs / "README").exists()
