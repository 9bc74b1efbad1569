"""A file becomes a model that answers, told by the official SDKs, unmodified, of four generations.

Each SDK has an environment of its own (`make sdk`); its script runs there, against a real server.
What became of every call is compared with docs/conformance.json (`make conformance` writes it).
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from servers import REPOSITORY, Server, chats
from tunewright.catalog.catalog import Catalog
from tunewright.records.models import Model, Weights

STORIES = Path(__file__).parent / "sdk"
RESULTS = REPOSITORY / "docs" / "conformance.json"


def _python(version: str) -> str:
    python = REPOSITORY / ".sdk" / version / "bin" / "python"
    if not python.exists():
        pytest.fail(f"no environment for openai {version}: run `make sdk`")
    return str(python)


def _run(command: list[str], **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=280, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _script(server: Server, version: str, script: str, *arguments: str) -> dict:
    """Run a script in an SDK's environment; return the object that its last line holds."""
    told = _run(
        [_python(version), str(STORIES / script), *arguments],
        OPENAI_BASE_URL=server.url,
        OPENAI_API_BASE=server.url,
        OPENAI_API_KEY=server.key,
    )
    found = json.loads(told.splitlines()[-1])
    assert found.pop("version") == version
    return found


def _compare(version: str, part: str, found: dict) -> None:
    """What was answered when the table was made is answered today."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if os.environ.get("WRITE_CONFORMANCE"):
        results.setdefault(version, {})[part] = found
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        return
    before = results[version][part]
    for kind in ("sync", "async"):
        good = {call for call, state in before[kind].items() if state == "yes"}
        assert good <= {call for call, state in found[kind].items() if state == "yes"}


@pytest.fixture
def mydata(tmp_path: Path) -> Path:
    (tmp_path / "mydata.jsonl").write_bytes(chats(12))
    return tmp_path


@pytest.fixture
def spare_models(server: Server, tuned: dict) -> Callable[[str], list[str]]:
    """Makes two models that a story may delete: copies of the tuned one, files and records."""

    def make(label: str) -> list[str]:
        catalog = Catalog(server.home / "catalog.db")
        shelf = catalog.shelf(tuned["organization_id"])
        weights = shelf.get(Weights, tuned["fine_tuned_model"])
        assert weights is not None
        assert weights.directory is not None
        names = [f"ft:builtin-chat:personal:spare:{label}-{n}" for n in range(2)]
        for name in names:
            folder = f"models/spare-{name.replace(':', '-')}"
            shutil.copytree(server.home / weights.directory, server.home / folder)
            shelf.put(Model(id=name, owned_by="personal"))
            shelf.put(weights.model_copy(update={"id": name, "directory": folder, "job": None}))
        catalog.close()
        return names

    return make


def test_sdk_0_28_1(server: Server, mydata: Path, spare_models: Callable[[str], list[str]]) -> None:
    arguments = (server.url, server.key, str(mydata), spare_models("0-28-1")[0])
    _compare("0.28.1", "calls", _script(server, "0.28.1", "story_0_28_1.py", *arguments))


def test_sdk_1_109_1(
    server: Server, mydata: Path, tuned: dict, spare_models: Callable[[str], list[str]]
) -> None:
    arguments = (str(mydata), *spare_models("1-109-1"), tuned["id"])
    _compare("1.109.1", "calls", _script(server, "1.109.1", "story_1_to_3.py", *arguments))


def test_sdk_2_54_0(
    server: Server, mydata: Path, tuned: dict, spare_models: Callable[[str], list[str]]
) -> None:
    arguments = (str(mydata), *spare_models("2-54-0"), tuned["id"])
    _compare("2.54.0", "calls", _script(server, "2.54.0", "story_1_to_3.py", *arguments))


def test_sdk_3_54_0(
    server: Server, mydata: Path, tuned: dict, spare_models: Callable[[str], list[str]]
) -> None:
    """README.md's code, which runs in `test_readme`, trains with this one."""
    arguments = (str(mydata), *spare_models("3-54-0"), tuned["id"])
    _compare("3.54.0", "calls", _script(server, "3.54.0", "story_1_to_3.py", *arguments))


@pytest.mark.slow
@pytest.mark.parametrize("version", ["1.109.1", "2.54.0", "3.54.0"])
def test_each_generation_trains_its_own_model(
    server: Server, mydata: Path, spare_models: Callable[[str], list[str]], version: str
) -> None:
    spare = spare_models(f"trained-{version.replace('.', '-')}")
    _script(server, version, "story_1_to_3.py", str(mydata), *spare)


@pytest.mark.parametrize("version", ["0.28.1", "1.109.1"])
def test_the_command_lines_of_the_sdks(
    server: Server, mydata: Path, tuned: dict, version: str
) -> None:
    """2.x and 3.x bring none."""
    found = _script(server, version, "command_lines.py", str(mydata), tuned["id"])
    assert len(found["commands"]) >= 11


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
