"""`examples/`, run as a user runs them, against a server: with today's SDK and with openai 0.28."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from servers import DATA, REPOSITORY, Server
from tunewright import samples

BATCH = "batch_reviews.py"
EXAMPLES = {
    "embed_food_reviews.py": "3.54.0",
    "embed_food_reviews_0_28.py": "0.28.1",
}
REVIEWS = DATA / "fine_food_reviews_1k.csv"
# The interpreter of the tests has pandas, those of the SDKs have the SDK.
RUN = """
import runpy, sys
sys.path.append(sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def run(example: str, server: Server, source: Path, target: Path) -> str:
    [packages] = (REPOSITORY / ".sdk" / EXAMPLES.get(example, "3.54.0")).glob(
        "lib/python*/site-packages"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-c", RUN, str(packages)),
            *(str(REPOSITORY / "examples" / example), str(source), str(target)),
        ],
        env={**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_reviews(path: Path) -> None:
    """The shipped reviews as the guide's table has them, with a row for each thing to leave out."""
    with samples.REVIEWS.open(newline="", encoding="utf-8") as file:
        rows = [
            {"Id": at, "Time": 1_000 - at, "Summary": row["product"], "Text": row["text"]}
            for at, row in enumerate(csv.DictReader(file))
        ]
    rows.append({"Id": 98, "Time": 2_000, "Summary": "Too long", "Text": "tea " * 8_500})
    rows.append({"Id": 99, "Time": 2_001, "Summary": "No text", "Text": ""})
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_recipe(server: Server, tmp_path: Path, example: str) -> None:
    source, target = tmp_path / "reviews.csv", tmp_path / "out.csv"
    write_reviews(source)
    said = run(example, server, source, target)
    assert said.startswith("40 reviews of ")
    assert "384 dimensions" in said
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["Time"]) for row in rows] == sorted(int(row["Time"]) for row in rows)
    assert rows[-1]["combined"].startswith("Title: Harbourlight Dark Roast Coffee; Content: Far")
    answer = server.http.post(
        "/embeddings", json={"model": "text-embedding-ada-002", "input": rows[0]["combined"]}
    ).json()
    expected = answer["data"][0]["embedding"]
    np.testing.assert_allclose(eval(rows[0]["embedding"]), expected, atol=1e-5)


def test_a_question_about_each_review(server: Server, tmp_path: Path) -> None:
    source, target = tmp_path / "reviews.csv", tmp_path / "out.csv"
    write_reviews(source)
    said = run(BATCH, server, source, target)
    with target.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    long = [row for row in rows if not row["answer"]]
    assert [row["Summary"] for row in long] == ["Too long"]
    assert '"code":"context_length_exceeded"' in said, "the reason is told"
    assert said.endswith("completed: 40 answers for 41 reviews\n")


@pytest.mark.slow
@pytest.mark.skipif(not REVIEWS.is_file(), reason=f"{REVIEWS} is not here")
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_recipe_with_the_reviews_of_the_guide(
    server: Server, tmp_path: Path, example: str
) -> None:
    said = run(example, server, REVIEWS, tmp_path / "out.csv")
    assert said.startswith("1000 reviews of ")


EXPLORED = {  # what each finds out about the guide's reviews, whatever the processor
    "search": r"'the package arrived broken':\n(  0\.\d\d  line \d+: .+\n){3}like line \d+:\n",
    "clusters": r"\d+ clusters of 1000 reviews, silhouette 0\.\d\d\n(.*\n)*.* stable: .*coffee",
    "recommendations": r"liked: lines \[\d+, \d+\], disliked: green tea\n(  0\.\d\d  B.+\n){5}",
    "anomalies": r"10 of 1000 reviews\n(  line \d+, 0\.\d\d from its 10 nearest rows, .+\n){5}",
    "diversity": r"(?s)mean distance 0\.6.*near-duplicates of another\n  lines \[468, 576, 605\]: ",
    "classification": r"area under the ROC curve 0\.9.*\naccuracy 0\.9",
}


@pytest.fixture(scope="module")
def explored_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home: the reviews are embedded once."""
    return tmp_path_factory.mktemp("explored")


@pytest.mark.slow
@pytest.mark.skipif(not REVIEWS.is_file(), reason=f"{REVIEWS} is not here")
@pytest.mark.parametrize("use", EXPLORED)
def test_what_embeddings_are_for(explored_home: Path, use: str) -> None:
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "examples" / f"explore_{use}.py"), str(REVIEWS)],
        env={**os.environ, "TUNEWRIGHT_HOME": str(explored_home)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.match(EXPLORED[use], done.stdout), done.stdout
