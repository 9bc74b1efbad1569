"""From a table to a job by the commands that are suggested, each as it stands."""

import re
import shlex
from pathlib import Path

import pytest

from cli.conftest import Run


def test_suggested_commands_run_as_they_stand(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def ran(line: str, code: int = 0) -> str:
        words = shlex.split(line)
        assert words[0] == "tunewright"
        done = run(*words[1:], code=code)
        return done.stdout + done.stderr

    def suggested(text: str, start: str) -> str:
        found = re.search(rf"{start}[^\n]*", text)
        assert found, text
        return found[0].strip()

    table = tmp_path / "my reviews.csv"
    table.write_text("id,body,stars\n" + "".join(f"{n},text {n},{n % 5}\n" for n in range(30)))
    options = "--model gpt-4o --validation-file held.jsonl"
    row = (
        '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n'
    )
    (tmp_path / "held.jsonl").write_text(row)
    refused = ran(f"tunewright jobs create --training-file 'my reviews.csv' {options}", code=2)
    assert "Nothing was uploaded" in refused
    assert "file-" not in ran("tunewright files list")
    told = ran(suggested(refused, "tunewright data prepare"))
    check = suggested(told, "tunewright check")
    assert "--model gpt-4o" in check
    told = ran(f"{check} --validation-file held.jsonl")
    create = suggested(told, "tunewright jobs create")
    assert options.split()[-1] in create
    assert "--model gpt-4o" in create
    assert "no server runs" in ran(create.replace(" --follow", ""))
