"""An export from its task to its record: what is published, and what never is."""

import tarfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tuned_models import put_tuned
from tunewright import durable
from tunewright.app import Acting, Tunewright
from tunewright.errors import BadRequest, NotFound, QuotaExceeded, StorageFull
from tunewright.exporting.recipe import Recipe
from tunewright.exporting.report import Compared
from tunewright.records.exports import Export
from tunewright.records.models import Weights
from tunewright.resources import exports
from tunewright.settings import Settings
from tunewright.work import worker
from tunewright.work.export import WriteExport
from tunewright.work.worker import Worker

MODEL = "ft:builtin-chat:personal:parent:1"
SAME = Compared(8, 0.002, 0.0001, 0.00005, 0.0, 0.5, 1.0, None)
OTHER = Compared(8, 0.002, 0.7, 0.2, 0.0, 0.5, 0.1, "a log-probability differs by 0.7000")


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    made = Tunewright(tmp_path / "home")
    put_tuned(made, MODEL)
    yield made
    made.close()


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Recipe], Compared]], None]:
    """What stands in for the process that computes: its own tests are in tests/exporting."""

    def does(work: Callable[[Recipe], Compared]) -> None:
        monkeypatch.setattr(WriteExport, "_carry_out", lambda self, recipe: work(recipe))

    return does


def writes(then: Compared) -> Callable[[Recipe], Compared]:
    def work(recipe: Recipe) -> Compared:
        assert 0 < len(recipe.rows) <= 8
        (recipe.directory / "adapter_model.safetensors").write_bytes(b"weights" * 100)
        return then

    return work


def work(tw: Tunewright, lane: Any = "export") -> None:
    while task := tw.tasks.lease(lane, "one"):
        Worker(tw, "one")._do(task, {})


def left(tw: Tunewright) -> list[str]:
    return sorted(path.name for path in tw.home.exports.glob("*"))


def test_a_proven_export_is_published_saved_and_expires(
    tw: Tunewright, child: Any, tmp_path: Path
) -> None:
    child(writes(SAME))
    made = tw.exports.create(MODEL, to="peft")
    work(tw)
    done = tw.exports.wait(made.id)
    assert done.status == "succeeded"
    assert done.parity is not None
    assert done.parity.kept == 1.0
    assert [file.name for file in done.files] == ["README.md", "adapter_model.safetensors"]
    (tmp_path / "empty").mkdir()
    saved = tw.exports.save(made.id, tmp_path / "empty")
    assert {file.name for file in saved.iterdir()} == {file.name for file in done.files}
    size, pieces = tw.exports.content(MODEL, made.id)
    data = b"".join(pieces)
    assert len(data) == size
    with tarfile.open(fileobj=BytesIO(data)) as archive:
        members = {m.name: m.size for m in archive.getmembers()}
    assert members == {f"{made.id}/{file.name}": file.bytes for file in done.files}
    tw.acting(tw.owner).shelf.change(
        Export, made.id, lambda it: it.model_copy(update={"expires_at": 1})
    )
    tw.exports.sweep()
    assert left(tw) == []
    with pytest.raises(NotFound):
        tw.exports.find(made.id)


def test_files_that_are_not_the_model_are_never_seen(tw: Tunewright, child: Any) -> None:
    child(writes(OTHER))
    made = tw.exports.create(MODEL, to="peft")
    work(tw)
    found = tw.exports.find(made.id)
    assert found.error is not None
    assert (found.status, found.error.code) == ("failed", "parity_failed")
    assert "differs by 0.7" in found.error.message
    assert left(tw) == []
    with pytest.raises(BadRequest, match="differs by"):
        tw.exports.content(MODEL, made.id)


def test_a_full_disk_is_named(tw: Tunewright, child: Any) -> None:
    def full(recipe: Recipe) -> Compared:
        writes(SAME)(recipe)
        raise StorageFull("The disk that holds exports is full.")

    child(full)
    made = tw.exports.create(MODEL, to="peft")
    work(tw)
    error = tw.exports.find(made.id).error
    assert error is not None
    assert (error.code, error.message) == ("storage_full", "The disk that holds exports is full.")
    assert left(tw) == []


def cancelled(tw: Tunewright, made: Export) -> None:
    assert tw.exports.cancel(MODEL, made.id).status == "cancelled"


def with_its_model(tw: Tunewright, made: Export) -> None:
    tw.models.delete(MODEL)


@pytest.mark.parametrize("end", [cancelled, with_its_model])
def test_one_that_is_ended_meanwhile_leaves_nothing(
    tw: Tunewright, child: Any, end: Callable[[Tunewright, Export], None]
) -> None:
    """At the last moment: when the files are there."""
    made = tw.exports.create(MODEL, to="peft")

    def ended(recipe: Recipe) -> Compared:
        found = writes(SAME)(recipe)
        end(tw, made)
        return found

    child(ended)
    work(tw)
    assert left(tw) == []
    found = tw.acting(tw.owner).shelf.get(Export, made.id)
    assert found is None or found.status == "cancelled"


