"""`tunewright embed --queue` and `tunewright tables`."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tunewright import Tunewright
from tunewright.cli.commands import app
from tunewright.errors import JobFailed


def test_a_queued_table_is_followed_listed_shown_and_cancelled(tmp_path: Path) -> None:
    home, table, out = tmp_path / "home", tmp_path / "t.csv", tmp_path / "out.jsonl"
    table.write_text("text\nhot tea\ncold tea\nhot tea\n")

    def run(said: str, *more: str, code: int = 0) -> str:
        words = [*said.split(), *more, "--home", str(home)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
        if code:
            assert isinstance(done.exception, JobFailed)
        return done.output

    paths = ("--file", str(table), "--output", str(out), "--model", "builtin-static")
    said = run("embed --queue", *paths)
    assert "it goes on without this command" in said
    assert "3 texts, 6 tokens" not in said  # equal ones are computed once
    assert "3 texts, 4 tokens" in said
    assert len(out.read_text().splitlines()) == 3
    [made] = json.loads(run("tables list --limit 1 --json"))["data"]
    assert (made["status"], made["result"]["computed"]) == ("succeeded", 2)
    assert "Table done: 3 texts in" in run("tables show", made["id"])
    assert json.loads(run("tables show --json", made["id"]))["output"] == str(out)
    assert "3 texts, 4 tokens" in run("tables follow", made["id"])
    tw = Tunewright(home)
    waiting = tw.tables.create(table, tmp_path / "other.csv", model="builtin-static")
    tw.close()
    assert json.loads(run("tables cancel --json", waiting.id))["status"] == "cancelled"
    followed = run("tables follow --json", waiting.id, code=1)
    assert json.loads(followed)["status"] == "cancelled"


@pytest.mark.parametrize("said", ["--file t.csv", "--file t.csv -o o.csv --search x", "a -o o.csv"])
def test_what_cannot_be_queued(tmp_path: Path, said: str) -> None:
    done = CliRunner().invoke(app, ["embed", "--queue", *said.split(), "--home", str(tmp_path)])
    assert done.exit_code == 1
    assert "--queue goes with --file" in str(done.exception)
