"""README.md is what a stranger copies from: what stands there runs as it stands there."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from servers import REPOSITORY, Server, chats

README = (REPOSITORY / "README.md").read_text("utf-8")
SAMPLES = REPOSITORY / "src/tunewright/samples"


def _block(language: str, holding: str) -> str:
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if holding in block)
    return found


def _settings(server: Server) -> dict[str, str]:
    """The shell after the README's lines to copy, and nothing else that could help."""
    lines = _block("sh", "export OPENAI_BASE_URL")
    names = re.findall(r"export (\w+)=", lines)
    values = {"OPENAI_BASE_URL": server.url, "OPENAI_API_BASE": server.url}
    return {"PATH": os.environ["PATH"], **{n: values.get(n, server.key) for n in names}}


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_code_runs_when_it_is_pasted(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mydata.jsonl").write_bytes(chats(10))
    python = REPOSITORY / ".sdk/3.54.0/bin/python"
    code = _block("python", "OpenAI()")
    said = _run([str(python), "-c", code], tmp_path, _settings(server))
    model, answer = said.splitlines()[0].split(" ", 1)
    assert model.startswith("ft:gpt-3.5-turbo:")
    assert answer
    assert said.splitlines()[-1] == "384 dimensions"


@pytest.mark.slow
def test_the_library_runs_when_it_is_pasted(tmp_path: Path) -> None:
    (tmp_path / "mydata.jsonl").write_bytes(chats(10))
    environment = {**os.environ, "TUNEWRIGHT_HOME": str(tmp_path / "home")}
    code = _block("python", "with Tunewright()")
    assert "chat.completion" in _run([sys.executable, "-c", code], tmp_path, environment)


@pytest.mark.slow
def test_the_commands_run_when_they_are_pasted(
    new_server: Callable[..., Server], tmp_path: Path
) -> None:
    """In their order; only the ids stand for those of an earlier command."""
    server = new_server()
    environment = {**os.environ, "TUNEWRIGHT_HOME": str(server.home), "NO_COLOR": "1"}
    rows = "".join(f'"What is {n} plus 1?",It is {n + 1}.\n' for n in range(12))
    (tmp_path / "faq.csv").write_text(f"question,answer\n{rows}")
    (tmp_path / "reviews.csv").write_bytes((SAMPLES / "reviews.csv").read_bytes())
    known: dict[str, str] = {}
    for line in _block("", "tunewright data prepare").splitlines():
        words = shlex.split(line, comments=True)
        if "import" in words:
            continue  # asks OpenAI
        words = [next((v for k, v in known.items() if w.startswith(k)), w) for w in words]
        said = _run([sys.executable, "-m", "tunewright", *words[1:]], tmp_path, environment)
        known |= {i.split("-")[0].split(":")[0]: i for i in re.findall(r"ftjob-\w+|ft:\S+\w", said)}
