"""Judging files through the platform: the failures of a tuned model."""

import json
from pathlib import Path

import pytest

from tunewright import Tunewright, samples


def test_failures_name_training_rows_near_to_them(tmp_path: Path) -> None:
    """The model answers all validation rows as expected but the last, whose question is line 1 of
    the training file in this test."""
    asked = [json.loads(row) for row in samples.VALIDATION.read_text("utf-8").splitlines()]
    expected = [row["messages"][-1]["content"] for row in asked]
    training = tmp_path / "train.jsonl"
    rows = [json.dumps(asked[-1]), *samples.CHATS.read_text("utf-8").splitlines()]
    training.write_text("\n".join(rows), "utf-8")
    tw = Tunewright(tmp_path / "home")
    try:
        answers = [*expected[:-1], "Bananas."]
        (found,) = tw.judging.failures(samples.VALIDATION, answers, training, "chat")
        assert found.lines[0] == 1
        assert "1 of 12 rows" in found.message
        with pytest.raises(ValueError, match="12 rows, 1 answers"):
            tw.judging.failures(samples.VALIDATION, answers[:1], training, "chat")
    finally:
        tw.close()
