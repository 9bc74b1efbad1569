"""Texts in every encoding, and what is no text, by content rather than by name."""

import gzip
import zipfile
from pathlib import Path

import pytest

from tunewright.documents import UnreadableDocument, read_document

GREEK = "Καλημέρα κόσμε, naïve café – “quoted”.\n" * 3


def written(folder: Path, data: bytes) -> Path:
    path = folder / "blob"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (GREEK.encode(), GREEK),
        (GREEK.encode("utf-8-sig"), GREEK),
        (GREEK.encode("utf-16"), GREEK),
        (b"\xfe\xff" + GREEK.encode("utf-16-be"), GREEK),
        (GREEK.encode("utf-32"), GREEK),
        ("Plain words, no mark.".encode("utf-16-le"), "Plain words, no mark."),
        ("Plain words, no mark.".encode("utf-16-be"), "Plain words, no mark."),
        ("Zürich, naïve café".encode("latin-1"), "Zürich, naïve café"),
        ("“Zürich” – 5 €".encode("cp1252"), "“Zürich” – 5 €"),
        (GREEK.encode() + b"\xff.", GREEK + "\ufffd."),
        (b"one\r\ntwo\r\n", "one\ntwo\n"),
        (b"a\x00b and more of it, so that one NUL is no sign of a program, not at all",
         "a\ufffdb and more of it, so that one NUL is no sign of a program, not at all"),
        ("\udc80".join("ab").encode("utf-8", "surrogatepass") + " é é é é".encode(),
         "a\ufffd\ufffd\ufffdb é é é é"),
        (b"A PDF begins with %PDF-1.7.", "A PDF begins with %PDF-1.7."),
        (b"MZ is a country code, BZh is not.", "MZ is a country code, BZh is not."),
    ],
)  # fmt: skip
def test_encodings(tmp_path: Path, data: bytes, text: str) -> None:
    document = read_document(written(tmp_path, data), "file")
    assert document.text == text
    assert document.text.encode().decode() == text


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"", "invalid_file", "has no text"),
        (b" \n\t\n", "invalid_file", "has no text"),
        (b"\xef\xbb\xbf", "invalid_file", "has no text"),
        (bytes(range(256)) * 40, "unsupported_file", "is not text"),
        (b"\x7fELF\x02\x01\x01" + bytes(99), "unsupported_file", "is a program"),
        (gzip.compress(b"text"), "unsupported_file", "gzip archive, which cannot be read. Unpack"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "unsupported_file", "a PNG image"),
        (b"\xff\xfe" + bytes(range(1, 256)) * 9, "unsupported_file", "is not text"),
        (b"\x03\x00\xe7\x00\x04\x00\x1f\x00" * 99, "unsupported_file", "is not text"),
        (b"{\\rtf1 hello}", "unsupported_file", "save it as .docx"),
        (b"PK\x03\x04 and then nothing", "invalid_file", "is damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(999), "unsupported_file", "before 2007"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
         "invalid_file", "protected by a password"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("filename", ["file", "report.txt"])
def test_what_is_no_text(tmp_path: Path, data: bytes, code: str, says: str, filename: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read_document(written(tmp_path, data), filename)
    assert refused.value.code == code
    assert refused.value.message.startswith(f"{filename} ")
    assert says in refused.value.message


def test_an_archive_of_anything_else(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "blob", "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(UnreadableDocument, match="Unpack it") as refused:
        read_document(tmp_path / "blob", "a.zip")
    assert refused.value.code == "unsupported_file"


def test_names_in_messages_are_short_and_printable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        read_document(written(tmp_path, b""), "../../x\n\x1b[31m" + "y" * 500)
    assert refused.value.message.startswith("x??[31myyy")
    assert len(refused.value.message) < 200


def test_text_beyond_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    with path.open("wb") as file:
        file.truncate(2**28)  # takes no disk
    with pytest.raises(UnreadableDocument, match="Split it") as refused:
        read_document(path, "big.log")
    assert refused.value.code == "invalid_file"
