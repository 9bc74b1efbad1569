"""What every Blobs must do. A new implementation is one more parameter."""

from pathlib import Path

import pytest

from tunewright.blobs.blobs import Blobs
from tunewright.blobs.local import LocalBlobs


@pytest.fixture(params=["local"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> Blobs:
    return {"local": LocalBlobs}[request.param](tmp_path / "blobs")


def put(blobs: Blobs, name: str, data: bytes) -> None:
    upload = blobs.upload(name)
    upload.write(data)
    upload.commit()


def test_whole_or_not_at_all(blobs: Blobs) -> None:
    upload = blobs.upload("file-1")
    upload.write(b"abc")
    with pytest.raises(KeyError):
        blobs.read("file-1")
    upload.write(b"def")
    upload.commit()
    assert b"".join(blobs.read("file-1", chunk=4)) == b"abcdef"
    assert upload.bytes == 6


def test_a_reader_goes_on_after_the_blob_is_deleted(blobs: Blobs) -> None:
    put(blobs, "file-1", b"x" * 100)
    pieces = blobs.read("file-1", chunk=10)
    first = next(pieces)
    blobs.delete("file-1")
    assert len(first + b"".join(pieces)) == 100
    with pytest.raises(KeyError):
        blobs.read("file-1")
    blobs.delete("file-1")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".", "a\x00", "ü", "a" * 129])
def test_names_of_another_form_are_a_bug(blobs: Blobs, name: str) -> None:
    for call in (blobs.upload, blobs.read, blobs.delete):
        with pytest.raises(ValueError, match="not a name"):
            call(name)
