"""What is read of each kind of file, whatever it is called, by the parser itself; and once each in
the child process that a server uses."""

from collections.abc import Callable
from pathlib import Path

import papers
import pytest
from pypdf import PdfWriter

from tunewright.documents import Document, UnreadableDocument, read_document
from tunewright.documents.document import Draft
from tunewright.documents.parsing import __main__ as parsing


def parsed(kind: str, path: Path, name: str = "file") -> Document:
    return parsing._document(kind, path, name)


def written(folder: Path, data: bytes | str) -> Path:
    path = folder / "blob"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def places(document: Document) -> list[tuple[str, int | None, str | None]]:
    """The first line behind each mark, where no other follows at once."""
    ends = [mark.at for mark in document.marks[1:]] + [len(document.text)]
    spans = zip(document.marks, ends, strict=True)
    return [
        (document.text[mark.at :].strip().split("\n")[0], mark.page, mark.heading)
        for mark, end in spans
        if end > mark.at
    ]


def test_word(tmp_path: Path) -> None:
    document = parsed("DOCX", papers.word(tmp_path / "a.docx"))
    assert document.text == (
        "Handbook\n\nInstall\n\nFirst paragraph, naïve — 東京.\n\nLinux\n\na\tb\nc\n\n"
        "k | v\none | two lines\n\nRunning head\n\n"
    )
    assert places(document) == [
        ("Handbook", None, "Handbook"),
        ("Install", None, "Install"),
        ("Linux", None, "Install > Linux"),
    ]


def test_word_with_what_its_own_lists_leave_out(tmp_path: Path) -> None:
    """Content controls, insertions and text boxes, the last of them once; nothing deleted."""
    said = "<w:p><w:r><w:t>{}</w:t></w:r></w:p>".format
    box = "<mc:AlternateContent xmlns:mc='http://schemas.openxmlformats.org/markup-compatibility/"
    box += f"2006'><mc:Choice Requires='x'><w:txbxContent>{said('box')}</w:txbxContent></mc:Choice>"
    box += f"<mc:Fallback><w:txbxContent>{said('box')}</w:txbxContent></mc:Fallback>"
    box += "</mc:AlternateContent>"
    body = f"<w:sdt><w:sdtContent>{said('control')}</w:sdtContent></w:sdt>"
    body += "<w:p><w:ins><w:r><w:t>added</w:t></w:r></w:ins>"
    body += f"<w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:r>{box}</w:r></w:p>"
    source = papers.word(tmp_path / "a.docx")
    content = [papers.BODY, body.encode(), papers.END]
    path = papers.altered(source, "word/document.xml", content, tmp_path / "b.docx")
    assert parsed("DOCX", path).text == "control\n\nadded\nbox\n\nRunning head\n\n"


def test_slides(tmp_path: Path) -> None:
    document = parsed("PPTX", papers.slides(tmp_path / "a.pptx"))
    assert document.text == (
        "Aims\nAims: one\nAims: two\n\nMeans\nMeans: one\nMeans: two\nx | y\n | z\n\nSay hello\n\n"
        "Without a title\n\n"
    )
    assert places(document) == [
        ("Aims", 1, "Aims"),
        ("Means", 2, "Means"),
        ("Without a title", 3, None),
    ]


def test_workbook(tmp_path: Path) -> None:
    document = parsed("XLSX", papers.workbook(tmp_path / "a.xlsx"))
    assert document.text == (
        "Cities\n\ncity | people | since\ncity: Rome; people: 3000000; since: 2020-01-02\n"
        "city: Bonn; people: 1.5\na | b | c | d\nNotes\n\nJust text\n1 | 2\n"
    )
    assert places(document) == [("Cities", None, "Cities"), ("Notes", None, "Notes")]


def test_a_sheet_that_says_it_is_huge(tmp_path: Path) -> None:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    cell = '<c r="{}" t="inlineStr"><is><t>{}</t></is></c>'.format
    sheet = f'<?xml version="1.0"?><worksheet xmlns="{space}"><dimension ref="A1:XFD1048576"/>'
    sheet += f'<sheetData><row r="1">{cell("A1", "near")}</row>'
    sheet += f'<row r="9999">{cell("XFD9999", "far")}</row></sheetData></worksheet>'
    source = papers.workbook(tmp_path / "a.xlsx")
    part = "xl/worksheets/sheet1.xml"
    path = papers.altered(source, part, [sheet.encode()], tmp_path / "b.xlsx")
    assert parsed("XLSX", path).text.startswith("Cities\n\nnear\nfar\nNotes")


