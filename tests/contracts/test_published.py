"""The contract's tests as somebody else runs them."""

import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = "tunewright.testing.vectors"


@pytest.mark.slow
def test_the_contract_is_a_plugin_for_any_index(tmp_path: Path) -> None:
    """In a directory and with the settings of nobody."""

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        plugin = ["-p", PLUGIN, "--pyargs", PLUGIN, "-q", "-k", "nearest or membership", *more]
        return subprocess.run(
            [sys.executable, "-m", "pytest", *plugin],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )

    there = run("--index", f"local:{tmp_path / 'index'}")
    assert there.returncode == 0, there.stdout
    assert "5 passed" in there.stdout
    nowhere = run()
    assert nowhere.returncode == 4
    assert "--index PLACE" in nowhere.stdout + nowhere.stderr
