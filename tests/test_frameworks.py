"""LangChain, LlamaIndex, DSPy and LiteLLM against a fresh server, as they come from PyPI."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from servers import REPOSITORY, Server, chats

PYTHON = REPOSITORY / ".sdk" / "clients" / "bin" / "python"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def vocabularies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """tiktoken fetches its vocabularies; LiteLLM's package has them, and tests have no network."""
    if not PYTHON.exists():
        pytest.fail("no environment for the frameworks: run `make .sdk/clients/.installed`")
    folder = tmp_path_factory.mktemp("tiktoken")
    for file in PYTHON.parent.parent.glob(
        "lib/*/site-packages/litellm/litellm_core_utils/tokenizers/*"
    ):
        if len(file.name) == 40:  # named by the sha1 of its address
            shutil.copy(file, folder / file.name)
    return folder


@pytest.mark.parametrize("framework", ["langchain", "llamaindex", "dspy", "litellm"])
def test_a_framework_runs_unmodified(
    server: Server, tuned: dict, vocabularies: Path, tmp_path: Path, framework: str
) -> None:
    file = tmp_path / "chats.jsonl"
    file.write_bytes(chats(12))
    done = subprocess.run(
        [PYTHON, REPOSITORY / "tests" / "sdk" / "frameworks.py", framework, file],
        capture_output=True,
        text=True,
        timeout=500,
        env={
            **os.environ,
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_BASE": server.url,
            "OPENAI_API_KEY": server.key,
            "TIKTOKEN_CACHE_DIR": str(vocabularies),
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "DSPY_CACHEDIR": str(tmp_path),
            "HOME": str(tmp_path),
        },
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("done\n")
