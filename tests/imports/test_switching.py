"""Old names: what answers to them, on a running server, and how that is taken back."""

from collections.abc import Iterator

import pytest

from servers import Server
from tunewright import Tunewright
from tunewright.access import Caller
from tunewright.errors import BadRequest, Forbidden, NotFound

OLD = "ft:gpt-4o-mini-2024-07-18:acme:support:9xYz"


@pytest.fixture
def tw(server: Server) -> Iterator[Tunewright]:
    """Beside the running server, as a command is."""
    tw = Tunewright(server.home)
    yield tw
    for switched in tw.models.switching.list():
        tw.catalog.shelf(tw.owner.organisation).delete(type(switched), switched.id)
    tw.close()


def ask(server: Server, model: str) -> dict:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
    return server.http.post("/chat/completions", json={**body, "max_tokens": 3}).json()


def test_a_running_server_answers_to_an_old_name_at_once_and_undoing_ends_that(
    server: Server, tuned: dict, tw: Tunewright
) -> None:
    new = tuned["fine_tuned_model"]
    assert ask(server, OLD)["error"]["code"] == "model_not_found"
    switched = tw.models.switching.switch(OLD, new)
    by_old, by_new, base = (ask(server, name) for name in (OLD, new, "builtin-chat"))
    assert by_old["model"] == OLD
    assert by_old["choices"][0]["message"] == by_new["choices"][0]["message"]
    assert by_old["system_fingerprint"] == by_new["system_fingerprint"]
    assert by_new["system_fingerprint"] == f"{base['system_fingerprint']}_{new.split(':')[-1]}"
    shown = server.http.get(f"/models/{OLD}").json()
    assert shown == {
        "id": OLD,
        "object": "model",
        "created": switched.created,
        "owned_by": "tunewright-alias",
    }
    assert shown in server.http.get("/models").json()["data"]
    assert tw.models.real_name(OLD) == new
    assert tw.models.switching.undo(OLD) is None
    assert ask(server, OLD)["error"]["code"] == "model_not_found"
    assert OLD not in [model["id"] for model in server.http.get("/models").json()["data"]]


def test_a_job_on_an_old_name_trains_the_model_that_answers_to_it(
    server: Server, tuned: dict, tw: Tunewright
) -> None:
    new = tuned["fine_tuned_model"]
    tw.models.switching.switch(OLD, new)
    job = tw.jobs.create(model=OLD, training_file=tuned["training_file"])
    assert job.model == new
    tw.jobs.cancel(job.id)


def test_a_model_that_answers_to_an_old_name_is_not_deleted(
    server: Server, tuned: dict, tw: Tunewright
) -> None:
    new = tuned["fine_tuned_model"]
    tw.models.switching.switch(OLD, new)
    for name, code in ((new, "model_in_use"), (OLD, "model_is_alias")):
        refused = server.http.delete(f"/models/{name}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, code)
        assert f"switch {OLD} --undo" in refused.json()["error"]["message"]
    assert ask(server, new)["choices"]


def test_the_switch_before_comes_back(server: Server, tuned: dict, tw: Tunewright) -> None:
    new = tuned["fine_tuned_model"]
    other = _copy(tw, new, "ft:builtin-chat:personal:other:00000000")
    switching = tw.models.switching
    switching.switch(OLD, other)
    switching.switch(OLD, new)
    assert switching.switch(OLD, new).previous == other  # a repetition changes nothing
    assert switching.undo(OLD) == other
    switching.switch(OLD, new)
    tw.models.delete(other)  # nothing answers with it now
    assert switching.undo(OLD) is None
    with pytest.raises(NotFound):
        switching.undo(OLD)


def test_what_cannot_be_switched(server: Server, tuned: dict, tw: Tunewright) -> None:
    new, switching = tuned["fine_tuned_model"], tw.models.switching
    for name in ("gpt-4o", new):
        with pytest.raises(BadRequest):
            switching.switch(name, new)
    checkpoint = tw.jobs.checkpoints(tuned["id"]).data[0].fine_tuned_model_checkpoint
    for target in ("builtin-chat", "ft:nobody", checkpoint, tuned["id"]):
        with pytest.raises(NotFound):
            switching.switch(OLD, target)
    member = Caller(tw.owner.organisation, tw.owner.name, "member")
    with pytest.raises(Forbidden):
        tw.acting(member).models.switching.switch(OLD, new)
    switching.switch(OLD, new)
    others = tw.acting(tw.access.create_organisation("others")).models
    assert others.switching.get(OLD) is None
    with pytest.raises(NotFound):
        others.retrieve(OLD)
    with pytest.raises(NotFound):
        others.switching.switch(OLD, new)


def _copy(tw: Tunewright, model: str, name: str) -> str:
    """The same weights under another name, as though another job had made them."""
    from tunewright.records.models import Model, Weights

    shelf = tw.catalog.shelf(tw.owner.organisation)
    weights = shelf.get(Weights, model)
    assert weights is not None
    shelf.put(Model(id=name, owned_by=tw.owner.name))
    shelf.put(weights.model_copy(update={"id": name, "job": "ftjob-other"}))
    return name
