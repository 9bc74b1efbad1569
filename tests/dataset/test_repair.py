"""A repair does what it lists, and nothing else."""

import json
from pathlib import Path

import pytest

from tunewright.dataset.repair import repair
from tunewright.errors import BadRequest

A, B, C = b'{"a": 1, "b": [2]}', b'{"b":[2],  "a":1}', '{"c": "ä\u2028"}'.encode()


def changes(log: Path) -> list[tuple]:
    read = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    return [(change["line"], change["change"], change.get("of")) for change in read]


def test_each_change_is_made_and_logged(tmp_path: Path) -> None:
    source, out, held_out = (tmp_path / name for name in ("in.jsonl", "out.jsonl", "held.jsonl"))
    bad = b'{"broken": \r\n'
    source.write_bytes(
        b"\xef\xbb\xbf"
        + A
        + b"\r\n"
        + b" \t\r\n\n"
        + B
        + b"\n"
        + C
        + b"\n"
        + bad
        + bad
        + b"\xff\n7"
    )
    held_out.write_bytes(b"\n" + C)
    done = repair(source, out, held_out)
    # A broken line is nobody's duplicate: it stays for the check to name.
    fixed = bad.replace(b"\r\n", b"\n")
    assert out.read_bytes() == A + b"\n" + fixed + fixed + b"\xff\n" + b"7\n"
    assert changes(done.log) == [
        (1, "bom_removed", None),
        (1, "line_end_changed", None),
        (2, "blank_line_dropped", None),
        (3, "blank_line_dropped", None),
        (4, "duplicate_dropped", 1),
        (5, "leak_dropped", 2),
        (6, "line_end_changed", None),
        (7, "line_end_changed", None),
        (9, "line_end_added", None),
    ]
    assert (done.lines, done.kept) == (9, 5)
    assert source.read_bytes().startswith(b"\xef\xbb\xbf")


def test_what_needs_no_repair_is_the_same_bytes(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(A + b"\n" + C + b"\n")
    done = repair(source, out)
    assert out.read_bytes() == source.read_bytes()
    assert done.log.read_bytes() == b""


@pytest.mark.parametrize("taken", ["out.jsonl", "out.jsonl.changes.jsonl", "in.jsonl"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    source = tmp_path / "in.jsonl"
    source.write_bytes(A)
    (tmp_path / taken).write_bytes(A)
    out = source if taken == "in.jsonl" else tmp_path / "out.jsonl"
    with pytest.raises(BadRequest, match="exists already"):
        repair(source, out)
    assert (tmp_path / taken).read_bytes() == A


def test_what_is_not_json_lines_is_not_repaired(tmp_path: Path) -> None:
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"[{}]")
    with pytest.raises(BadRequest, match="a JSON array"):
        repair(source, out)
    assert list(tmp_path.iterdir()) == [source]
