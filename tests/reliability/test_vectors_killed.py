"""SIGKILL at each named point of a write to the embedded index: what was acknowledged is there, and
of what was not, all or nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunewright.errors import NotFound
from tunewright.vectors import open_index
from tunewright.vectors.filters import parse

ROWS, DIMENSIONS = 6, 4


def writes(number: int) -> list[tuple[str, list[str]]]:
    """What one round does: new rows, half of them replaced, other attributes, both deletions."""
    ids = [f"{number}-{row}" for row in range(ROWS)]
    return [
        ("upsert", ids),
        ("upsert", [*ids[:3], *(f"{number}+{row}" for row in range(3))]),
        ("attributes", ids[1:4]),
        ("delete", ids[:2]),
        ("delete where", [f"{number}-{1}"]),
    ]


HISTORY = [write for number in range(4) for write in writes(number)]
State = dict[str, tuple[list[float], dict[str, Any]]]


def vectors(step: int, count: int) -> np.ndarray:
    return np.arange(1, count * DIMENSIONS + 1, dtype=np.float32).reshape(count, -1) + step


def states() -> list[State]:
    """What is there after each step, in plain Python."""
    state: State = {}
    found = [dict(state)]
    for step, (write, ids) in enumerate(HISTORY):
        rows = vectors(step, len(ids)).tolist()
        for id, row in zip(ids, rows, strict=True):
            if write == "upsert":
                state[id] = row, {"step": float(step)}
            elif write == "attributes":
                state[id] = state[id][0], {"step": float(step)}
            elif write == "delete":
                del state[id]
        if write == "delete where":
            state = {id: row for id, row in state.items() if row[1] != {"step": float(step - 2)}}
        found.append(dict(state))
    return found


def act(directory: str, begin: int) -> None:
    """In a child: says the number of each step that has returned."""
    index = open_index(f"local:{directory}")
    index.create("c", DIMENSIONS)
    for step, (write, ids) in list(enumerate(HISTORY))[begin:]:
        attributes = [{"step": step}] * len(ids)
        if write == "upsert":
            index.upsert("c", ids, vectors(step, len(ids)), attributes)
        elif write == "attributes":
            index.upsert("c", ids, None, attributes)
        elif write == "delete":
            index.delete("c", ids=ids)
        else:
            index.delete("c", where=parse({"type": "eq", "key": "step", "value": step - 2}))
        os.write(1, f"{step + 1}\n".encode())


def there(directory: Path) -> State | None:
    index = open_index(directory)
    try:
        rows = index.read("c")
        pairs = zip(rows.vectors.tolist(), rows.attributes, strict=True)
        state = dict(zip(rows.ids, pairs, strict=True))
        if state:
            hits = index.search("c", rows.vectors, 1)
            assert {id for (id,) in hits.ids} <= set(state)
        assert index.count("c") == len(state)
        return state
    except NotFound:
        return None
    finally:
        index.close()


def run(directory: Path, begin: int, fault: str | None = None) -> tuple[int, int]:
    """The exit status, and how many steps were acknowledged."""
    environment = dict(os.environ) | ({"TUNEWRIGHT_FAULT": fault} if fault else {})
    command = [sys.executable, __file__, str(directory), str(begin)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    told = done.stdout.split()
    return done.returncode, int(told[-1]) if told else begin


@pytest.mark.parametrize(
    "fault",
    [
        "vectors.half:7:kill",
        *(
            pytest.param(fault, marks=pytest.mark.slow)
            for fault in (
                *(f"vectors.making:{nth}:kill" for nth in (1,)),
                *(f"vectors.half:{nth}:kill" for nth in (1, 2, 3, 12)),
                *(f"vectors.deleted:{nth}:kill" for nth in (2, 3, 4, 5, 10)),
                *(f"vectors.written:{nth}:kill" for nth in (1, 2, 3, 4, 5, 20)),
                *(f"vectors.committed:{nth}:kill" for nth in (1, 2, 3, 4, 5, 20)),
            )
        ),
    ],
)
def test_killed_at(fault: str, tmp_path: Path) -> None:
    code, acknowledged = run(tmp_path, 0, fault)
    assert code == -signal.SIGKILL, "the fault never struck"
    found, expected = there(tmp_path), states()
    if found is None:
        assert acknowledged == 0
    else:
        assert found in expected[acknowledged : acknowledged + 2]
    assert run(tmp_path, acknowledged) == (0, len(HISTORY)), "the same write may be sent again"
    assert there(tmp_path) == expected[-1]


if __name__ == "__main__":
    act(sys.argv[1], int(sys.argv[2]))
