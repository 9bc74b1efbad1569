import errno
import os
from pathlib import Path

import pytest

from tunewright import durable
from tunewright.errors import Corrupt, StorageFull


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


LINES = [b'{"a": 1}', b"", b"with spaces  ", "Grüße".encode(), b"0" * 5000]


def test_a_spool_gives_back_what_was_appended(tmp_path: Path) -> None:
    spool = durable.Spool(tmp_path / "folder" / "spool")
    places = [*spool.append(LINES[:3]), *spool.append(LINES[3:])]
    assert [spool.read(place) for place in places] == LINES
    assert spool.bytes == (tmp_path / "folder" / "spool").stat().st_size
    with pytest.raises(durable.InUse):
        durable.Spool(tmp_path / "folder" / "spool")
    spool.close()
    again = durable.Spool(tmp_path / "folder" / "spool")
    assert list(again.lines()) == list(zip(places, LINES, strict=True))
    again.close()


def test_a_spool_ends_before_the_first_line_that_is_not_whole(tmp_path: Path) -> None:
    """Cut anywhere, or with a hole where nothing was synced yet, as after a power cut."""
    path = tmp_path / "spool"
    spool = durable.Spool(path)
    spool.append([b"one", b"two"])
    sure = spool.bytes
    spool.append([b"three", b"four"])
    spool.close()
    whole = path.read_bytes()
    zeros = [whole[:at] + bytes(len(whole) - at) for at in range(sure, len(whole))]
    holes = [whole[:at] + b"\0" + whole[at + 1 :] for at in range(sure, len(whole))]
    for damaged in [*(whole[:at] for at in range(sure, len(whole))), *zeros, *holes]:
        path.write_bytes(damaged)
        spool = durable.Spool(path)
        found = [line for _, line in spool.lines()]
        assert found in ([b"one", b"two"], [b"one", b"two", b"three"])
        assert path.stat().st_size == spool.bytes
        spool.append([b"five"])
        assert [line for _, line in spool.lines()] == [*found, b"five"]
        spool.close()


def test_a_spool_on_a_full_disk_keeps_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = durable.Spool(tmp_path / "spool")
    spool.append([b"one"])
    write = os.write

    def fills(file: int, data: bytes) -> int:
        if len(data) > 20:
            return write(file, data[:20])
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fills)
        with pytest.raises(StorageFull):
            spool.append([b"two" * 100])
    assert [line for _, line in spool.lines()] == [b"one"]
    spool.append([b"three"])
    assert [line for _, line in spool.lines()] == [b"one", b"three"]
    spool.close()
