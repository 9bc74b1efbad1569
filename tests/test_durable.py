from pathlib import Path

import pytest

from tunewright import durable
from tunewright.errors import Corrupt


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with pytest.raises(RuntimeError), durable.directory(target) as filling:  # noqa: PT012
        (filling / "weights").write_bytes(b"1")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with durable.directory(target, about={"base": "b"}) as filling:
        (filling / "weights").write_bytes(b"1")
    assert durable.verify(target)["about"] == {"base": "b"}


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "no manifest"])
def test_damage_is_named(tmp_path: Path, damage: str) -> None:
    target = tmp_path / "model"
    with durable.directory(target) as filling:
        (filling / "weights").write_bytes(b"12345678")
    weights = target / "weights"
    if damage == "flip":
        weights.write_bytes(b"12345679")
    elif damage == "cut":
        weights.write_bytes(b"1234567")
    elif damage == "gone":
        weights.unlink()
    else:
        (target / durable.MANIFEST).unlink()
    with pytest.raises(Corrupt, match=r"weights|manifest"):
        durable.verify(target)


def test_the_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with durable.directory(tmp_path / name, about={"name": name}) as filling:
            (filling / "weights").write_bytes(b"same")
    assert durable.fingerprint(tmp_path / "a") == durable.fingerprint(tmp_path / "b")


def test_sweep_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    upload = durable.Upload(tmp_path / "blobs" / "file-1")
    upload.write(b"half")
    staging = durable.temporary(tmp_path / "model")
    staging.mkdir()
    (staging / "weights").write_bytes(b"half")
    durable.write_bytes(tmp_path / "kept", b"whole")
    assert durable.sweep(tmp_path) == 1, "somebody still writes the other"
    upload.close()  # as the end of its process does
    assert durable.sweep(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["blobs", "kept"]


def test_a_flipped_bit_anywhere_in_a_manifest_is_noticed_or_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with durable.directory(target, about={"run": "ab", "metrics": {"loss": 1.5}}) as filling:
        (filling / "weights").write_bytes(b"1")
    path, whole = target / durable.MANIFEST, durable.verify(target)
    data, noticed = path.read_bytes(), 0
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            assert durable.verify(target) == whole
        except Corrupt as error:
            assert str(path) in error.message  # noqa: PT017
            noticed += 1
    assert noticed > 0.7 * len(data)
