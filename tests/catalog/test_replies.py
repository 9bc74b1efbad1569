"""Answers are kept for a while, whatever the wall clock does."""

import time
from pathlib import Path

import pytest

from tunewright.catalog.catalog import Catalog
from tunewright.catalog.replies import Replies, Reply

DAY = 86_400.0


def test_an_answer_from_a_clock_that_was_ahead_is_given_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept for ten minutes, not for a day and ten minutes."""
    kept, clock = Replies(Catalog(tmp_path / "catalog.db")), [DAY]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    kept.put("org", "id", Reply("request", 200, "{}"), 600)
    clock[0] += 599
    assert kept.get("org", "id", 600) is not None
    clock[0] = 0
    assert kept.get("org", "id", 600) is None
    kept.put("org", "id", Reply("request", 200, "{}"), 600)
    assert kept.get("org", "id", 600) is not None
