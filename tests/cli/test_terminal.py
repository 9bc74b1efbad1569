"""What is printed to be copied works from the shell that it is copied into."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
