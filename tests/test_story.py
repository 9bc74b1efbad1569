"""A file becomes a model that answers, told by the official SDKs, unmodified.

Each SDK has an environment of its own (`make sdk`); its script runs there, against a real server.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from servers import REPOSITORY, Server, chats

STORIES = Path(__file__).parent / "sdk"


def _python(version: str) -> Path:
    python = REPOSITORY / ".sdk" / version / "bin" / "python"
    if not python.exists():
        pytest.fail(f"no environment for openai {version}: run `make sdk`")
    return python


def _run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def mydata(tmp_path: Path) -> Path:
    (tmp_path / "mydata.jsonl").write_bytes(chats(12))
    return tmp_path


def test_sdk_0_28_1(server: Server, mydata: Path) -> None:
    story = str(STORIES / "story_0_28_1.py")
    told = _run([str(_python("0.28.1")), story, server.url, server.key, str(mydata)])
    assert "the story is told" in told


def test_sdk_3_54_0(server: Server, mydata: Path) -> None:
    told = _run(
        [str(_python("3.54.0")), str(STORIES / "story_3_54_0.py"), str(mydata)],
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY=server.key,
    )
    assert "the story is told" in told


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_embeddings(server: Server) -> None:
    told = _run(
        [
            *("curl", "-sS", f"{server.url}/embeddings"),
            *("-H", "Content-Type: application/json"),
            *("-H", f"Authorization: Bearer {server.key}"),
            *("-d", '{"input": "Your text string goes here", "model": "text-embedding-ada-002"}'),
        ]
    )
    # Without encoding_format in the body the answer is a list of numbers.
    assert told.startswith('{"object":"list","data":[{"object":"embedding","index":0,"embedding":[')
