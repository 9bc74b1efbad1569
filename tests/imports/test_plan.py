import datetime
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from imports.elsewhere import DAY, KEY, Elsewhere, account, refused
from tunewright.imports import Source, plan

TODAY = datetime.date(2026, 11, 24)
NOW = int(datetime.datetime(2026, 11, 24, 12, tzinfo=datetime.UTC).timestamp())


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = account(NOW, completions=230)
    yield made
    made.close()


def test_what_ends_first_comes_first(elsewhere: Elsewhere) -> None:
    elsewhere.lists["/models"].append(
        {"id": "ft:gpt-4.1-nano-2025-04-14:acme::n", "shutdown_date": "2026-12-24"}
    )
    with Source(KEY, elsewhere.url) as source:
        found = plan(source, today=TODAY)
        later = plan(source, today=TODAY - datetime.timedelta(60))
    told = [(i.what, i.count, i.end and i.end.days_left(TODAY), i.bytes) for i in found.items]
    assert told == [
        ("evals with their runs", 1, 6, None),
        ("stored completions", 230, 11, None),  # the first is 19 days old
        ("tuned models", 1, 30, None),
        ("new jobs", 0, 43, None),
        ("tuned models", 1, 51, None),
        ("tuned models", 1, None, None),
        ("files (fine-tune)", 2, None, 10),
        ("files (fine-tune-results)", 2, None, 10),
        ("jobs", 2, None, None),
    ]
    assert [item.what for item in found.soon] == ["evals with their runs", "stored completions"]
    assert not later.soon
    assert elsewhere.methods == {"GET"}


def test_thousands_are_counted_page_by_page(elsewhere: Elsewhere) -> None:
    for n in range(2_500):
        row = {"id": f"file-{n}", "bytes": 2, "purpose": "fine-tune", "filename": "same.jsonl"}
        elsewhere.lists["/files"].append(row)
        elsewhere.lists["/fine_tuning/jobs"].append({"id": f"ftjob-x{n}", "status": "failed"})
    with Source(KEY, elsewhere.url) as source:
        found = {item.what: item for item in plan(source, today=TODAY).items}
    assert (found["files (fine-tune)"].count, found["files (fine-tune)"].bytes) == (2_502, 5_010)
    assert (found["jobs"].count, found["jobs"].note) == (2_502, "2500 failed, 2 succeeded")
    assert elsewhere.asked["/files"] == 4  # three pages of a thousand, and the result files
    assert elsewhere.asked["/fine_tuning/jobs"] == 26


def test_what_is_not_offered_is_no_line_and_what_is_refused_is_one(elsewhere: Elsewhere) -> None:
    del elsewhere.lists["/chat/completions"]
    elsewhere.odd["/evals"] = [refused(403, "Missing scope api.evals.read.")]
    with Source(KEY, elsewhere.url) as source:
        found = plan(source, today=TODAY)
    assert "stored completions" not in [item.what for item in found.items]
    [error] = found.refused
    assert "api.evals.read" in error.message
    assert error.remedy


def test_the_command_is_the_default_and_says_by_its_status_that_something_ends(
    elsewhere: Elsewhere,
) -> None:
    for record in elsewhere.lists["/chat/completions"]:
        record["created"] = int(datetime.datetime.now(datetime.UTC).timestamp()) - 20 * DAY
    done = _run("plan", "--from-base-url", elsewhere.url, "--json")
    assert done.returncode == 2, done.stderr
    items = {item["what"]: item for item in json.loads(done.stdout)["items"]}
    assert items["stored completions"]["days_left"] in (9, 10)
    del elsewhere.lists["/chat/completions"], elsewhere.lists["/evals"]
    done = _run("plan", "--from-base-url", elsewhere.url)
    assert "files (fine-tune)" in done.stdout
    assert KEY not in done.stdout + done.stderr
    assert "OPENAI_API_KEY" in _run(key="").stderr


def _run(*arguments: str, key: str = KEY) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tunewright", "import", "openai", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENAI_API_KEY": key, "NO_COLOR": "1", "COLUMNS": "160"},
        timeout=60,
        check=False,
    )
