"""Files that are made to harm, or broken: refused by themselves, each with its reason, soon."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import papers
import pytest
from pypdf import PdfWriter

from tunewright.documents import UnreadableDocument, limits, read_document
from tunewright.documents.kinds import kind_of
from tunewright.documents.parsing import __main__ as parsing
from tunewright.documents.parsing import office, pdf

WORD = "word/document.xml"
SHEET = "xl/worksheets/sheet1.xml"


def altered_word(folder: Path, *content: bytes) -> Path:
    source = papers.word(folder / "source.docx")
    return papers.altered(source, WORD, content, folder / "blob")


def locked(folder: Path) -> Path:
    path = folder / "blob"
    path.write_bytes(papers.pdf(["secret"]))
    writer = PdfWriter(clone_from=path)
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(path)
    return path


def holding(data: bytes) -> Callable[[Path], Path]:
    def made(folder: Path) -> Path:
        (folder / "blob").write_bytes(data)
        return folder / "blob"

    return made


def laughing_sheet(folder: Path) -> Path:
    source = papers.workbook(folder / "source.xlsx")
    content = [b'<?xml version="1.0"?>', papers.LAUGHS, b"<worksheet>&a11;</worksheet>"]
    return papers.altered(source, SHEET, content, folder / "blob")


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "pages": (holding(papers.pdf(["x"] * 10)), "has 10 pages; one file may have 9"),
    "scanned": (holding(papers.pdf(["", ""])), "its pages are images"),
    "locked": (locked, "is protected by a password"),
    "cut": (holding(papers.pdf(["Hello"])[:200]), "cannot be read as PDF"),
    "laughs": (
        lambda folder: altered_word(
            folder, b'<?xml version="1.0"?>', papers.LAUGHS, papers.BODY[21:],
            b"<w:p><w:r><w:t>&a11;</w:t></w:r></w:p>", papers.END,
        ),
        "entity amplification",
    ),
    "sheet": (laughing_sheet, "cannot be read as XLSX"),
    "deep": (
        lambda folder: altered_word(folder, papers.BODY, b"<w:p>" * 9999, b"</w:p>" * 9999,
                                    papers.END),
        "Excessive depth",
    ),
    "no body": (lambda folder: altered_word(folder, b"nothing"), "cannot be read as DOCX"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_a_plain_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """In this process, which costs less than a child."""
    monkeypatch.setattr(pdf, "PAGES", 9)
    make, reason = REFUSED[case]
    path = make(tmp_path)
    with pytest.raises(UnreadableDocument) as refused:
        parsing._document(kind_of(path, "report.bin"), path, "report.bin")
    assert refused.value.code == "invalid_file"
    assert refused.value.message.startswith("report.bin ")
    assert reason in refused.value.message


def test_xml_of_gigabytes_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A zip archive says in its list how large each part is."""
    monkeypatch.setattr(office, "UNPACKED_XML", 2**22)
    path = altered_word(tmp_path, papers.BODY, b" " * 2**23, papers.END)
    assert path.stat().st_size < 2**20
    with pytest.raises(UnreadableDocument, match="unpacks to 9 MiB of XML in 17 parts; a file may"):
        parsing._document("DOCX", path, "a.docx")


def test_a_list_that_lies_about_sizes_is_found_out(tmp_path: Path) -> None:
    path = altered_word(tmp_path, papers.BODY, b" " * 10**6, papers.END)
    data = path.read_bytes()
    size = len(papers.BODY + papers.END) + 10**6
    path.write_bytes(data.replace(size.to_bytes(4, "little"), (99).to_bytes(4, "little")))
    with pytest.raises(UnreadableDocument, match="cannot be read as DOCX"):
        parsing._document("DOCX", path, "a.docx")


