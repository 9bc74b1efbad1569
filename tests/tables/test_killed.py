"""SIGKILL at random moments: the same call goes on, and the output is the same to the byte."""

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ENDINGS = (".parquet", ".csv", ".jsonl", ".npy")


def trials(folder: Path, each: int, model: str, *endings: str) -> list[dict[str, Any]]:
    seed = os.environ.get("SEED") or str(secrets.randbelow(10**6))
    print("seed", seed)
    script = Path(__file__).with_name("killed.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder), seed, str(each), model, *endings],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=1800,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def check(found: list[dict[str, Any]], expected: int) -> None:
    assert len(found) == expected
    for each in found:
        assert each["code"] == 0, each
        assert each["equal"], each
        assert each["twice"] <= 1, each


def test_a_killed_table_goes_on(tmp_path: Path) -> None:
    check(trials(tmp_path, 1, "builtin-static", *ENDINGS), 4)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("model", "each"), [("builtin-static", 13), ("builtin-mini", 5)])
def test_50_kills(tmp_path: Path, model: str, each: int) -> None:
    found = trials(tmp_path, each, model, *ENDINGS)
    check(found, 4 * each)
    killed = [each for each in found if each["killed"]]
    amid = [each for each in killed if any(name.endswith(".partial") for name in each["left"])]
    print(len(killed), "killed,", len(amid), "of them amid the work")
    assert len(amid) >= each
