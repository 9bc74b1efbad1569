"""The explore report in a real Chromium, from the disk: looked at, clicked, searched, drawn on."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pages.chromium import BINARY, Page, chromium
from pages.explorations import about, classification, exploration, hit_rates, regression
from tunewright.analysis.clusters import Clusters
from tunewright.analysis.maps import Map
from tunewright.pages.explore import page as explore_page
from tunewright.pages.explore_data import places

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARY is None, reason="Chromium is not installed"),
]

AXE = Path(os.environ.get("AXE", ".sdk/axe/node_modules/axe-core/axe.min.js"))
TEXTS = "好喝的茶。", "<b>bold</b> & 'quoted', \"twice\"\nsecond line", "=1+1"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium() as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "report.html"
    found = exploration(300, topics=4)
    whole = replace(
        found,
        texts=(*TEXTS, *found.texts[3:]),
        classification=classification(tuple("12345"), 300),
        regression=regression(300),
        recommendations=hit_rates(),
    )
    path.write_text(explore_page(whole), "utf-8")
    return path


@pytest.fixture
def page(browser: Page, report: Path) -> Iterator[Page]:
    browser.open(report)
    browser.wait("!document.getElementById('explorer').hidden")
    browser.run("document.getElementById('explorer').scrollIntoView()")
    # What is copied is read here: a headless browser has no clipboard to look into.
    browser.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    yield browser
    assert browser.complaints == []
    assert browser.requests == []


def panel(page: Page) -> str:
    return page.run("document.getElementById('panel').innerText")


def box(page: Page, selector: str) -> tuple[float, float, float, float]:
    found = page.run(
        f"(({{left, top, width, height}}) => [left, top, width, height])"
        f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
    )
    return found[0], found[1], found[2], found[3]


def press(page: Page, selector: str) -> None:
    left, top, width, height = box(page, selector)
    page.click(left + width / 2, top + height / 2)


def copied_rows(page: Page) -> list[dict[str, str]]:
    press(page, "#panel button.rows")
    page.wait("window.copied")
    return list(csv.DictReader(io.StringIO(page.run("window.copied"), newline="")))


NO_WEBGL = (
    "const canvas = HTMLCanvasElement.prototype, usual = canvas.getContext;"
    "canvas.getContext = function (kind, ...given) {"
    "return kind === 'webgl2' ? null : usual.call(this, kind, ...given); };"
)
DRAWN = (
    "(async () => { await new Promise(requestAnimationFrame);"
    "const from = document.getElementById('points'), size = [from.width, from.height];"
    "const to = new OffscreenCanvas(...size).getContext('2d'); to.drawImage(from, 0, 0);"
    "const { data } = to.getImageData(0, 0, ...size);"
    "return data.filter((value, at) => at % 4 === 3 && value > 40).length; })()"
)
VIOLATIONS = (
    "axe.run().then(({ violations }) => violations.map(({ id, impact, nodes }) =>"
    "[id, impact, nodes.map((node) => node.html.slice(0, 160) + node.failureSummary)]))"
)


def drawn(page: Page) -> int:
    """How many pixels of the points' layer show something."""
    return page.run(DRAWN)


def test_points_and_names_are_drawn(page: Page) -> None:
    page.wait("document.querySelectorAll('#names button:not([hidden])').length === 4")
    assert drawn(page) > 300 * 9
    assert page.run("document.getElementById('points').getContext('webgl2') !== null")


def test_a_cluster_is_chosen_by_its_name(page: Page) -> None:
    name = page.run("document.querySelector('#names button').textContent")
    before = drawn(page)
    press(page, "#names button")
    shown = panel(page)
    assert name in shown
    assert "Stability" in shown
    assert "0.90 (95 % interval 0.85 to 0.94)" in shown
    assert re.search(r"stars\s+\d \(\d\d %\), \d \(\d\d %\)", shown)
    rows = copied_rows(page)
    assert {row["cluster"] for row in rows} == {name}
    assert len(rows) == max(
        len(cluster.rows) for cluster in exploration(300, topics=4).clusters.all
    )
    assert drawn(page) < before


