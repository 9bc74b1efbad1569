"""Organisations, keys and roles, without a server."""

from dataclasses import replace

import pytest

from tunewright import Tunewright
from tunewright.access import Caller
from tunewright.errors import Forbidden, NotFound
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
