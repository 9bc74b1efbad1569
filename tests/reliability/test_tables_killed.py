"""SIGKILL the worker and the server while a queued table is embedded."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from servers import Server
from tunewright.app import Tunewright
from tunewright.records.tables import OPEN

ROWS = 30_000


def computed(out: Path) -> int:
    """Rows that are safe beside the output."""
    try:
        return json.loads((out.parent / f"{out.name}.partial/progress.json").read_text())[
            "progress"
        ]["rows"]
    except FileNotFoundError:
        return 0


def wait_for(rows: int, out: Path, tw: Tunewright, id: str) -> None:
    deadline = time.monotonic() + 120
    while computed(out) < rows:
        table = tw.tables.retrieve(id)
        assert table.status in OPEN, table
        assert time.monotonic() < deadline, tw.tables.events(id, limit=100)
        assert not out.exists(), "it was done before it could be killed"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_queued_table_survives_both(new_server: Callable[..., Server], tmp_path: Path) -> None:
    table, whole, out = (tmp_path / name for name in ("t.jsonl", "whole.npy", "out.npy"))
    words = "tea coffee good bad arrived broken again love price box taste".split()  # noqa: SIM905
    with table.open("w") as file:
        for n in (row % 25_000 for row in range(ROWS)):
            text = " ".join(words[(n * k) % 11] for k in range(1, 20)) + f" {n}"
            file.write(json.dumps({"text": text}) + "\n")
    server = new_server()
    tw = Tunewright(server.home)
    tw.embeddings.table(table, whole, model="builtin-static")
    made = tw.tables.create(table, out, model="builtin-static")
    wait_for(1, out, tw, made.id)
    server.child("tunewright.work").kill()
    wait_for(computed(out) + 1, out, tw, made.id)
    server.process.kill()
    server.process.wait()
    before = computed(out)
    assert 0 < before < ROWS
    again = new_server(key=server.key)
    while tw.tables.retrieve(made.id).status in OPEN:
        time.sleep(0.1)
    ended = tw.tables.retrieve(made.id)
    assert ended.status == "succeeded", ended
    assert ended.result is not None
    assert (ended.result.embedded, ended.result.computed) == (ROWS, 25_000)
    assert out.read_bytes() == whole.read_bytes()
    assert psutil.pid_exists(again.process.pid)
    tw.close()