def test_search_marks_and_copies_what_it_finds(page: Page) -> None:
    press(page, "#search")
    page.call("Input.insertText", text="好喝")
    page.wait("document.querySelectorAll('#panel mark').length === 1")
    assert "Rows with “好喝”" in panel(page)
    [row] = copied_rows(page)
    assert (row["line"], row["text"]) == ("2", "好喝的茶。")
    known = {"line", "cluster", "stars", "price", "predicted label", "anomaly score"}
    assert set(row) == known | {"near-duplicate", "text"}


def test_a_lasso_around_all_selects_all_and_the_csv_is_exact(page: Page, report: Path) -> None:
    left, top, width, height = box(page, "#marks")
    press(page, "#lasso")
    assert page.run("document.getElementById('lasso').getAttribute('aria-pressed')") == "true"
    right, bottom = left + width - 3, top + height - 3
    page.drag([(left + 2, top + 2), (right, top + 2), (right, bottom), (left + 2, bottom)])
    assert "Rows in the lasso" in panel(page)
    rows = copied_rows(page)
    assert [row["text"] for row in rows[:3]] == list(TEXTS)
    found = exploration(300, topics=4)
    assert [float(row["price"]) for row in rows] == list(found.numbers[0][1])
    assert [row["stars"] for row in rows] == list(found.labels[0][1])
    assert page.run("document.getElementById('lasso').getAttribute('aria-pressed')") == "false"


def test_half_a_lasso_selects_what_is_inside(page: Page) -> None:
    left, top, width, height = box(page, "#marks")
    press(page, "#lasso")
    middle, bottom = left + width / 2, top + height - 3
    page.drag([(left + 2, top + 2), (middle, top + 2), (middle, bottom), (left + 2, bottom)])
    rows = copied_rows(page)
    at = places(exploration(300, topics=4).map.positions.astype(float))[:, 0]
    assert {int(row["line"]) - 2 for row in rows} == set((at < 65_535 / 2).nonzero()[0].tolist())


@pytest.mark.parametrize("column", ["stars", "price", "anomaly score", "near-duplicate"])
def test_colours_by_a_column(page: Page, column: str) -> None:
    page.run(
        "(() => { const select = document.getElementById('column');"
        f"select.value = {json.dumps(column)}; select.dispatchEvent(new Event('change')); }})()"
    )
    legend = page.run("document.getElementById('legend').innerText")
    assert drawn(page) > 300 * 9
    if column == "stars":
        assert legend.splitlines() == [f"{value} (60)" for value in "12345"]
        press(page, "#legend button")
        assert {row["stars"] for row in copied_rows(page)} == {"1"}
    elif column == "near-duplicate":
        assert "yes (5)" in legend
    else:
        assert column in legend


def test_pointing_at_a_row_shows_its_text(page: Page) -> None:
    left, top, width, height = box(page, "#marks")
    for step in range(40):
        page.mouse("Moved", left + width * 0.1 + step * width * 0.02, top + height / 2)
        if page.run("!document.getElementById('tip').hidden"):
            break
    assert "line " in page.run("document.getElementById('tip').textContent")


def test_the_map_by_keys_alone(page: Page) -> None:
    page.run("document.getElementById('marks').focus()")
    page.key("n")
    page.wait("!document.getElementById('tip').hidden")
    assert "好喝的茶" in page.run("document.getElementById('tip').textContent")
    assert "好喝的茶" in page.run("document.getElementById('said').textContent")
    page.key("Enter")
    assert "Stability" in panel(page)
    page.key("Escape")
    assert "4 clusters" in panel(page)
    before = drawn(page)
    for _ in range(6):
        page.key("+")
    assert drawn(page) != before
    page.key("0")
    assert drawn(page) == before


