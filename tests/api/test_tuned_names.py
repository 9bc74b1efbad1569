"""The two names of a tuned model: what its job asked for, and the one with the real base in it."""

from pathlib import Path
from typing import Any

import pytest

from servers import Server, chats
from tunewright import Tunewright
from tunewright.answering.model import plain_name
from tunewright.errors import BadRequest, NotFound
from tunewright.records.models import Model, Start, Weights
from tunewright.resources.naming import asked_part, put_named
from tunewright.settings import Settings


def by_base(name: str) -> str:
    return name.replace("ft:gpt-3.5-turbo:", "ft:builtin-chat:")


def ask(server: Server, model: str, **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "temperature": 0}
    return server.http.post("/chat/completions", json={**body, "max_tokens": 4, **more})


def test_a_model_and_its_checkpoints_answer_to_both_names(server: Server, tuned: dict) -> None:
    name = tuned["fine_tuned_model"]
    assert name.startswith("ft:gpt-3.5-turbo:personal:tests:")
    assert tuned["model"] == "builtin-chat"
    for asked in (name, f"{name}:ckpt-step-3"):
        first, other = ask(server, asked).json(), ask(server, by_base(asked)).json()
        assert (first["model"], other["model"]) == (asked, by_base(asked))
        assert first["choices"] == other["choices"]
        assert first["system_fingerprint"] == other["system_fingerprint"]
        for known in (asked, by_base(asked)):
            model = server.http.get(f"/models/{known}").json()
            assert (model["id"], model["owned_by"]) == (known, "personal")
    listed = [model["id"] for model in server.http.get("/models").json()["data"]]
    assert listed.count(name) == 1
    assert by_base(name) not in listed
    for wrong in ("gpt-4o", "builtin-completion"):
        assert ask(server, name.replace("gpt-3.5-turbo", wrong)).status_code == 404


def test_ids_of_another_vocabulary_are_refused_under_the_name_that_hides_the_base(
    server: Server, tuned: dict
) -> None:
    name = tuned["fine_tuned_model"]
    refused = ask(server, name, logit_bias={"36": 1}).json()["error"]
    assert refused["code"] == "foreign_token_ids"
    assert f"model='{by_base(name)}'" in refused["message"]
    assert ask(server, by_base(name), logit_bias={"36": 1}).status_code == 200


def test_permissions_are_the_same_by_both_names(server: Server, tuned: dict) -> None:
    name = f"{tuned['fine_tuned_model']}:ckpt-step-6"
    url, other = (f"/fine_tuning/checkpoints/{n}/permissions" for n in (name, by_base(name)))
    before = server.http.get(url).json()["data"]
    made = server.http.post(url, json={"project_ids": ["proj_n"]}).json()["data"]
    assert [each for each in server.http.get(other).json()["data"] if each not in before] == made
    assert server.http.delete(f"{other}/{made[0]['id']}").status_code == 200
    assert server.http.get(url).json()["data"] == before


