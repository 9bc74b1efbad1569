"""Tables on the command line."""

import json
from pathlib import Path

from tunewright import samples


def test_a_table_becomes_training_data_that_the_check_finds_fit(run, tmp_path: Path) -> None:
    out = tmp_path / "reviews.jsonl"
    asked = ("--prompt", "text", "--completion", "stars", "--validation-share", "0.2", "-o")
    with samples.REVIEWS.open("rb") as file:
        head, *rows = file.read().splitlines()
    table = tmp_path / "reviews.csv"
    table.write_bytes(b"\n".join([head, *rows, b"too,few"]))
    done = json.loads(run("data", "prepare", str(table), *asked, str(out), "--json").stdout)
    assert done["rows"] == len(rows) + 1
    assert done["refused"]["rows"] == 1
    held_out = done["validation_file"]
    assert done["training_file"]["rows"] + held_out["rows"] == len(rows)
    assert "bad, 0 blank" in run("check", str(out), "--validation", held_out["path"]).stdout
    told = run("data", "prepare", str(table), *asked, str(out), code=1).stderr
    assert "exists already" in told
