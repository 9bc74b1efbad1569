"""The library's object: what a program may name of it, and for whom it acts."""

from pathlib import Path

import pytest

from tunewright import Tunewright
from tunewright.app import Acting
from tunewright.errors import NotFound

# Programs hold these names: one that goes breaks them.
OF_EVERY_CALLER = {
    "caller", "chat", "checking", "completions", "counting", "embeddings", "estimating",
    "failures", "files", "jobs", "judging", "keys", "models", "permissions", "quota", "removals",
    "shelf", "uploads", "verifications",
}  # fmt: skip
OF_THE_PLATFORM = {
    "access", "acting", "add_base", "bases", "blobs", "catalog", "close", "embedder", "encoding",
    "engine", "home", "num_tokens_from_string", "owner", "processes", "renderer", "rows",
    "settings", "start", "tasks", "usage", "vocabulary",
}  # fmt: skip


@pytest.fixture
def tw(tmp_path: Path) -> Tunewright:
    return Tunewright(tmp_path / "home")


def public(made: object) -> set[str]:
    return {name for name in dir(made) if not name.startswith("_") and hasattr(made, name)}


def test_the_public_names_stay(tw: Tunewright) -> None:
    other = tw.acting(tw.access.create_organisation("other"))
    assert public(other) >= OF_EVERY_CALLER
    assert public(tw) >= OF_EVERY_CALLER | OF_THE_PLATFORM


def test_the_library_acts_for_its_operator_and_for_whom_it_is_asked_to(tw: Tunewright) -> None:
    made = tw.files.create(file=b'{"prompt": "a", "completion": "b"}\n', purpose="fine-tune")
    assert isinstance(tw, Acting)
    assert tw.caller == tw.owner
    assert tw.acting(tw.owner).files.retrieve(made.id) == made
    other = tw.acting(tw.access.create_organisation("other"))
    with pytest.raises(NotFound):
        other.files.retrieve(made.id)
    assert other.jobs is other.jobs, "a use case is made once for a caller"
    assert other.jobs is not tw.jobs
