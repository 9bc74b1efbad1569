"""docs/explore.png: the first screen of a report, as Chromium shows it.

    python docs/explore.py

The table is written for the tests (`tests/analysis/planted_topics.py`): five topics of 40 rows
each, with a column that says the topic. Planted: one label of twenty is another's, and eight rows
are there once more with a word changed.
"""

import csv
import random
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "analysis")]

from planted_topics import TOPICS, planted  # noqa: E402

from pages.chromium import chromium  # noqa: E402

NAMES = [topic.named.split()[0] for topic in TOPICS]


def rows() -> list[tuple[str, str]]:
    """(text, topic), in an order that says nothing."""
    texts, topics = planted()
    draw = random.Random(0)
    found = [
        (text, NAMES[int(topic) if draw.random() >= 0.05 else draw.randrange(len(NAMES))])
        for text, topic in zip(texts, topics, strict=True)
    ]
    again = [(f"{text} Thanks.", topic) for text, topic in draw.sample(found, 8)]
    return draw.sample([*found, *again], len(found) + len(again))


def main() -> None:
    with TemporaryDirectory() as folder:
        table, report = Path(folder) / "questions.csv", Path(folder) / "report.html"
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "topic"), *rows()])
        explore = [sys.executable, "-m", "tunewright", "explore", "report", table.name]
        asked = ["--column", "text", "--label", "topic", "--model", "builtin-mini"]
        subprocess.run([*explore, *asked, "--output", report.name], check=True, cwd=folder)
        with chromium() as page:
            page.open(report, 1280, 1490)
            page.wait("document.querySelectorAll('#names button:not([hidden])').length > 0")
            page.run("new Promise((done) => setTimeout(done, 500))")
            page.picture(HERE / "explore.png")


if __name__ == "__main__":
    main()
