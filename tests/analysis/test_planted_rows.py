"""Anomalies and near-duplicates planted among 1,000 food reviews are found, and no others."""

import csv

import numpy as np
import pytest

from analysis.planted_among_reviews import ANOMALIES, EDITS, TWICE, edited
from servers import needs_data
from tunewright.analysis.anomalies import anomalies
from tunewright.analysis.knn import quiet
from tunewright.builtin import ROOT
from tunewright.embedding import open_embedder
from tunewright.resources.near_duplicates import near_duplicates


@pytest.fixture(scope="module")
def reviews() -> list[str]:
    with needs_data("fine_food_reviews_1k.csv").open(encoding="utf-8", newline="") as file:
        return [row["Text"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("model", "least"),
    [("static", 0.9), pytest.param("mini", 1.0, marks=pytest.mark.slow)],  # 17 s of the processor
)
def test_planted_rows_are_found_and_no_others(reviews: list[str], model: str, least: float) -> None:
    copies = edited(reviews, 50)
    assert {kind for _, kind, _ in copies} == {edit.__name__ for edit in EDITS}
    texts = [*reviews, *ANOMALIES, *(text for _, _, text in copies)]
    vectors = open_embedder(ROOT / model).embed(texts).vectors

    odd = vectors[:1020]
    found = anomalies(odd, share=20 / 1020, groups=near_duplicates(texts[:1020], odd, None, quiet))
    assert sum(each.row >= 1000 for each in found.found[:20]) / 20 >= least

    rows = np.concatenate([np.arange(1000), np.arange(1020, 1070)])
    groups = near_duplicates([texts[row] for row in rows], vectors[rows], None, quiet)
    pairs = {(place, 1000 + at) for at, (place, _, _) in enumerate(copies)}
    assert all(groups.of[one] == groups.of[other] for one, other in pairs)
    real = {(one, other) for group in TWICE for one in group for other in group if one < other}
    for group in groups.groups:
        known = {(one, other) for one in group for other in group if one < other} & (pairs | real)
        assert len(known) >= len(group) - 1, group
