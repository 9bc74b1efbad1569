"""Homes of every version: what an older one wrote is found, and a new one is like it."""

import fcntl
import json
import re
import sqlite3
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine

from servers import chats
from tunewright import builtin, durable, records
from tunewright.app import Tunewright
from tunewright.catalog import first_schema, migrations, tables
from tunewright.catalog.catalog import SHARED, Catalog
from tunewright.catalog.replies import Replies
from tunewright.errors import TunewrightError
from tunewright.records.jobs import OPEN, Job
from tunewright.records.models import Start, Weights
from tunewright.records.record import Record, now
from tunewright.records.removals import Removal
from tunewright.records.verifications import Damage
from tunewright.work.worker import Worker

for module in iter_modules(records.__path__, "tunewright.records."):
    import_module(module.name)  # `kept` finds the classes of all of them
OLD = Path(__file__).parent / "homes" / "0.1.sql"
KEY = "sk-tw-1b2oteHjfK1OX8-mVr6nqu_rmafQhytFkLxbTHP_FCY"  # of the first organisation in it
STATUSES = ["validating_files"] * 2 + ["queued", "running", "cancelled", "failed", "succeeded"]


def old_catalog(path: Path) -> Path:
    """The catalog of a home of 0.1, with something of everything: a job in each status, a tuned
    model with checkpoints, keys, organisations, uploads, removals that wait."""
    with sqlite3.connect(path) as connection:
        connection.executescript(OLD.read_text("utf-8"))
    connection.close()
    return path


@pytest.fixture
def old_home(tmp_path: Path) -> Path:
    """With the bytes and the bases that its open jobs need."""
    home = tmp_path / "old"
    home.mkdir()
    with sqlite3.connect(old_catalog(home / "catalog.db")) as connection:
        kept = connection.execute("SELECT id FROM files WHERE NOT deleted").fetchall()
        bases = connection.execute("SELECT base_directory FROM weights").fetchall()
    connection.close()
    for (directory,) in set(bases):
        for base in builtin.BASES:
            if directory.startswith(f"bases/{base.name}-"):
                durable.link(base.directory, home / directory)
    for (id,) in kept:
        durable.write_bytes(home / "blobs" / id, chats(12))
    return home


def shape(connection: sqlite3.Connection) -> dict[str, Any]:
    """Columns (type, not null, primary key) and indexes of every table, in no order."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    found: dict[str, Any] = {}
    for (table,) in connection.execute(query):
        columns = connection.execute(f"PRAGMA table_info({table})")
        indexes = [row[1] for row in connection.execute(f"PRAGMA index_list({table})")]
        found[table] = (
            {row[1]: (*row[2:4], row[5]) for row in columns},
            {
                tuple(row[2] for row in connection.execute(f"PRAGMA index_info({index})"))
                for index in indexes
            },
        )
    return found


def shape_of(path: Path) -> dict[str, Any]:
    with sqlite3.connect(path) as connection:
        found = shape(connection)
    connection.close()
    return found


def kept(kind: type[Record]) -> Iterator[type[Record]]:
    """The record classes below `kind` that the catalog keeps."""
    for each in kind.__subclasses__():
        if vars(each).get("table"):
            yield each
        yield from kept(each)


def test_every_record_class_has_a_table_of_its_own() -> None:
    """Of two with the same one, each would find what the other cannot read."""
    names = [kind.table for kind in kept(Record)]
    assert len(names) == len(set(names)) > 10
    with pytest.raises(TypeError, match="Damage names no table"):
        tables.of(Damage)


def words(sql: str) -> str:
    return " ".join(re.sub(r"([(),])", r" \1 ", sql).split())


def test_the_first_step_makes_the_tables_of_0_1_word_for_word(tmp_path: Path) -> None:
    with sqlite3.connect(old_catalog(tmp_path / "old.db")) as connection:
        query = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        kept = {words(sql) for (sql,) in connection.execute(query)}
    connection.close()
    assert {words(sql) for sql in first_schema.statements()} == kept


def test_new_and_old_homes_end_with_the_same_tables(tmp_path: Path) -> None:
    """Those that the code works with: whoever changes a table writes a step."""
    wanted = create_engine(f"sqlite:///{tmp_path / 'wanted.db'}")
    tables.metadata.create_all(wanted)
    for kind in kept(Record):
        tables.of(kind).create(wanted)
    wanted.dispose()
    for path in (tmp_path / "new.db", old_catalog(tmp_path / "old.db")):
        Catalog(path).close()
        assert shape_of(path) == shape_of(tmp_path / "wanted.db")


def test_a_column_that_a_later_step_adds_is_right_in_new_and_old_homes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice: the homes of the version between are old ones too."""

    def step(connection: Connection) -> None:
        migrations.search_by(connection, "jobs", "user_provided_suffix")

    old, between, new = old_catalog(tmp_path / "old.db"), tmp_path / "b.db", tmp_path / "new.db"
    with sqlite3.connect(old) as connection:
        rows = connection.execute("SELECT body FROM jobs WHERE body LIKE '%\"shop\"%'").fetchall()
        assert len(rows) == 1, "one job of the old home has a suffix"
    connection.close()
    Catalog(between).close()
    monkeypatch.setattr(migrations, "STEPS", [*migrations.STEPS, step])
    for path in (old, between, new, old, new):
        Catalog(path).close()
    assert shape_of(old) == shape_of(between) == shape_of(new)
    with sqlite3.connect(old) as connection:
        query = "SELECT count(*) FROM jobs WHERE user_provided_suffix = 'shop'"
        assert connection.execute(query).fetchone() == (1,)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
        assert "jobs_by_user_provided_suffix" in plan[0][-1]
    connection.close()