def test_a_job_is_named_by_what_it_asked_for(server: Server, tuned: dict) -> None:
    """Named when it is made: what a later setting says changes no job."""
    name, first = tuned["fine_tuned_model"], Tunewright(server.home)
    second = Tunewright(settings=Settings.read(server.home, tuned_names="base"))
    given = {"training_file": tuned["training_file"]}
    for tw, asked, part in [
        (first, "gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
        (first, "builtin-chat", "builtin-chat"),
        (first, name, "gpt-3.5-turbo"),
        (first, by_base(name), "builtin-chat"),
        (first, f"{name}:ckpt-step-3", "gpt-3.5-turbo"),
        (second, "gpt-4o-mini", None),
        (second, name, None),
    ]:
        job = tw.jobs.create(model=asked, **given)
        start = tw.catalog.shelf(tw.owner.organisation).get(Start, job.id)
        tw.jobs.cancel(job.id)
        assert start is not None
        assert start.asked == part, asked
    first.close()
    second.close()


def test_names_that_a_name_cannot_hold() -> None:
    assert asked_part("ours:chat") is None
    assert asked_part("my model") is None
    assert asked_part("ft:gpt-4o:acme:x:1:ckpt-step-3") == "gpt-4o"
    assert asked_part("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"


@pytest.fixture
def tw(tmp_path: Path) -> Tunewright:
    return Tunewright(tmp_path / "home")


def put(tw: Tunewright, name: str, **fields: Any) -> Weights:
    base = tw.models.weights("builtin-chat", ("chat",))
    weights = base.model_copy(update={"id": name, "adaptation": "lora", **fields})
    shelf = tw.catalog.shelf(tw.owner.organisation)
    put_named(shelf, weights)
    if weights.step is None:
        shelf.put(Model(id=name, owned_by=tw.owner.name))
    return weights


def test_deleting_by_either_name_takes_both_and_the_checkpoints(tw: Tunewright) -> None:
    for kind in ("first", "other"):
        name = f"ft:gpt-4o:personal:x:{kind}"
        put(tw, name, job=kind)
        put(tw, f"{name}:ckpt-step-1", job=kind, step=1)
        other = name.replace("gpt-4o", "builtin-chat")
        given = name if kind == "first" else other
        assert tw.models.delete(given).id == given
        for gone in (name, other, f"{name}:ckpt-step-1", f"{other}:ckpt-step-1"):
            with pytest.raises(NotFound):
                tw.models.retrieve(gone)


def test_models_of_version_0_1_keep_their_name(tw: Tunewright) -> None:
    """It had the real base in it, and no other name."""
    old = put(tw, "ft:builtin-chat:personal:old:12345678", job="ftjob-old")
    assert tw.models.weights(old.id, ("chat",)) == old
    assert plain_name(old) == old.id
    with pytest.raises(NotFound):
        tw.models.retrieve("ft:gpt-3.5-turbo:personal:old:12345678")


def test_a_switch_and_an_alias_take_either_name(tmp_path: Path) -> None:
    name, other = "ft:gpt-4o:personal:x:1", "ft:builtin-chat:personal:x:1"
    aliases = {"ours": name, "theirs": other, "gpt-4o": "builtin-chat"}
    tw = Tunewright(settings=Settings.read(tmp_path / "home", aliases=aliases))
    put(tw, name, job="ftjob-x")
    assert tw.models.switching.switch("ft:davinci:acme::9", other).target == name
    for taken in (name, other):
        with pytest.raises(BadRequest, match="already"):
            tw.models.switching.switch(taken, name)
    for asked in ("ours", "theirs", "ft:davinci:acme::9", name, other):
        assert tw.models.weights(asked, ("chat",)).id == name
        assert tw.models.retrieve(asked).id == asked
        assert plain_name(tw.models.weights(asked, ("chat",))) == other
    assert {"ours", "theirs"} <= {model.id for model in tw.models.list().data}
    with pytest.raises(BadRequest, match="answers as"):
        tw.models.delete(other)


def test_another_organisation_knows_neither_name(tw: Tunewright) -> None:
    put(tw, "ft:gpt-4o:personal:x:1", job="ftjob-x")
    others = tw.acting(tw.access.create_organisation("others")).models
    for name in ("ft:gpt-4o:personal:x:1", "ft:builtin-chat:personal:x:1"):
        with pytest.raises(NotFound):
            others.retrieve(name)


@pytest.mark.slow
def test_a_setting_names_models_by_their_base(new_server: Any) -> None:
    server = new_server(TUNEWRIGHT_TUNED_NAMES="base")
    job = server.job(
        model="gpt-3.5-turbo",
        training_file=server.upload(chats(10)),
        hyperparameters={"n_epochs": 1},
    )
    assert server.wait(job["id"])["fine_tuned_model"].startswith("ft:builtin-chat:personal::")


def test_answers_and_jobs_say_what_answers_and_warn_of_a_built_in_base(
    server: Server, tuned: dict
) -> None:
    name = tuned["fine_tuned_model"]
    for stream in (False, True):
        for asked, model in [
            ("gpt-4o-mini", "builtin-chat"),
            ("builtin-chat", "builtin-chat"),
            (f"{name}:ckpt-step-3", f"{by_base(name)}:ckpt-step-3"),
        ]:
            told = ask(server, asked, stream=stream).headers
            assert told["tunewright-model"] == model
            warned = told.get("tunewright-warning", "")
            assert ("builtin-chat, a tiny built-in model" in warned) == (asked != model)
    body = {"model": "davinci-002", "prompt": "Hi", "max_tokens": 1}
    told = server.http.post("/completions", json=body).headers
    assert told["tunewright-model"] == "builtin-completion"
    body = {"model": "text-embedding-3-small", "input": "Hi"}
    told = server.http.post("/embeddings", json=body).headers
    assert told["tunewright-model"] == "builtin-mini"
    assert "of English" in told["tunewright-warning"]

    second = server.events(tuned["id"])[1]
    assert second["level"] == "warn"
    assert second["message"].startswith("gpt-3.5-turbo: answered by builtin-chat, a tiny")
    assert second["data"] == {"base": "builtin-chat"}
