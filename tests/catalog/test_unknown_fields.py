"""Records that another version wrote, or that nobody can read."""

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from servers import chats
from tunewright.app import Tunewright
from tunewright.errors import Corrupt
from tunewright.records.files import File
from tunewright.work import expiry


@pytest.fixture
def tw(tmp_path: Path) -> Tunewright:
    return Tunewright(tmp_path / "home")


def rewrite(tw: Tunewright, table: str, id: str, **changed: Any) -> None:
    with closing(sqlite3.connect(tw.home.catalog)) as connection, connection:
        (body,) = connection.execute(f"SELECT body FROM {table} WHERE id = ?", (id,)).fetchone()
        new = json.dumps(json.loads(body) | changed)
        connection.execute(f"UPDATE {table} SET body = ? WHERE id = ?", (new, id))


def body(tw: Tunewright, table: str, id: str) -> dict[str, Any]:
    with closing(sqlite3.connect(tw.home.catalog)) as connection:
        query = f"SELECT body FROM {table} WHERE id = ?"
        return json.loads(connection.execute(query, (id,)).fetchone()[0])


def test_a_field_of_a_newer_version_is_read_over_and_kept(tw: Tunewright) -> None:
    file = tw.files.create(file=chats(12), purpose="fine-tune", filename="a.jsonl").id
    job = tw.jobs.create(model="gpt-3.5-turbo", training_file=file).id
    method = body(tw, "jobs", job)["method"]
    method["supervised"]["hyperparameters"]["warmup"] = 0.1
    rewrite(tw, "jobs", job, method=method, newer={"a": [1]})
    rewrite(tw, "files", file, sha256="abc")
    assert [each.id for each in tw.files.list().data] == [file]
    assert tw.jobs.list().data[0].status == "validating_files"
    tw.jobs.cancel(job)
    kept = body(tw, "jobs", job)
    assert kept["status"] == "cancelled"
    assert kept["newer"] == {"a": [1]}
    assert kept["method"]["supervised"]["hyperparameters"]["warmup"] == 0.1


def test_a_record_that_nobody_can_read_is_left_out_and_told_of_once(
    tw: Tunewright, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [tw.files.create(file=chats(1), purpose="fine-tune", filename="a").id for _ in range(9)]
    for id in ids[2:6]:
        rewrite(tw, "files", id, purpose="of a newer version")
    with caplog.at_level(logging.ERROR):
        pages, after = [], None
        while True:
            page = tw.files.list(limit=2, order="asc", **({"after": after} if after else {}))
            pages.append([file.id for file in page.data])
            after = page.last_id
            if not page.has_more:
                break
    assert pages == [ids[:2], ids[6:8], ids[8:]], "full pages, each readable one once"
    told = [id for record in caplog.records for id in ids if id in record.getMessage()]
    assert sorted(told) == sorted(ids[2:6])
    with pytest.raises(Corrupt, match=r"cannot be read by this version .*purpose"):
        tw.files.retrieve(ids[2])
    assert body(tw, "files", ids[2])["purpose"] == "of a newer version"


def test_what_ends_by_itself_ends_though_others_cannot_be_read(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One organisation's damage is not everybody's, whatever the error."""
    after = {"anchor": "created_at", "seconds": 3600}
    other = tw.acting(tw.access.create_organisation("other"))
    for acting in (tw.acting(tw.owner), other):
        for name in ("spoilt", "over"):
            made = acting.files.create(
                file=chats(1), purpose="fine-tune", filename=name, expires_after=after
            )
            value = {"spoilt": "yesterday", "over": 1}[name]
            rewrite(tw, "files", made.id, expires_at=value)
    monkeypatch.setattr(expiry.removals, "tidy", lambda *_: 1 / 0)
    expiry.expire(tw)
    for acting in (tw.acting(tw.owner), other):
        assert acting.shelf.all(File) == []
