"""Organisations, keys and roles, without a server."""

from dataclasses import replace

import pytest

from tunewright import Tunewright
from tunewright.access import Caller
from tunewright.errors import BadRequest, Forbidden, NotFound, Unauthorized
from tunewright.records.keys import KeyRequest
from tunewright.records.models import Model


@pytest.fixture
def tw(tmp_path):
    tw = Tunewright(tmp_path / "home")
    yield tw
    tw.close()


def test_only_an_owner_of_its_organisation_deletes_a_model(tw):
    owner = tw.owner
    tw.catalog.shelf(owner.organisation).put(Model(id="ft:one", owned_by=owner.name))
    with pytest.raises(NotFound):
        tw.acting(Caller("org-other", "other")).models.delete("ft:one")
    with pytest.raises(NotFound):
        tw.acting(Caller("org-other", "other", "member")).models.delete("ft:one")
    with pytest.raises(Forbidden, match="insufficient permissions") as refused:
        tw.acting(replace(owner, role="member")).models.delete("ft:one")
    assert refused.value.status == 403
    assert tw.models.retrieve("ft:one").id == "ft:one"
    assert tw.models.delete("ft:one").deleted


def test_organisations_have_names_that_models_can_carry(tw):
    acme = tw.access.create_organisation("acme")
    assert [o.name for o in tw.access.organisations()] == ["personal", "acme"]
    assert tw.access.organisation("acme") == tw.access.of_organisation(acme.organisation) == acme
    for name in ("acme", "", "Acme", "a/b", "-a", "a:b", "a" * 33):
        with pytest.raises(BadRequest):
            tw.access.create_organisation(name)
    with pytest.raises(NotFound):
        tw.access.organisation("none")


def test_a_key_is_its_organisations_until_it_expires_or_is_revoked(tw, monkeypatch):
    acme = tw.access.create_organisation("acme")
    member = tw.access.create_key(acme, KeyRequest(name="m", role="member"))
    short = tw.access.create_key(acme, KeyRequest(name="s", expires_in_seconds=60))
    assert tw.access.caller(member.value) == replace(acme, role="member")
    assert tw.access.caller(short.value) == acme
    assert tw.access.keys(tw.owner) == []
    everybodys = tw.access.keys()
    assert [key.name for key in everybodys] == ["m", "s"]
    tw.access.revoke_key(member.id)
    monkeypatch.setattr("tunewright.access.now", lambda: short.created_at + 60)
    for key in (member.value, short.value, "", "sk-tw-\udcff", "ä" * 40):
        with pytest.raises(Unauthorized):
            tw.access.caller(key)
    with pytest.raises(NotFound):
        tw.access.revoke_key(member.id)
