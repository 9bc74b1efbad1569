"""The judgement of data, from the command line."""

import json
from pathlib import Path

from tunewright import samples


def test_check_names_the_lines_that_repeat_and_that_leak(run, tmp_path: Path) -> None:
    """Planted: one row repeats line 3 in other letters, the last is the first validation row."""
    rows = samples.CHATS.read_text("utf-8").splitlines()
    held_out = samples.VALIDATION.read_text("utf-8").splitlines()[0]
    third = json.loads(rows[2])
    third["messages"][1]["content"] = third["messages"][1]["content"].upper() + " "
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join([*rows, json.dumps(third), held_out]), "utf-8")
    done = run("check", str(path), "--validation", str(samples.VALIDATION), "--quality", "--json")
    training, _ = json.loads(done.stdout)["data"]
    lines = {finding["code"]: finding["lines"] for finding in training["findings"]}
    assert lines["duplicate_example"] == [len(rows) + 1]
    assert lines["leaked_example"] == [len(rows) + 2]
    assert training["fit"]