def test_pdf(tmp_path: Path) -> None:
    path = written(
        tmp_path, papers.pdf(["Hello page one.\nSecond line", "", "Page three.\nDeeper\nend"])
    )
    writer = PdfWriter(clone_from=path)
    chapter = writer.add_outline_item(title="Chapter", page_number=2)
    writer.add_outline_item(title="Deeper", page_number=2, parent=chapter)
    writer.encrypt("", owner_password="x", algorithm="RC4-128")  # against changes only
    writer.write(path)
    document = parsed("PDF", path)
    assert document.text == "Hello page one.\nSecond line\n\nPage three.\nDeeper\nend\n\n"
    assert places(document) == [
        ("Hello page one.", 1, None),
        ("Page three.", 3, "Chapter"),
        ("Deeper", 3, "Chapter > Deeper"),
    ]


HTML = """<!doctype html><html><head><title>My &amp; page</title><style>p{}</style>
<script>let a = "<p>no</p>"</script></head><body><nav><a href=x>Home</a> <a>About</a></nav>
<h1>Big <b>title</b></h1><p>Hello   <i>wor</i>ld,
 naïve.<br>line</p><ul><li>one<li>two</ul><h2>Sub</h2><table><tr><th>a<th>b<tr><td>1<td>2</table>
<pre>x
   y</pre>end<noscript>Turn it on</noscript></body></html>"""


def test_html(tmp_path: Path) -> None:
    document = parsed("HTML", written(tmp_path, HTML))
    assert document.text == (
        "My & page\n\nHome About\n\nBig title\n\nHello world, naïve.\nline\n\none\ntwo\n\nSub\n\n"
        "a\tb\n1\t2\n\nx\n   y\n\nend"
    )
    assert places(document) == [
        ("Big title", None, "Big title"),
        ("Sub", None, "Big title > Sub"),
    ]


@pytest.mark.parametrize(
    ("encoding", "meta"),
    [("utf-8", ""), ("utf-16", ""), ("cp1252", ""), ("shift_jis", '<meta charset="Shift_JIS">')],
)
def test_html_in_any_encoding(tmp_path: Path, encoding: str, meta: str) -> None:
    text = "東京タワー" if meta else "“Zürich”"
    data = f"<html><head>{meta}</head><p>{text}</p></html>".encode(encoding)
    assert parsed("HTML", written(tmp_path, data)).text == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ('name,text\nA,"multi\nline, quoted"\nB,\n',
         "name | text\nname: A; text: multi\nline, quoted\nname: B\n"),
        ("name\ttext\nA\tb\n", "name | text\nname: A; text: b\n"),
        ("name;ort\nMüller;Köln\n".encode("latin-1"), "name | ort\nname: Müller; ort: Köln\n"),
        ("a,b\r\n1,2,3\r\n", "a,b\n1,2,3\n"),  # no table: as it is
        ("a,a\n1,2\n", "a,a\n1,2\n"),
        ('a,b\n"1,2\n', 'a,b\n"1,2\n'),
    ],
)  # fmt: skip
def test_csv(tmp_path: Path, data: bytes | str, text: str) -> None:
    assert parsed("CSV", written(tmp_path, data), "x.csv").text == text


def test_json_is_read_with_its_escapes_spelled(tmp_path: Path) -> None:
    data = r'{"a": "\u6771\u4eac \ud83d\ude00 \\u6771 \u0041 \n \" \ud800 caf\u00e9"}'
    document = read_document(written(tmp_path, data), "a.json")
    assert document.text == r'{"a": "東京 😀 \\u6771 \u0041 \n \" \ud800 café"}'


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (papers.word, "DOCX"),
        (lambda path: path.write_bytes(papers.pdf(["Hello", "you"])), "PDF"),
        pytest.param(papers.slides, "PPTX", marks=pytest.mark.slow),
        pytest.param(papers.workbook, "XLSX", marks=pytest.mark.slow),
        pytest.param(lambda path: path.write_text(HTML), "HTML", marks=pytest.mark.slow),
    ],
)
def test_in_a_child_and_by_content(
    tmp_path: Path, make: Callable[[Path], object], kind: str
) -> None:
    """As SDK 0.28 uploads them: every file is named "file"."""
    make(tmp_path / "blob.x")
    path = (tmp_path / "blob.x").rename(tmp_path / "blob")
    document = read_document(path, "file")
    assert document.kind == kind
    assert document == parsed(kind, path)


def test_the_draft_bounds_what_a_parser_says() -> None:
    draft = Draft("PDF", "x.pdf", most=10)
    draft.say("12345")
    with pytest.raises(UnreadableDocument, match="more than 10 characters"):
        draft.say("123456")
