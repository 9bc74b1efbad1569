"""A table in the queue: embedded by a worker, told, cancelled, resumed, waiting for space."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tunewright import Tunewright
from tunewright.errors import BadRequest, NotFound, StorageFull
from tunewright.resources import embedding_tables
from tunewright.resources.table_plans import Partial
from tunewright.work import assignment, embed_table
from tunewright.work.worker import Worker

STATIC = "builtin-static"


@pytest.fixture
def tw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tunewright]:
    monkeypatch.setattr(embedding_tables, "MANY", 8)
    monkeypatch.setattr(embed_table, "SAY_SECONDS", 0.0)
    monkeypatch.setattr(assignment, "SPACE_SECONDS", 0.01)
    made = Tunewright(tmp_path / "home")
    yield made
    made.close()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"text": f"tea {n}"}) + "\n" for n in range(80)))
    return path


class Work:
    """A worker whose tasks are done when they are asked for."""

    def __init__(self, tw: Tunewright) -> None:
        self._tw = tw
        self.worker = Worker(tw, "one")
        self.begun: dict[str, Any] = {}

    def once(self) -> bool:
        task = self._tw.tasks.lease("table", "one")
        if task:
            self.worker._do(task, self.begun)  # pyright: ignore[reportPrivateUsage]
        return task is not None


def test_the_worker_writes_what_the_command_writes(tw: Tunewright, table: Path) -> None:
    whole, out = table.with_name("whole.csv"), table.with_name("out.csv")
    done = tw.embeddings.table(table, whole, model=STATIC)
    made = tw.tables.create(table, out, model=STATIC)
    assert (made.status, made.file, made.output) == ("queued", str(table), str(out))
    assert Work(tw).once()
    ended = tw.tables.wait(made.id)
    assert (ended.status, ended.error) == ("succeeded", None)
    assert ended.result == done.model_copy(update={"output": str(out)})
    assert out.read_bytes() == whole.read_bytes()
    events = [event.message for event in reversed(tw.tables.events(made.id, limit=100).data)]
    assert events[:2] == [f"Created table: {made.id}", "Table started"]
    assert "48 texts, 50 % of the table read" in events
    assert events[-1] == f"Table done: 80 texts in {out}"
    assert [each.id for each in tw.tables.list().data] == [made.id]
    with pytest.raises(BadRequest, match="has ended already"):
        tw.tables.cancel(made.id)
    assert tw.tables.delete(made.id).deleted
    with pytest.raises(NotFound):
        tw.tables.retrieve(made.id)
    assert out.exists()


def test_what_cannot_be_is_refused_before_it_waits(tw: Tunewright, table: Path) -> None:
    out = table.with_name("out.csv")
    for given, said in (
        ({"column": "txt"}, "Did you mean 'text'"),
        ({"model": "gpt-3.5-turbo"}, "is a chat model"),
    ):
        with pytest.raises(BadRequest, match=said):
            tw.tables.create(table, out, **given)
    out.write_text("mine")
    with pytest.raises(BadRequest, match="exists already"):
        tw.tables.create(table, out, model=STATIC)
    tw.tables.create(table, out, model=STATIC, overwrite=True)
    with pytest.raises(BadRequest, match=r"is to write .*out\.csv, and is queued"):
        tw.tables.create(table, out, model=STATIC, overwrite=True)


def test_a_cancelled_table_stops_and_goes_on_when_asked_for_again(
    tw: Tunewright, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = table.with_name("out.csv")
    first = tw.tables.create(table, out, model=STATIC)
    plain = Partial.add

    def cancelled(self: Partial, *given: Any) -> None:
        plain(self, *given)
        if self.progress.rows == 24:
            tw.tables.cancel(first.id)

    monkeypatch.setattr(Partial, "add", cancelled)
    work = Work(tw)
    assert work.once()
    assert tw.tables.retrieve(first.id).status == "cancelled"
    assert not out.exists()
    monkeypatch.setattr(Partial, "add", plain)
    second = tw.tables.create(table, out, model=STATIC)
    assert work.once()
    ended = tw.tables.wait(second.id)
    assert ended.status == "succeeded"
    assert not out.with_name("out.csv.partial").exists()


def test_a_full_disk_is_waited_for_and_told(
    tw: Tunewright, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tw.tables.create(table, table.with_name("out.csv"), model=STATIC)
    plain, full = Partial.add, [StorageFull("The disk is full.")]

    def add(self: Partial, *given: Any) -> None:
        if self.progress.rows == 16 and full:
            raise full.pop()
        plain(self, *given)

    monkeypatch.setattr(Partial, "add", add)
    work = Work(tw)
    assert work.once()
    assert tw.tables.retrieve(made.id).status == "running"
    assert work.once()
    assert tw.tables.wait(made.id).status == "succeeded"
    told = [event for event in tw.tables.events(made.id, limit=100).data if event.level == "warn"]
    assert [event.message.startswith("Waiting: The disk is full.") for event in told] == [True]


def test_other_organisations_have_their_turn(
    tw: Tunewright, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.work.turn.TURN_SECONDS", 1e-9)
    other = tw.acting(tw.access.create_organisation("other"))
    mine = tw.tables.create(table, table.with_name("mine.csv"), model=STATIC)
    theirs = other.tables.create(table, table.with_name("theirs.csv"), model=STATIC)
    work = Work(tw)
    for _ in range(6):
        assert work.once()
    first, second = tw.tables.retrieve(mine.id), other.tables.retrieve(theirs.id)
    assert first.status == second.status == "running"
    assert 0 < first.progress.rows < 80
    assert 0 < second.progress.rows < 80
    with pytest.raises(NotFound):
        tw.tables.retrieve(theirs.id)
    while work.once():
        pass
    assert tw.tables.retrieve(mine.id).status == "succeeded"
    assert other.tables.retrieve(theirs.id).status == "succeeded"
    assert table.with_name("mine.csv").read_bytes() == table.with_name("theirs.csv").read_bytes()


def test_a_table_that_changed_fails_with_the_remedy(tw: Tunewright, table: Path) -> None:
    out = table.with_name("out.csv")
    steps = tw.embeddings.tables.steps(table, out, model=STATIC)
    next(steps)
    next(steps)
    steps.close()
    table.write_text('{"text": "another"}\n')
    made = tw.tables.create(table, out, model=STATIC)
    assert Work(tw).once()
    ended = tw.tables.wait(made.id)
    assert ended.status == "failed"
    assert ended.error is not None
    assert "the table differs" in ended.error.message
    assert ended.error.code == "other_plan"


def test_an_output_that_another_process_has_is_waited_for(
    tw: Tunewright, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embed_table, "BUSY_SECONDS", 0.0)
    out = table.with_name("out.csv")
    steps = tw.embeddings.tables.steps(table, out, model=STATIC)
    next(steps)
    made = tw.tables.create(table, out, model=STATIC)
    work = Work(tw)
    for _ in range(5):  # more often than it may fail
        assert work.once()
    assert tw.tables.retrieve(made.id).status == "running"
    [told] = [each for each in tw.tables.events(made.id).data if each.level == "warn"]
    assert "Another process is writing" in told.message
    steps.close()
    assert work.once()
    assert tw.tables.retrieve(made.id).status == "succeeded"
