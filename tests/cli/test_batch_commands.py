"""`tunewright batches`: from a file of requests to its answers, on a terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunewright.cli import opening
from tunewright.cli.commands import app
from tunewright.work.worker import Worker

Run = Callable[..., str]
LINE = {"method": "POST", "url": "/v1/embeddings"}


@pytest.fixture
def here(home: Path) -> Run:
    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["batches", *arguments, "--home", str(home)])
        assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
        return done.stdout if code == 0 else str(done.exception)

    return run


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    path = tmp_path / "requests.jsonl"
    bodies = [{"model": "builtin-static", "input": text} for text in ("one", "", "three")]
    lines = [{"custom_id": f"r{n}", **LINE, "body": body} for n, body in enumerate(bodies)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def work(home: Path) -> None:
    """What a server would do."""
    with opening.records(home) as tw:
        worker = Worker(tw, "tests")
        for lane in ("cpu", "batch"):
            if task := tw.tasks.lease(lane, "tests"):
                worker._do(task, {})


def test_from_requests_to_answers(here: Run, home: Path, requests: Path, tmp_path: Path) -> None:
    id = here("create", str(requests)).strip()
    assert id.startswith("batch_")
    assert "has not ended (validating)" in here("results", id, code=1)
    work(home)
    shown = here("show", id)
    assert "completed" in shown
    assert f"batches results {id} --errors" in shown
    answers = [json.loads(line) for line in here("results", id).splitlines()]
    assert [line["custom_id"] for line in answers] == ["r0", "r2"]
    [bad] = here("results", id, "--errors").splitlines()
    assert json.loads(bad)["response"]["status_code"] == 400
    written = tmp_path / "answers.jsonl"
    here("results", id, "--output", str(written))
    assert [json.loads(line) for line in written.read_text().splitlines()] == answers
    assert json.loads(here("show", id, "--json"))["request_counts"]["failed"] == 1


def test_options_of_batches(here: Run, home: Path, requests: Path) -> None:
    with opening.records(home) as tw:
        file = tw.files.create(file=requests, purpose="batch").id
    first = json.loads(here("create", file, "--endpoint", "/v1/embeddings", "--json"))
    assert first["endpoint"] == "/v1/embeddings"
    second = here("create", file).strip()
    [newest] = json.loads(here("list", "--limit", "1", "--json"))["data"]
    assert newest["id"] == second
    assert second in here("list")
    assert json.loads(here("cancel", second, "--json"))["status"] == "cancelling"
    assert "is cancelling" in here("cancel", second)
    # Where no server runs, who follows a batch has it done.
    assert json.loads(here("follow", first["id"], "--json"))["status"] == "completed"
    assert json.loads(here("show", second, "--json"))["status"] in ("cancelling", "cancelled")


def test_who_follows_one_that_did_not_complete_is_told(
    here: Run, home: Path, requests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = here("create", str(requests)).strip()
    here("cancel", id)
    work(home)
    work(home)
    monkeypatch.setattr(opening, "running", opening.records)  # nothing is left to do
    assert f"{id} is cancelled" in here("follow", id, code=1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no 'url'"),
        ('{"url": 7}', "names no 'url'"),
        ('{"url": "/v1/responses"}', "/v1/responses"),
        (None, "There is no file"),
    ],
)
def test_what_cannot_be_sent(here: Run, tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "requests.jsonl"
    if text is not None:
        path.write_text(text or "no json\n")
    assert said in here("create", str(path), code=1)


def test_what_is_wrong_with_a_line_is_shown(here: Run, home: Path, tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    lines = ['{"url": "/v1/embeddings"}', *["{}"] * 12]
    path.write_text("\n".join(lines))
    id = here("create", str(path)).strip()
    work(home)
    shown = here("show", id)
    assert "line 1: Missing required parameter: 'custom_id'." in shown
    assert "... 3 more: " in shown
