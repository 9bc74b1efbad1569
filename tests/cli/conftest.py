"""Runs the real command in a process of its own, on a home of the test's own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.forked import Commands, commands

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tunewright", *arguments]


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "TUNEWRIGHT_HOME": str(home), "NO_COLOR": "1", "COLUMNS": "100"}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture(scope="session")
def forked() -> Iterator[Commands]:
    with commands() as running:
        yield running


@pytest.fixture
def run(home: Path, forked: Commands) -> Run:
    """``run("files", "list")``; `code` is the exit status that is expected, `given` what is
    piped into it."""

    def run(*arguments: str, code: int = 0, seconds: float = 120, given: str = "") -> Done:
        done = forked.run(*arguments, given=given, env=environment(home), seconds=seconds)
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done

    return run