def test_an_endless_list_of_tables_and_an_entity_of_this_machine(tmp_path: Path) -> None:
    """They can be read: the loop is left, the entity is nothing."""
    path = holding(papers.pdf(["x"], trailer="/Prev {table} "))(tmp_path)
    assert parsing._document("PDF", path, "file").text == "x\n\n"
    entity = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    said = b"<w:p><w:r><w:t>before &e;</w:t></w:r></w:p>"
    head = b'<?xml version="1.0"?>'
    path = altered_word(tmp_path, head, entity, papers.BODY[21:], said, papers.END)
    assert parsing._document("DOCX", path, "file").text.startswith("before\n")


def test_a_page_that_is_nested_without_end(tmp_path: Path) -> None:
    page = "<html>" + "<div>" * 30_000 + "core" + "<p " + "a=b " * 30_000 + ">end"
    path = holding(page.encode())(tmp_path)
    assert parsing._document("HTML", path, "x.html").text == "core\n\nend"


@pytest.mark.parametrize(
    ("does", "code", "says"),
    [
        ("while True: pass", "invalid_file", "took too long"),
        (
            "x = [bytearray(2**24) for _ in range(99)]",
            "invalid_file",
            "more than 128 MiB of memory",
        ),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "server_error", "memory"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "invalid_file", "signal 11"),
        pytest.param(
            "import sys; sys.exit(3)", "server_error", "log says why", marks=pytest.mark.slow
        ),
        pytest.param(
            "def f(): f()\nf()", "invalid_file", "nested too deeply", marks=pytest.mark.slow
        ),
        ("raise ValueError('odd\\nthing')", "invalid_file", "(ValueError: odd thing)"),
        ("print('noise' * 9999); open(0).close", "invalid_file", "has no text"),
    ],
)
def test_whatever_a_parser_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, code: str, says: str
) -> None:
    """A parser in the place of ours, in the real child with its real limits; only these are
    lower."""
    lines = "\n".join(f"    {line}" for line in does.split("\n"))
    (tmp_path / "sitecustomize.py").write_text(
        "import sys, types\n"
        "import tunewright.documents.limits as limits\n"
        "limits.CPU_SECONDS, limits.MEMORY = 1, 2**27\n"
        f"def read(path, name, draft):\n{lines}\n"
        "fake = types.ModuleType('tunewright.documents.parsing.pdf')\n"
        "fake.read = read\n"
        "sys.modules[fake.__name__] = fake\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UnreadableDocument) as refused:
        read_document(holding(papers.pdf(["x"]))(tmp_path), "a.pdf")
    assert refused.value.code == code
    assert says in refused.value.message


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys, time, types, tunewright.documents.parsing\n"
        "def read(path, name, draft):\n"
        "    open(f'{path}.pid', 'w').write(str(os.getpid()))\n"
        "    time.sleep(100)\n"
        "fake = types.ModuleType('tunewright.documents.parsing.pdf')\n"
        "fake.read = read\n"
        "sys.modules[fake.__name__] = fake\n"
    )
    path = holding(papers.pdf(["x"]))(tmp_path)
    program = "from tunewright.documents import read_document; from pathlib import Path; "
    program += f"read_document(Path({str(path)!r}), 'x')"
    parent = subprocess.Popen(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    told = tmp_path / "blob.pid"
    while not (told.exists() and told.read_text()):
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while Path(f"/proc/{told.read_text()}/cmdline").exists() and _runs(int(told.read_text())):
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("piece", [b"<w:p><w:r/></w:p>", b"<w:p><w:r><w:t>x</w:t></w:r></w:p>"])
def test_as_much_xml_as_is_let_in(tmp_path: Path, piece: bytes) -> None:
    """Memory ends where it is said to, whatever the parser in C says then."""
    pieces = [piece * 10_000] * (limits.UNPACKED_XML // len(piece) // 10_000 - 20)
    with pytest.raises(UnreadableDocument, match=r"MiB of memory|has no text|characters of text"):
        read_document(altered_word(tmp_path, papers.BODY, *pieces, papers.END), "a.docx")
