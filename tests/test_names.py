"""What may be a name, and that nothing of ours is taken for a leftover or leads out of a home."""

from pathlib import Path

import pytest

from tunewright import durable, names
from tunewright.errors import BadRequest, Corrupt
from tunewright.home import Home


@pytest.mark.parametrize(
    "text",
    [
        *("", "..", "../up", "a/../b", "a/./b", "a//b", "/a", "a/", "a b", "a\0", "a\n", "ü"),
        *("x" * 97, "a/exports", "org/exports/b"),  # exports: of the model before it
    ],
)
def test_what_is_no_name_of_a_base(text: str) -> None:
    with pytest.raises(BadRequest, match="cannot be a model's name"):
        names.base(text)


@pytest.mark.parametrize(
    "text", ["a", "org/Model-1.5_b", "x.tmp-1-deadbeef", "a/b/c", "exports", "a/b-exports"]
)
def test_what_is_a_name_of_a_base(text: str) -> None:
    assert names.base(text) == text
    folder = Path(f"{names.folder(text)}-0123456789abcdef")
    assert not durable.is_temporary(folder)
    assert folder.name == str(folder), "one folder, none inside another"


@pytest.mark.parametrize("text", ["", ".", "..", "../x", "a/b", "/etc", "a\0", "a" * 129])
def test_ids_that_lead_elsewhere_become_no_path(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Home(tmp_path).job(text)


@pytest.mark.parametrize("text", ["", ".", "..", "../x", "/etc/passwd", "models/../../x", "a/.."])
def test_a_record_leads_to_no_path_outside_of_the_home(tmp_path: Path, text: str) -> None:
    with pytest.raises(Corrupt, match="not inside"):
        Home(tmp_path).inside(text)
    assert Home(tmp_path).inside("models/abc") == tmp_path / "models" / "abc"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\data\\chats.jsonl", "chats.jsonl"),
        ("../../etc/passwd", "passwd"),
        ("", "file"),
        ("a/", "file"),
        ("\x1b[31mred\x07\r\n.jsonl\x9b", "[31mred.jsonl"),
        ("ü" * 200, "ü" * 127),
    ],
)
def test_a_files_name_is_its_last_part_without_control_characters(given: str, kept: str) -> None:
    assert names.file(given) == kept


def test_the_sweep_takes_its_own_leftovers_only(tmp_path: Path) -> None:
    for kept in ("bases/a.tmp-x-0123456789abcdef", "notes.tmp-2024", "x.tmp-", "b.tmp-1-deadbee"):
        durable.write_bytes(tmp_path / kept / "weights", b"kept")
    with durable.directory(tmp_path / "bases" / "whole") as filling:
        (filling / "vocab.tmp-1-deadbeef").write_bytes(b"part of the base")
    left = durable.temporary(tmp_path / "bases" / "whole")
    durable.write_bytes(left / "half", b"")
    assert durable.sweep(tmp_path) == 1
    assert not left.exists()
    assert len(list(tmp_path.rglob("weights"))) == 4
    assert durable.verify(tmp_path / "bases" / "whole")
