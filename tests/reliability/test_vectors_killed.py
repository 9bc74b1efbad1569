"""SIGKILL at each named point of a write to the embedded index, or to the files beside its store:
what was acknowledged is there, and of what was not, all or nothing."""

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
from tunewright.vectors.local import keeping, rows
from tunewright.vectors.local.files import segments
from tunewright.vectors.local.snapshots import listed

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
    return np.random.default_rng(step).normal(size=(count, DIMENSIONS)).astype(np.float32)


def states() -> list[State]:
    """What is there after each step, in plain Python."""
    state: State = {}
    found = [dict(state)]
    for step, (write, ids) in enumerate(HISTORY):
        given = vectors(step, len(ids)).tolist()
        for id, row in zip(ids, given, strict=True):
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
    """In a child: says the number of each step that has returned. What is done late is done after
    each, with parts of three rows."""
    rows.PART = 3
    keeping.Keeper.ask = lambda *_: None
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
        with index._opened.using("c") as collection:
            collection.view()
            assert collection.keep()


def there(directory: Path) -> State | None:
    index = open_index(directory)
    try:
        page = index.read("c")
        pairs = zip(page.vectors.tolist(), page.attributes, strict=True)
        state = dict(zip(page.ids, pairs, strict=True))
        if state:
            hits = index.search("c", page.vectors, len(state) + 1)
            assert all(sorted(ids) == page.ids for ids in hits.ids)
            assert {ids[0] for ids in hits.ids} == set(page.ids)
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
                *(f"vectors.rows_deleted:{nth}:kill" for nth in (2, 3, 4, 5, 10)),
                *(f"vectors.written:{nth}:kill" for nth in (1, 2, 3, 4, 5, 20)),
                *(f"vectors.committed:{nth}:kill" for nth in (1, 2, 3, 4, 5, 20)),
                *(f"vectors.segment:{nth}:kill" for nth in (1, 2, 3, 4, 9)),
                *(f"vectors.listing:{nth}:kill" for nth in (1, 2, 3, 5, 9)),
                *(f"vectors.listed:{nth}:kill" for nth in (1, 2, 3, 9)),
            )
        ),
    ],
)
def test_killed_at(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "PART", 3)
    code, acknowledged = run(tmp_path, 0, fault)
    assert code == -signal.SIGKILL, "the fault never struck"
    found, expected = there(tmp_path), states()
    if found is None:
        assert acknowledged == 0
    else:
        assert found in expected[acknowledged : acknowledged + 2]
    assert run(tmp_path, acknowledged) == (0, len(HISTORY)), "the same write may be sent again"
    assert there(tmp_path) == expected[-1]
    found = listed(tmp_path / "c")
    assert found
    names = {name for name, _ in found.files}
    assert {path.name for path in segments(tmp_path / "c")} == names, "nothing is left over"


if __name__ == "__main__":
    act(sys.argv[1], int(sys.argv[2]))
