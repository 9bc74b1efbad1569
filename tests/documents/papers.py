"""Documents made by the libraries that people make them with, and broken ones."""

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
BODY = f'<?xml version="1.0"?><w:document xmlns:w="{_W}"><w:body>'.encode()
END = b"</w:body></w:document>"
LAUGHS = b"".join(
    [
        b'<!DOCTYPE lolz [<!ENTITY a0 "lollollollol">',
        *(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)),
        b"]>",
    ]
)


def pdf(pages: Iterable[str], *, trailer: str = "") -> bytes:
    """The least that is a PDF: pages of lines in Helvetica; an empty page has nothing on it."""
    texts = list(pages)
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(texts)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(texts)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for n, text in enumerate(texts):
        lines = b"".join(b"(%s) Tj T* " % line.encode("latin-1") for line in text.split("\n"))
        stream = b"BT /F1 12 Tf 14 TL 72 720 Td %sET" % lines if text else b""
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * n} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    out, places = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, io.SEEK_END)
    for number, each in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, each))
    table = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.writelines(b"%010d 00000 n \n" % place for place in places)
    more = trailer.format(table=table)
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R {more}>>\nstartxref\n{table}\n%%EOF\n"
    out.write(end.encode())
    return out.getvalue()


def word(path: Path) -> Path:
    import docx

    document = docx.Document()
    document.add_heading("Handbook", 0)
    document.add_heading("Install", 1)
    document.add_paragraph("First paragraph, naïve — 東京.")
    document.add_heading("Linux", 2)
    run = document.add_paragraph("a").add_run("\tb")
    run.add_break()
    run.add_text("c")
    table = document.add_table(2, 2)
    for row, cells in zip(table.rows, (("k", "v"), ("one", "two\nlines")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.sections[0].header.paragraphs[0].text = "Running head"
    document.save(str(path))
    return path


def slides(path: Path) -> Path:
    import pptx
    from pptx.util import Inches

    show = pptx.Presentation()
    for title in ("Aims", "Means"):
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title  # pyright: ignore[reportOptionalMemberAccess]
        slide.placeholders[1].text = f"{title}: one\n{title}: two"
    place = Inches(1)
    table = slide.shapes.add_table(2, 2, place, place, place, place).table
    table.cell(0, 0).text, table.cell(0, 1).text, table.cell(1, 1).text = "x", "y", "z"
    slide.notes_slide.notes_text_frame.text = "Say hello"
    show.slides.add_slide(show.slide_layouts[6]).shapes.add_textbox(
        place, place, place, place
    ).text_frame.text = "Without a title"
    show.save(str(path))
    return path


def workbook(path: Path) -> Path:
    import datetime

    import openpyxl

    book = openpyxl.Workbook()
    cities = book.active
    cities.title = "Cities"
    for row in (
        ["city", "people", "since"],
        ["Rome", 3_000_000, datetime.datetime(2020, 1, 2)],
        ["Bonn", 1.5, None],
        [None, None, None],
        ["a", "b", "c", "d"],
    ):
        cities.append(row)
    notes = book.create_sheet("Notes")
    notes.append(["Just text"])
    notes.append([1, None, 2])
    book.save(path)
    return path


def altered(source: Path, part: str, content: Iterable[bytes], path: Path) -> Path:
    """An office document with another content of one part."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != part:
                new.writestr(name, old.read(name))
        with new.open(part, "w", force_zip64=True) as out:
            for piece in content:
                out.write(piece)
    return path
