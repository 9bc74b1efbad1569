"""The explore report as text: what a browser would be given."""

import base64
import gzip
import hashlib
import html
import json
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import typer

from pages.explorations import about, classification, exploration, hit_rates, regression
from tunewright.analysis.exploration import Exploration
from tunewright.analysis.intervals import Interval
from tunewright.cli.commands import app
from tunewright.pages.bundling import joined
from tunewright.pages.explore import page
from tunewright.pages.packing import packed_texts

HOSTILE = (
    "</script><script>alert(1)</script><!-- \"' & \u2028 <img src=x onerror=alert(2)> {{ 7 * 7 }}"
)


class Elements(HTMLParser):
    """Every tag with its attributes, and the text inside of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.inside.setdefault(self._open, []).append(data)


def test_the_policy_names_style_and_script_by_their_hashes() -> None:
    elements = Elements(page(exploration()))
    [policy] = [a["content"] for tag, a in elements.tags if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    [style] = elements.inside["style"]
    for name, text in (("style-src", style), ("script-src", elements.inside["script"][-1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    for tag, attributes in elements.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


def test_nothing_is_asked_of_any_network() -> None:
    text = page(exploration())
    assert not re.search(r"https?://|url\(|@import|\bfetch\(|XMLHttpRequest|import\(", text)
    wanted = [a[name] for _, a in Elements(text).tags for name in ("src", "href") if name in a]
    assert all(link and link.startswith("#") for link in wanted)


def test_what_the_table_holds_stays_text() -> None:
    """Planted in every text of the table and of what describes it."""
    found = exploration(rows=30)
    named = [replace(one, name=HOSTILE, terms=(HOSTILE,)) for one in found.clusters.all]
    hostile = replace(
        found,
        about=about(table=HOSTILE, columns=(HOSTILE,), left_out=((3, HOSTILE),), notes=(HOSTILE,)),
        texts=(HOSTILE,) * 30,
        labels=((HOSTILE, (HOSTILE,) * 30),),
        numbers=((HOSTILE, (1.0,) * 30),),
        clusters=replace(found.clusters, all=tuple(named)),
        classification=classification((HOSTILE, HOSTILE + "2"), 30),
        regression=regression(30),
        absent=((HOSTILE, HOSTILE),),
    )
    text = page(hostile)
    elements = Elements(text)
    assert [tag for tag, _ in elements.tags if tag in ("script", "img")] == ["script"] * 3
    assert "<!--" not in text.replace("&lt;!--", "")
    assert "{{ 7 * 7 }}" in text
    data = json.loads(elements.inside["script"][0])
    assert data["clusters"][0]["name"] == HOSTILE


def test_the_texts_and_columns_come_back() -> None:
    found = exploration(rows=40)
    shown = replace(
        found,
        texts=("好喝的茶。", "", *found.texts[2:]),
        labels=(("stars", (None, *["a", "b"] * 19, "a")),),
    )
    data, texts, _ = Elements(page(shown)).inside["script"]
    assert json.loads(gzip.decompress(base64.b64decode(texts))) == list(shown.texts)
    columns = {column["name"]: column for column in json.loads(data)["columns"]}
    assert list(columns)[:3] == ["cluster", "stars", "price"]
    assert columns["stars"]["values"] == ["a", "b"]
    assert list(unpacked(columns["stars"]["of"]))[:4] == [2, 0, 1, 0]
    prices, ranks = unpacked(columns["price"]["values"]), unpacked(columns["price"]["of"])
    assert [prices[rank] for rank in ranks] == list(found.numbers[0][1])


def unpacked(packed: dict[str, str]) -> memoryview:
    data = gzip.decompress(base64.b64decode(packed["data"]))
    return memoryview(data).cast({"u1": "B", "u2": "H", "u4": "I", "f8": "d"}[packed["type"]])


def test_the_same_bytes_of_the_same_exploration() -> None:
    assert page(exploration()) == page(exploration())


def test_long_texts_are_cut_to_the_room_there_is() -> None:
    texts = [f"{number} " * 400 for number in range(500)]
    whole, length = packed_texts(texts, 10**6)
    assert json.loads(gzip.decompress(base64.b64decode(whole))) == texts
    cut, shorter = packed_texts(texts, 3_000)
    assert len(cut) <= 3_000
    assert shorter < length
    assert json.loads(gzip.decompress(base64.b64decode(cut)))[499].endswith("…")


@pytest.mark.parametrize("left", ["map", "clusters", "anomalies", "diversity", "labels"])
def test_each_part_can_be_absent(left: str) -> None:
    empty = () if left == "labels" else None
    text = page(replace(exploration(), absent=((left, "too few rows"),), **{left: empty}))
    assert "too few rows" in text


def test_the_findings_have_numbers_intervals_commands_and_warnings() -> None:
    stars = ("1", "2", "3", "4", "5")
    shown = page(exploration(rows=90, classification=classification(stars, 90)))
    said = " ".join(re.sub(r"<[^>]+>", "", shown.partition('<ol class="conclusions">')[2]).split())
    said = said.partition("Map Each point")[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "The 90 rows fall into 3 clusters; the largest, “" in said
    assert "90 rows are few for clusters" in said
    assert "told from the text for 75 % of the rows (95 % interval 71 % to 79 %)" in said
    assert "always saying the most frequent would be right for 20 %; 20 rows have" in said
    assert "The rarest label has 18 rows only." in said
    assert "3 of 90 rows (3.3 %) could go: each is a near-duplicate of a row that" in said
    assert "times as far from its nearest rows as is usual: “" in said
    assert said.count("tunewright explore ") == 4
    plain = page(exploration())
    assert "two rows taken at random are <b>0.71</b> apart (95\N{NO-BREAK SPACE}%" in plain
    assert plain.count('<div class="do">') == 4
    asked = "reviews.csv --column text --model builtin-mini"
    assert f"tunewright explore clusters {asked} --output clusters.csv" in said
    assert f"tunewright explore classify {asked} --label stars --output labels.csv" in said


def test_every_command_of_a_page_is_one() -> None:
    """As the command line reads it, without running it. Planted: spaces and quotes in names."""
    table, options = "my 'odd' table.csv", (("column", "the text"), ("sheet", "a b"))
    known = about(table=table, options=options)
    text = page(exploration(about=known, classification=classification(("1", "2"))))
    commands = [html.unescape(found) for found in re.findall(r'data-copy="([^"]*)"', text)]
    uses = set()
    for words in map(shlex.split, commands):
        assert words[:2] == ["tunewright", "explore"]
        group = typer.main.get_command(app).commands["explore"]  # type: ignore[attr-defined]
        context = group.commands[words[2]].make_context(words[2], words[3:])
        assert str(context.params["table"]) == table
        uses.add(words[2])
    assert uses == {"clusters", "classify", "diversity", "anomalies", "report"}


def test_what_is_not_better_than_guessing_is_said() -> None:
    useless = replace(classification(("a", "b")), majority=0.72)
    rates = replace(hit_rates(), over_popularity=Interval(0.01, -0.02, 0.04))
    found = exploration(classification=useless, recommendations=rates)
    text = page(replace(found, clusters=replace(found.clusters, silhouette=0.03)))
    assert "They lie no farther apart than clusters of rows without any groups do." in text
    assert "The interval reaches down to that: the texts may say nothing of the label." in text
    assert "Not surely better than recommending what is popular." in text


def test_many_labels_are_shown_by_what_is_confused_most() -> None:
    names = tuple(f"label {number}" for number in range(40))
    text = page(exploration(400, classification=classification(names, 400)))
    assert "Confusion matrix" not in text
    assert "40 labels: the pairs that are confused most often." in text


def test_a_table_of_one_row() -> None:
    assert "1 row" in page(exploration(rows=1, topics=1))


def test_no_two_modules_use_one_name() -> None:
    """They are joined into one scope."""
    names = re.findall(
        r"^(?:async )?(?:function|class|const) (\w+)", joined("explore.js"), re.MULTILINE
    )
    assert len(names) == len(set(names)) > 50
    assert not re.search(r"^(import|export) ", joined("explore.js"), re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "most"), [(10_000, 2_000_000), (100_000, 6_000_000)])
def test_the_size_of_a_page(rows: int, most: int) -> None:
    """Texts of 80 words, 560 characters, which do not repeat each other: hardly compressible."""
    size = len(page(large(rows)).encode())
    assert 0.7 * most < size <= most


def large(rows: int) -> Exploration:
    return exploration(rows, topics=12, words=80)
