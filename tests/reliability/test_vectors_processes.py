"""Two processes search while a third one writes and is killed: each batch is seen whole or not at
all, and nothing that was seen is gone later."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tunewright.vectors.filters import parse
from tunewright.vectors.local import LocalIndex, keeping, rows

SIZE, BATCHES = 8, 40


def set_up(place: str) -> LocalIndex:
    rows.PART, keeping.SOON = 64, 0.05  # files are written and followed all the time
    return LocalIndex(Path(place))


def write(place: str) -> None:
    index = set_up(place)
    index.create("c", 4)
    for batch in range(index.count("c") // SIZE, BATCHES):
        ids = [f"{batch}-{row}" for row in range(SIZE)]
        given = np.random.default_rng(batch).normal(size=(SIZE, 4)).astype(np.float32)
        index.upsert("c", ids, given, [{"batch": batch}] * SIZE)
        index.upsert("c", ids[:4], None, [{"batch": batch, "again": True}] * 4)
    index.close()


def search(place: str) -> None:
    """Says how many batches it has seen each time."""
    index, query, seen = set_up(place), np.ones((1, 4), np.float32), 0
    while seen < BATCHES:
        (ids,) = index.search("c", query, 10_000).ids
        found = Counter(id.partition("-")[0] for id in ids)
        assert len(ids) == len(set(ids))
        assert set(found.values()) <= {SIZE}, found
        assert len(found) >= seen
        seen = len(found)
        assert set(found) == set(map(str, range(seen)))
        again = index.count("c", parse({"type": "eq", "key": "again", "value": True}))
        assert again % 4 == 0
    print(index.count("c"))  # noqa: T201
    index.close()


def start(what: str, place: Path) -> subprocess.Popen:
    command = [sys.executable, __file__, what, str(place)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_two_search_while_one_writes_and_is_killed(tmp_path: Path) -> None:
    LocalIndex(tmp_path).create("c", 4)
    readers = [start("search", tmp_path) for _ in range(2)]
    kills = 0
    for _ in range(60):
        writer = start("write", tmp_path)
        time.sleep(0.7 + 0.1 * kills)
        if writer.poll() is not None:
            break
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        kills += 1
    assert writer.wait(60) == 0, writer.communicate()
    for reader in readers:
        out, err = reader.communicate(timeout=120)
        assert (reader.returncode, out.strip()) == (0, str(SIZE * BATCHES)), err
    assert kills > 2


if __name__ == "__main__":
    {"write": write, "search": search}[sys.argv[1]](sys.argv[2])
