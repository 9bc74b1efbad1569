"""What is printed to be copied works from the shell that it is copied into."""

import os
import re
import subprocess
import sys
from json import loads
from pathlib import Path

import pytest

from cli.conftest import command, environment
from tunewright.app import Tunewright

NAME = "from tunewright.cli.terminal import program; print(program())"
BIN = Path(sys.executable).parent


@pytest.mark.parametrize("on_path", [True, False])
@pytest.mark.parametrize("folder", [BIN.parent.parent, Path("/")])
def test_the_program_is_named_as_this_shell_finds_it(on_path: bool, folder: Path) -> None:
    path = os.pathsep.join([str(BIN)] * on_path + ["/usr/bin", "/bin"])
    shell = {"env": {**os.environ, "PATH": path}, "cwd": folder, "text": True, "timeout": 60}
    name = subprocess.check_output([sys.executable, "-c", NAME], **shell).strip()
    said = subprocess.check_output(["sh", "-c", f"{name} --version"], **shell)
    assert said.startswith("tunewright ")
    assert (name == "tunewright") == on_path


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_a_terminal_without_the_letters_gets_their_codes(tmp_path: Path, encoding: str) -> None:
    with Tunewright(tmp_path) as tw:
        tw.files.create(file=b"{}", purpose="fine-tune", filename="空é.jsonl")
    shell = {**environment(tmp_path), "PYTHONIOENCODING": encoding}
    said = {
        json: subprocess.run(
            command("files", "list", *["--json"] * json),
            capture_output=True, env=shell, check=True, timeout=60,
        ).stdout.decode(encoding)
        for json in (False, True)
    }  # fmt: skip
    assert loads(said[True])["data"][0]["filename"] == "空é.jsonl"
    assert "空".encode(encoding, "backslashreplace").decode(encoding) in said[False]


@pytest.mark.parametrize("words", [["jobs", "get"], ["models", "delete"], ["chat", "builtin-chat"]])
def test_what_is_no_utf8_is_refused_in_one_line(tmp_path: Path, words: list[str]) -> None:
    shell = {**os.environ, "TUNEWRIGHT_HOME": str(tmp_path)}
    done = subprocess.run(
        [os.fsencode(word) for word in command(*words)] + [b"a\xffb"],
        capture_output=True, env=shell, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: ")
    assert done.stderr.count(b"\n") == 1


def test_the_demo_says_how_the_name_alone_works() -> None:
    """After `make demo` nothing has put `tunewright` on the PATH, and other messages name it so."""
    shell = {"env": {**os.environ, "PATH": "/usr/bin:/bin"}, "cwd": BIN.parent.parent, "text": True}
    code = "from tunewright.cli.demo.story import _shorter; print(_shorter())"
    said = subprocess.check_output([sys.executable, "-c", code], **shell)
    activate = re.findall(r"`(\. .+?)`", said)[0]
    said = subprocess.check_output(["sh", "-c", f"{activate} && tunewright --version"], **shell)
    assert said.startswith("tunewright ")
