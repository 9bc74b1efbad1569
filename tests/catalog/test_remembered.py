"""What was read is remembered until the catalog changes, whoever changes it."""

from pathlib import Path

import pytest

from tunewright import Tunewright
from tunewright.errors import NotFound, Unauthorized
from tunewright.records.embeddings import EmbeddingRequest
from tunewright.records.keys import KeyRequest
from tunewright.records.models import Model, Weights

ADA = "text-embedding-ada-002"


@pytest.fixture
def tw(tmp_path: Path) -> Tunewright:
    return Tunewright(tmp_path / "home")


def test_a_revoked_key_is_refused_from_the_next_request_on(tw: Tunewright) -> None:
    for revoking in (tw, Tunewright(tw.home.root)):  # here, or in another process
        key = tw.access.create_key(tw.owner, KeyRequest(name="k", role="owner"))
        assert tw.access.known(key.value) is None, "never asked for"
        assert tw.access.caller(key.value) == tw.owner
        assert tw.access.known(key.value) == tw.owner
        revoking.access.revoke_key(key.id)
        assert tw.access.known(key.value) is None
        with pytest.raises(Unauthorized):
            tw.access.caller(key.value)
        assert tw.access.known(key.value) is None, "what is not there is not remembered"


def test_a_key_that_expires_is_known_no_longer(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tw.access.create_key(tw.owner, KeyRequest(name="k", expires_in_seconds=60))
    assert tw.access.caller(key.value) == tw.access.known(key.value)
    monkeypatch.setattr("tunewright.access.now", lambda: key.created_at + 60)
    assert tw.access.known(key.value) is None


def test_a_name_stands_for_what_it_stands_for_now(tw: Tunewright) -> None:
    other = Tunewright(tw.home.root)
    own = Weights.model_validate(tw.models.weights(ADA, ("embedding",)).wire() | {"id": "ft:one"})
    with pytest.raises(NotFound):
        tw.models.weights("ft:one", ("embedding",))
    other.shelf.put(Model(id="ft:one", owned_by="personal"))
    other.shelf.put(own)
    assert tw.models.weights("ft:one", ("embedding",)) == own
    assert tw.models.at_hand("ft:one", "embedding") == own
    assert tw.models.at_hand("ft:one", "chat") is None
    stranger = tw.acting(tw.access.create_organisation("stranger"))
    assert stranger.models.at_hand("ft:one", "embedding") is None
    with tw.catalog.transaction():
        tw.shelf.delete(Weights, "ft:one")
        assert tw.models._weights("ft:one") is None, "before it is committed"
        assert tw.models.at_hand("ft:one", "embedding") is None
    assert tw.models._weights("ft:one") is None


def test_a_short_request_whose_model_is_open_needs_no_thread(tw: Tunewright) -> None:
    short = EmbeddingRequest.parse({"model": ADA, "input": ["a cat", "sat"]})
    assert tw.embeddings.at_once(short) is None, "the model is not open"
    expected = tw.embeddings.embed(short)
    prepared = tw.embeddings.at_once(short)
    assert prepared is not None
    assert (prepared.embedded().vectors == expected.vectors).all()
    for given in ("a cat " * 100, [[5, 6]]):
        assert tw.embeddings.at_once(EmbeddingRequest.parse({"model": ADA, "input": given})) is None
    tw.close()