def test_what_a_killed_worker_left_is_gone_before_the_next_attempt(
    tw: Tunewright, child: Any
) -> None:
    made = tw.exports.create(MODEL, to="peft")
    half = tw.home.exports / f"{made.id}.tmp-999999-abcdef01"
    durable.make_directory(half)
    with durable.directory(tw.home.exports / made.id) as filling:  # renamed, and not recorded
        (filling / "old").write_bytes(b"old")
    child(writes(SAME))
    work(tw)
    assert tw.exports.find(made.id).status == "succeeded"
    assert left(tw) == [made.id]
    assert not ((tw.home.exports / made.id) / "old").exists()


def test_a_child_that_dies_is_tried_three_times(
    tw: Tunewright, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0)
    tries: list[Recipe] = []

    def dies(recipe: Recipe) -> Compared:
        tries.append(recipe)
        raise ChildProcessError("the export ended with -9")

    child(dies)
    made = tw.exports.create(MODEL, to="peft")
    work(tw)
    error = tw.exports.find(made.id).error
    assert error is not None
    assert (error.code, len(tries)) == ("worker_crashed", 3)
    assert left(tw) == []


def test_another_organisation_is_told_what_it_is_told_of_no_model(
    tw: Tunewright, child: Any
) -> None:
    child(writes(SAME))
    made = tw.exports.create(MODEL, to="peft")
    work(tw)
    other: Acting = tw.acting(tw.access.create_organisation("other"))
    calls: list[Callable[[str], Any]] = [
        lambda model: other.exports.create(model, to="peft"),
        lambda model: other.exports.list(model),
        lambda model: other.exports.retrieve(model, made.id),
        lambda model: other.exports.content(model, made.id),
        lambda model: other.exports.cancel(model, made.id),
        lambda model: other.exports.delete(model, made.id),
        lambda model: other.exports.events(model, made.id),
    ]
    for call in calls:
        said: list[str] = []
        for model in (MODEL, MODEL.replace("parent", "nobody")):
            with pytest.raises(NotFound) as refused:
                call(model)
            said.append(refused.value.message.replace("nobody", "parent"))
        assert said[0] == said[1]
    with pytest.raises(NotFound, match="no export"):  # a base is everybody's, its exports are not
        other.exports.retrieve("builtin-chat", made.id)
    assert tw.exports.find(made.id).status == "succeeded"


def test_a_base_that_is_another_by_now_is_not_exported(tw: Tunewright, child: Any) -> None:
    child(writes(SAME))
    made = tw.exports.create(MODEL, to="peft")
    tw.acting(tw.owner).shelf.change(
        Weights, MODEL, lambda w: w.model_copy(update={"base_fingerprint": "0" * 16})
    )
    work(tw)
    error = tw.exports.find(made.id).error
    assert error is not None
    assert error.code == "model_changed"


@pytest.mark.parametrize("there", ["file", "folder", "link"])
def test_a_place_that_is_taken_is_refused_before_anything_is_done(
    tw: Tunewright, tmp_path: Path, there: str
) -> None:
    target = tmp_path / "target"
    if there == "file":
        target.write_text("mine")
    elif there == "link":
        target.symlink_to(tmp_path / "nowhere")
    else:
        target.mkdir()
        (target / "notes.txt").write_text("mine")
    for export in (tw.exports.export, tw.models.export):
        with pytest.raises(BadRequest, match="Nothing was written"):
            export(MODEL, target, to="peft")
    assert tw.exports.list(MODEL).data == []


def test_an_organisation_has_so_many_at_a_time(tw: Tunewright) -> None:
    made = [tw.exports.create(MODEL, to="peft") for _ in range(exports.MOST_KEPT)]
    with pytest.raises(QuotaExceeded, match="may have 16 exports"):
        tw.exports.create(MODEL, to="peft")
    tw.exports.cancel(MODEL, made[0].id)
    tw.exports.delete(MODEL, made[1].id)
    for _ in range(2):
        tw.exports.create(MODEL, to="peft")
    assert len(tw.exports.list(MODEL, limit=100).data) == exports.MOST_KEPT + 1


def test_exports_count_as_files_do(tmp_path: Path, child: Any) -> None:
    tw = Tunewright(settings=Settings.read(tmp_path / "home", disk_bytes=10_000))
    try:
        put_tuned(tw, MODEL)
        child(writes(SAME))
        text = b"x" * 9_500
        file = tw.files.create(file=text, purpose="user_data")
        made = tw.exports.create(MODEL, to="peft")
        work(tw)
        error = tw.exports.find(made.id).error
        assert error is not None
        assert error.code == "insufficient_quota"
        assert "they have 9500" in error.message
        assert left(tw) == []

        more = tw.files.create(file=b"x" * 500, purpose="user_data")
        with pytest.raises(QuotaExceeded, match="and this one 1"):
            tw.exports.create(MODEL, to="peft")  # before anything is computed
        for each in (file, more):
            tw.files.delete(each.id)
        made = tw.exports.create(MODEL, to="peft")
        work(tw)
        assert tw.exports.find(made.id).status == "succeeded"
        with pytest.raises(QuotaExceeded):
            tw.files.create(file=text, purpose="user_data")
        tw.exports.delete(MODEL, made.id)
        tw.files.create(file=text, purpose="user_data")
    finally:
        tw.close()
