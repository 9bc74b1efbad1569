"""`tunewright export`, as somebody at a terminal uses it."""

import json
from pathlib import Path
from typing import Any

import pytest

from servers import Server


@pytest.mark.slow
def test_a_base_is_written_and_nothing_stays_behind(
    server: Server, run: Any, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "base"
    done = run("export", "gpt-3.5-turbo", "--to", "merged", "--dtype", "fp32", str(out),
               "--home", str(server.home))  # fmt: skip
    assert "Wrote 7 files" in done.stdout
    assert "The files are the model: on 8 rows" in done.stderr
    assert json.loads((out / "config.json").read_text())["dtype"] == "float32"
    assert [path.name for path in out.parent.iterdir()] == ["base"]
    told = run("export", "gpt-3.5-turbo", "--to", "merged", str(tmp_path / "again"), "--json",
               "--home", str(server.home))  # fmt: skip
    record = json.loads(told.stdout)
    assert (record["status"], record["dtype"]) == ("succeeded", "bf16")
    assert not list((server.home / "exports").glob("*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("builtin-chat", "--to", "merged", "."), "is not empty"),
        (("builtin-chat", "--to", "merged", "full/file"), "full/file is not a folder"),
        (("builtin-chat", "--to", "onnx", "new"), "Supported values are: 'peft'"),
        (("builtin-chat", "--to", "gguf", "--dtype", "fp32", "new"), "give f16 or q8_0 or q4_0"),
        (("builtin-chat", "--to", "gguf", "--adapter", "new"), "Leave 'adapter' out."),
        (("builtin-chatt", "--to", "merged", "new"), "Did you mean `builtin-chat`"),
    ],
)
def test_what_cannot_be_written_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, said: str
) -> None:
    from typer.testing import CliRunner

    from tunewright.cli.commands import app

    (tmp_path / "work/full").mkdir(parents=True)
    (tmp_path / "work/full/file").write_text("mine")
    monkeypatch.chdir(tmp_path / "work")
    done = CliRunner().invoke(app, ["export", *arguments, "--home", str(home)])
    assert done.exit_code != 0
    assert said in str(done.exception)
    assert not Path("new").exists()