def test_removals_that_were_ordered_are_found_by_their_kind(tmp_path: Path) -> None:
    path = old_catalog(tmp_path / "old.db")
    with sqlite3.connect(path) as connection:
        for id in ("gone-1", "ftjob-1"):
            connection.execute(
                "INSERT INTO tasks (id, kind, lane, subject, organisation, state, attempt, "
                "fruitless, reached, held) "
                "VALUES (?, 'remove', 'tidy', ?, 'o', 'waiting', 0, 0, 0, 0)",
                (id, id),
            )
    connection.close()
    Catalog(path).close()
    with sqlite3.connect(path) as connection:
        found = connection.execute("SELECT kind, subject FROM tasks WHERE lane = 'tidy'").fetchall()
    connection.close()
    assert {subject.partition("-")[0]: kind for kind, subject in found} == {
        "file": "remove-file",
        "gone": "remove-weights",
        "ftjob": "remove-job",
    }


def test_starts_and_removals_leave_the_weights(old_home: Path) -> None:
    """What the weights of an older version held besides models: where each job starts from (that
    of one that has ended goes), and what waits for its removal. An open job that goes on from a
    model, as the versions between wrote it, has its files, its rendering and its model's name."""
    further = {
        **(same := {"kind": "chat", "base": "builtin-chat", "base_fingerprint": "f"}),
        "id": "ftjob-further",
        "base_directory": "jobs/ftjob-further/start/base",
        "directory": "jobs/ftjob-further/start/adapter",
        "adaptation": "lora",
        **dict.fromkeys(("job", "step", "deleted_name")),
        "asked": "gpt-4o",
        "rendering": {"kwargs": {"enable_thinking": True}, "date": "2026-11-01T00:00:00"},
        "created": 1,
    }
    model = {**same, "base_directory": "bases/b", "adaptation": "lora", "job": "j", "created": 1}
    gone = [
        {**model, "id": id, "step": step, "directory": f"models/{id}", "deleted_name": name}
        for id, step, name in (("gone-1", None, "ft:x:o::1"), ("gone-2", 3, "ft:x:o::1:ckpt"))
    ]
    base = {**same, "id": "ftjob-base", "base_directory": "bases/b", "created": 1}
    with sqlite3.connect(old_home / "catalog.db") as connection:
        (owner,) = connection.execute("SELECT id FROM organisations LIMIT 1").fetchone()
        jobs = connection.execute("SELECT id, status FROM jobs WHERE NOT deleted").fetchall()
        kept = connection.execute("SELECT id FROM weights WHERE id NOT LIKE 'ftjob-%'").fetchall()
        put = (
            "INSERT INTO weights (id, organisation, version, deleted, directory, base_directory, "
            "job, body) VALUES (?, ?, 3, 0, ?, ?, ?, ?)"
        )
        for row, by in [(further, owner), *((each, owner) for each in gone), (base, SHARED)]:
            places = (row.get("directory"), row["base_directory"], row.get("job"))
            connection.execute(put, (row["id"], by, *places, json.dumps(row)))
        connection.execute(put, ("ftjob-spoilt", owner, None, None, None, "{spoilt"))
    connection.close()
    tw = Tunewright(old_home)
    shelf = tw.acting(tw.owner).shelf
    starts = {start.id: start for start in shelf.all(Start)}
    assert set(starts) == {id for id, status in jobs if status in OPEN} | {"ftjob-further"}
    assert len(starts) == 5
    assert all(shelf.all(Start, subject=id) == [start] for id, start in starts.items())
    assert starts.pop("ftjob-further").model_dump() == {
        key: value for key, value in further.items() if key not in ("job", "step", "deleted_name")
    }
    assert {start.base_directory.partition("-")[0] for start in starts.values()} == {
        "bases/builtin"
    }
    models = {
        weights.id for weights in (*tw.catalog.shelf(SHARED).all(Weights), *shelf.all(Weights))
    }
    assert models == {id for (id,) in kept} | {"ftjob-base"}
    assert [removal.model_dump() for removal in shelf.all(Removal)] == [
        {
            "id": each["id"],
            "name": each["deleted_name"],
            "directory": each["directory"],
            "base_directory": "bases/b",
            "job": None if each["step"] else "j",
        }
        for each in gone
    ]
    for kind, place in ((Start, "jobs/ftjob-further/start/base"), (Removal, "bases/b")):
        assert tw.catalog.mentions(kind, "base_directory", place, but="")
    tw.close()