def test_the_wheel_scrolls_the_page_until_the_map_is_clicked(page: Page) -> None:
    left, top, width, height = box(page, "#marks")
    at = {"x": left + width / 2, "y": top + height / 2}
    page.call("Input.dispatchMouseEvent", type="mouseWheel", deltaX=0, deltaY=-120, **at)
    page.wait("!document.getElementById('hint').hidden")
    page.run("document.getElementById('explorer').scrollIntoView()")
    before = drawn(page)
    page.click(*box(page, "#marks")[:2])
    page.call("Input.dispatchMouseEvent", type="mouseWheel", deltaX=0, deltaY=-400, **at)
    page.run("new Promise((done) => setTimeout(done, 200))")
    assert drawn(page) != before


def test_a_row_of_a_list_is_shown_on_the_map(page: Page) -> None:
    page.run(
        "document.querySelector('#anomalies ~ ol button.show').scrollIntoView({block: 'center'})"
    )
    press(page, "#anomalies ~ ol button.show")
    page.wait("!document.getElementById('tip').hidden")
    assert page.run("document.activeElement.id") == "marks"


def test_without_webgl_the_map_is_painted(browser: Page, report: Path, tmp_path: Path) -> None:
    text = report.read_text("utf-8")
    other = tmp_path / "plain.html"
    other.write_text(text, "utf-8")
    identifier = browser.call("Page.addScriptToEvaluateOnNewDocument", source=NO_WEBGL)[
        "identifier"
    ]
    browser.open(other)
    browser.wait("!document.getElementById('explorer').hidden")
    assert drawn(browser) > 300 * 9
    browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=identifier)
    assert browser.complaints == []


NOISE = Clusters(np.full(60, -1), (), "hdbscan", None, chance=None, tried=(), sample=None)
ODD = {
    "one row": lambda: exploration(1, 1),
    "one place": lambda: exploration(map=Map(np.zeros((60, 2), np.float32), "pca", None)),
    "noise only": lambda: exploration(clusters=NOISE),
    "no parts": lambda: exploration(
        clusters=None, anomalies=None, diversity=None, labels=(), numbers=()
    ),
    "no values": lambda: exploration(labels=(("a", (None,) * 60),), numbers=(("b", (None,) * 60),)),
    "all values differ": lambda: exploration(
        labels=(("user", tuple(f"user {number} {'x' * 60}" for number in range(60))),)
    ),
    "long words": lambda: exploration(
        texts=("x" * 3_000,) * 60, about=about(table=f"{'y' * 200}.csv", columns=("z" * 150,))
    ),
    "half a character": lambda: exploration(texts=("\ud800 half",) * 60),
    "emoji and Arabic": lambda: exploration(texts=("👩‍👩‍👧‍👧 مرحبا بالعالم",) * 60),
    "60 clusters": lambda: exploration(2_000, 60),
}


@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("odd", ODD)
def test_odd_tables_fit_into_the_window(
    browser: Page, tmp_path: Path, odd: str, width: int
) -> None:
    path = tmp_path / "odd.html"
    path.write_text(explore_page(ODD[odd]()), "utf-8")
    browser.open(path, width)
    browser.wait("!document.getElementById('explorer').hidden")
    assert browser.run("document.documentElement.scrollWidth") == width
    assert drawn(browser) > 4
    assert browser.complaints == []


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_wider_than_the_window(browser: Page, report: Path, width: int) -> None:
    browser.open(report, width)
    browser.wait("!document.getElementById('explorer').hidden")
    assert browser.run("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.skipif(not AXE.exists(), reason="axe-core is absent: make axe")
@pytest.mark.parametrize("chosen", [False, True])
def test_no_serious_violation_of_accessibility(
    page: Page, report: Path, dark: bool, chosen: bool
) -> None:
    page.open(report, dark=dark)
    page.wait("!document.getElementById('explorer').hidden")
    page.run("for (const details of document.querySelectorAll('details')) details.open = true")
    if chosen:
        page.run("document.querySelector('#names button').click()")
    page.run(AXE.read_text("utf-8"))
    found = page.run(VIOLATIONS)
    assert [one for one in found if one[1] in ("serious", "critical")] == []
