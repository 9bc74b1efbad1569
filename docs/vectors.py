"""Draws docs/vectors.svg, the picture of docs/vectors.md. `.venv/bin/python docs/vectors.py`"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

PICTURE = Path(__file__).with_suffix(".svg")
WIDTH, HEIGHT = 1080, 620
INK, GREY, LINE = "#1b2733", "#5a6b7b", "#8a99a8"
COLOURS = {"step": "#eef3f8", "truth": "#d9ead3", "copy": "#f4f4ef", "record": "#fde9d0"}


class Picture:
    def __init__(self) -> None:
        self.parts: list[str] = []

    def text(self, x: float, y: float, said: str, *, size: int = 13, of: str = "") -> None:
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{GREY if of == "note" else INK}"'
            f"{' font-weight=' + chr(34) + 'bold' + chr(34) if of == 'head' else ''}>"
            f"{escape(said)}</text>"
        )

    def box(self, x: float, y: float, w: float, lines: Sequence[str], kind: str = "step") -> None:
        """The first line is the name."""
        h = 22 + 17 * len(lines)
        self.parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" rx="6" '
            f'fill="{COLOURS[kind]}" stroke="{LINE}"/>'
        )
        for number, line in enumerate(lines):
            of = "" if number else "head"
            self.text(x + 12, y + 24 + 17 * number, line, size=13 - bool(number), of=of)

    def arrow(self, *points: tuple[float, float], label: str = "") -> None:
        path = " L".join(f"{x:g} {y:g}" for x, y in points)
        self.parts.append(
            f'<path d="M{path}" fill="none" stroke="{INK}" stroke-width="1.4" '
            'marker-end="url(#tip)"/>'
        )
        if label:
            (x, y), (to_x, to_y) = points[-2:]
            self.text((x + to_x) / 2 + 6, (y + to_y) / 2 + 4, label, size=12, of="note")

    def svg(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif">'
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
            f'markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{INK}"/></marker>'
            "</defs>"
        )
        return "\n".join([head, *self.parts, "</svg>", ""])


def draw() -> str:
    p = Picture()
    _reading(p)
    _store(p)
    _searching(p)
    return p.svg()


def _reading(p: Picture) -> None:
    p.text(20, 34, "A file is read into a store", size=16, of="head")
    p.text(270, 34, "by the worker; each file is a task", of="note")
    p.box(20, 52, 180, ["file", "of the files API:", "PDF, DOCX, Markdown, ..."])
    p.box(240, 52, 190, ["text", "by a child with limits;", "its pages and headings"])
    p.box(470, 52, 210, ["chunks", "800 tokens of the model,", "400 shared with the one before"])
    p.box(720, 52, 200, ["vectors", "by the model of the store"])
    for x in (200, 430, 680):
        p.arrow((x, 88), (x + 38, 88))
    for x in (152, 402, 942):
        p.arrow((820, 108), (820, 168), (x, 168), (x, 238))
    p.text(430, 190, "written in this order: 1, 2, 3, 4; each step can be done again", of="note")


def _store(p: Picture) -> None:
    p.parts.append(
        f'<rect x="20" y="205" width="770" height="170" rx="8" fill="none" stroke="{LINE}" '
        'stroke-dasharray="5 4"/>'
    )
    words = ["chunks.db", "1: which chunks will come", "3: their texts and places;"]
    p.box(40, 240, 225, [*words, "    words (FTS5) for BM25"], "truth")
    p.box(290, 240, 225, ["index.db", "2: ids, vectors, attributes;", "the truth"], "truth")
    p.box(
        540,
        240,
        225,
        ["rows-*.seg, rows.json", "parts of 32,768 rows, for", "mmap: disposable"],
        "copy",
    )
    p.box(
        830,
        240,
        225,
        ["catalog.db", "4: the file is completed,", "from now on it is found"],
        "record",
    )
    p.arrow((515, 280), (538, 280))
    p.text(164, 362, "vectors/vs_.../, a folder a store", size=12, of="note")


def _searching(p: Picture) -> None:
    p.text(20, 452, "A question is answered", size=16, of="head")
    p.text(20, 474, "in the process that is asked", of="note")
    p.box(20, 520, 150, ["question", "embedded by", "the same model"])
    p.box(205, 520, 200, ["view", "mapped parts, and what", "was committed since"])
    p.box(440, 520, 200, ["plan", *PLAN])
    p.box(675, 520, 180, ["ranking", "candidates compared", "in float64, ties by id"])
    p.box(890, 520, 165, ["chunks", "of completed files,", "with their places"])
    for x, to in ((170, 203), (405, 438), (640, 673), (855, 888)):
        p.arrow((x, 556), (to, 556))
    p.arrow((402, 313), (402, 420), (285, 420), (285, 518))
    p.arrow((652, 313), (652, 450), (340, 450), (340, 518))
    p.arrow((942, 313), (942, 518))
    p.arrow((152, 330), (152, 395), (1000, 395), (1000, 518))


PLAN = ("product, scan or graph,", "by what the filter leaves")

if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
