"""Failures of a tuned model, in clusters, with the training rows that lie nearest."""

import pytest

from quality.measuring import EMBEDDER, embedded
from quality.planted import chat
from tunewright.evaluation import failures

BIKES = ["the chain squeaks", "my brake is loose", "a flat tyre", "the saddle is too high"]
COOKING = ["how to boil rice", "bake a sponge cake", "fry an onion", "season a soup"]
TRAINING = embedded([chat(f"Bicycle repair: {text}", "fix it") for text in BIKES])


def test_a_cluster_far_from_training_asks_for_rows_and_a_near_one_names_them() -> None:
    """All is answered rightly except two rows of cooking, of which training has nothing."""
    asked = [f"Bicycle repair: {text}" for text in BIKES] + COOKING[:2]
    expected = embedded([chat(text, "fix it") for text in asked])
    answers = ["Fix it."] * 4 + ["no idea"] * 2
    given = EMBEDDER.embed(answers).vectors
    (far,) = failures.find(expected, answers, given, TRAINING)
    assert "2 of 6 rows (33 %)" in far.message
    assert "add such rows" in far.remedy
    answers[2], answers[4:] = "ride on", ["fix it", "fix it"]
    (near,) = failures.find(expected, answers, EMBEDDER.embed(answers).vectors, TRAINING)
    assert near.lines[0] == 3
    assert "these training rows" in near.remedy


def test_nothing_failed() -> None:
    answers = ["fix it"] * len(TRAINING)
    assert failures.find(TRAINING, answers, TRAINING.answered, TRAINING) == []


def test_as_many_answers_as_rows() -> None:
    with pytest.raises(ValueError, match="4 rows, 1 answers"):
        failures.find(TRAINING, ["fix it"], TRAINING.answered[:1], TRAINING)
