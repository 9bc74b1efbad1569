"""What Artefacts must do. Another back end is one more parameter."""

import re
from pathlib import Path

import pytest

from servers import REPOSITORY
from tunewright import durable
from tunewright.artefacts import (
    Artefacts,
    base_place,
    checkpoint_place,
    is_of_a_job,
    model_place,
    start_place,
)
from tunewright.errors import Corrupt
from tunewright.home import Home

PLACE = model_place("a1")


@pytest.fixture
def artefacts(tmp_path: Path) -> Artefacts:
    return Artefacts(Home(tmp_path / "home"))


def staged(artefacts: Artefacts, text: str) -> Path:
    path = artefacts.staging(PLACE)
    with durable.directory(path) as filling:
        (filling / "weights").write_text(text)
    return path


def test_published_it_is_whole_and_the_first_one_stays(artefacts: Artefacts) -> None:
    first, second = staged(artefacts, "first"), staged(artefacts, "second")
    assert not artefacts.exists(PLACE)
    artefacts.publish(first, PLACE)
    artefacts.publish(second, PLACE)
    artefacts.publish(second, PLACE)  # once more, after a crash: what it had is gone already
    assert (artefacts.path(PLACE) / "weights").read_text() == "first"
    assert [path.name for path in artefacts.path(PLACE).parent.iterdir()] == ["a1"]
    artefacts.verify(PLACE)
    (artefacts.path(PLACE) / "weights").write_text("third")
    with pytest.raises(Corrupt, match="weights"):
        artefacts.verify(PLACE)


def test_one_that_another_process_publishes_at_that_moment_stays(
    artefacts: Artefacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = staged(artefacts, "first"), staged(artefacts, "second")
    move = durable.move_unless_there

    def late(source: Path, target: Path) -> bool:
        monkeypatch.undo()
        artefacts.publish(first, PLACE)
        return move(source, target)

    monkeypatch.setattr(durable, "move_unless_there", late)
    artefacts.publish(second, PLACE)
    assert (artefacts.path(PLACE) / "weights").read_text() == "first"
    assert not second.exists()


def test_linked_it_stays_when_the_first_is_removed(artefacts: Artefacts) -> None:
    artefacts.publish(staged(artefacts, "kept"), PLACE)
    fingerprint, start = artefacts.fingerprint(PLACE), start_place("ftjob-1", "adapter")
    artefacts.link(PLACE, start)
    for _ in range(2):
        artefacts.remove(PLACE)
        assert not artefacts.exists(PLACE)
    assert artefacts.fingerprint(start) == fingerprint
    artefacts.verify(start)
    with pytest.raises(FileNotFoundError):
        artefacts.link(PLACE, start_place("ftjob-2", "adapter"))
    artefacts.remove(start_place("ftjob-1"))
    assert not artefacts.exists(start)


@pytest.mark.parametrize("place", ["", ".", "..", "../other", "models/../../other", "/etc"])
def test_a_place_that_leads_out_is_refused_and_untouched(
    artefacts: Artefacts, tmp_path: Path, place: str
) -> None:
    with durable.directory(tmp_path / "other") as filling:
        (filling / "weights").write_text("mine")
    for touch in (
        artefacts.path,
        artefacts.exists,
        artefacts.staging,
        artefacts.verify,
        artefacts.fingerprint,
        artefacts.remove,
        lambda place: artefacts.link(place, PLACE),
        lambda place: artefacts.link(PLACE, place),
        lambda place: artefacts.publish(tmp_path / "other", place),
    ):
        with pytest.raises(Corrupt):
            touch(place)
    assert durable.verify(tmp_path / "other")


def test_places_are_those_that_records_of_0_1_hold() -> None:
    """A place that is made otherwise would not be found where it is."""
    assert base_place("Qwen/Qwen3-0.6B", "0" * 16) == f"bases/Qwen--Qwen3-0.6B-{'0' * 16}"
    assert model_place("a4d5") == "models/a4d5"
    assert checkpoint_place("ftjob-1", "checkpoints/step-2") == "jobs/ftjob-1/checkpoints/step-2"
    assert start_place("ftjob-1", "base") == "jobs/ftjob-1/start/base"
    assert is_of_a_job(start_place("ftjob-1", "base"))
    assert not is_of_a_job(base_place("jobs", "0"))
    for foreign in ("../x", "a/b", ""):
        for made in (model_place, start_place):
            with pytest.raises(ValueError, match="not a name"):
                made(foreign)


def test_nobody_else_makes_paths_of_places() -> None:
    by_hand = re.compile(r"home\.(models|bases) /|home\.inside\(|relative_to\([\w.]*home\.root\)")
    source = REPOSITORY / "src" / "tunewright"
    found = {path.name for path in source.rglob("*.py") if by_hand.search(path.read_text("utf-8"))}
    assert found == {"artefacts.py"}