def test_a_home_of_0_1_opens_lists_and_answers(old_home: Path) -> None:
    tw = Tunewright(old_home)
    caller = tw.access.caller(KEY)
    acting = tw.acting(caller)
    jobs = acting.jobs.list(limit=100).data
    assert sorted(job.status for job in jobs) == sorted(STATUSES)
    (done,) = (job for job in jobs if job.status == "succeeded")
    assert done.metadata == {"team": "a"}
    assert done.fine_tuned_model is not None
    assert acting.models.retrieve(done.fine_tuned_model).id == done.fine_tuned_model
    assert "job has successfully completed" in acting.jobs.events(done.id).data[0].message
    checkpoints = acting.jobs.checkpoints(done.id).data
    assert [checkpoint.step_number for checkpoint in checkpoints] == [4, 2]
    given = acting.permissions.list(checkpoints[-1].fine_tuned_model_checkpoint).data
    assert [permission.project_id for permission in given] == ["proj_1"]
    assert acting.models.retrieve("ft:gpt-3.5-turbo-0613:shop::AbCd1234")
    assert {file.filename for file in acting.files.list().data} > {"chats.jsonl", "few.jsonl"}
    keys = [(key.role, bool(key.revoked_at)) for key in tw.access.keys(caller)]
    assert keys == [("owner", False), ("member", True), ("member", False)]
    acme = tw.acting(tw.access.organisation("acme"))
    assert [file.filename for file in acme.files.list().data] == ["acme.jsonl"]
    assert Replies(tw.catalog).get(caller.organisation, "reply-1", 10 * 365 * 86400.0) is not None
    tw.close()


def test_no_table_changes_under_an_older_server(old_home: Path) -> None:
    """Its worker would not find what its jobs start from, and would let go of them."""
    before = shape_of(old_home / "catalog.db")
    with (old_home / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TunewrightError, match="older Tunewright runs on"):
            Tunewright(old_home)
    assert shape_of(old_home / "catalog.db") == before
    Tunewright(old_home).close()
    with (old_home / "lock").open("ab") as lock:  # a server of this version
        fcntl.flock(lock, fcntl.LOCK_EX)
        Tunewright(old_home).close()
    assert shape_of(old_home / "catalog.db") != before


def test_the_work_of_a_home_of_0_1_goes_on(old_home: Path) -> None:
    """What was to be removed is removed, and a job that was being checked is queued."""
    tw = Tunewright(old_home)
    tw.tasks.release_of_dead()
    worker = Worker(tw, "one")
    task = tw.tasks.lease("tidy", "one")
    assert task is not None
    worker._do(task, {})
    assert task.kind == "remove-file"
    assert tw.tasks.subjects(task.kind, tw.owner.organisation) == []
    task = tw.tasks.lease("cpu", "one")
    assert task is not None
    worker._do(task, {})
    assert tw.jobs.retrieve(task.subject).status == "queued"
    tw.close()


@pytest.mark.slow
def test_jobs_that_a_home_of_0_1_had_begun_are_trained_to_their_end(old_home: Path) -> None:
    fingerprint = durable.fingerprint(builtin.CHAT)
    with Tunewright(old_home) as tw:
        (running,) = tw.acting(tw.owner).shelf.all(Job, where={"status": "running"})
        ended = tw.jobs.wait(running.id)
        assert ended.status == "succeeded", ended
        assert ended.finished_at is not None
        assert now() - ended.finished_at < 600
        weights = tw.models.weights(str(ended.fine_tuned_model), ("chat",))
        assert weights.base_fingerprint == fingerprint
        said = tw.chat.create(
            model=str(ended.fine_tuned_model), messages=[{"role": "user", "content": "Hi"}]
        )
        assert said.choices
