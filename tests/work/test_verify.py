"""The files of an organisation's models are held against what was written, by a task."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewright import durable
from tunewright.app import Acting, Tunewright
from tunewright.catalog.catalog import SHARED
from tunewright.records.models import Model, Weights
from tunewright.work import worker
from tunewright.work.worker import Worker

BEGUN: dict = {}
BASES = 4  # the built-in ones


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    made = Tunewright(tmp_path / "home")
    yield made
    made.close()


def model(tw: Tunewright, acting: Acting, name: str) -> Path:
    """An adapter on the built-in base that answers to `name`; its directory."""
    base = tw.catalog.shelf(SHARED).get(Weights, "builtin-chat")
    assert base is not None
    directory = tw.home.models / name
    with durable.directory(directory, {"job": name}) as folder:
        (folder / "adapter_model.safetensors").write_bytes(name.encode() * 100)
    place = str(directory.relative_to(tw.home.root))
    update = {"id": name, "directory": place, "adaptation": "lora", "job": f"ftjob-{name}"}
    acting.shelf.put(base.model_copy(update=update))
    acting.shelf.put(Model(id=name, owned_by=acting.caller.name))
    return directory


def work(tw: Tunewright) -> str | None:
    """Do one task; its kind."""
    task = tw.tasks.lease("tidy", "one")
    if task is None:
        return None
    Worker(tw, "one")._do(task, BEGUN)
    return task.kind


def test_a_changed_file_is_found_and_named(tw: Tunewright) -> None:
    acting = tw.acting(tw.owner)
    _, bad, gone = (model(tw, acting, name) for name in ("sound", "bad", "gone"))
    file = bad / "adapter_model.safetensors"
    file.write_bytes(b"B" + file.read_bytes()[1:])
    durable.remove(gone)
    made = acting.verifications.create()
    assert made.status == "queued"
    while work(tw):
        pass
    found = acting.verifications.retrieve(made.id)
    assert found.status == "done"
    assert found.checked == found.models == BASES + 3
    problems = {damage.model: damage.problem for damage in found.damaged}
    assert set(problems) == {"bad", "gone"}
    assert "adapter_model.safetensors has changed since it was written" in problems["bad"]
    assert str(gone) in problems["gone"]


def test_another_base_under_the_same_name_is_found(tw: Tunewright) -> None:
    acting = tw.acting(tw.owner)
    model(tw, acting, "tuned")
    acting.shelf.change(
        Weights, "tuned", lambda w: w.model_copy(update={"base_fingerprint": "0" * 16})
    )
    made = acting.verifications.create()
    while work(tw):
        pass
    (damage,) = acting.verifications.retrieve(made.id).damaged
    assert damage.model == "tuned"
    assert "0" * 16 in damage.problem


def test_what_is_urgent_goes_in_between_and_nothing_is_read_twice(tw: Tunewright) -> None:
    """A removal of the same organisation, and the next organisation's verification."""
    mine, other = tw.acting(tw.owner), tw.acting(tw.access.create_organisation("other"))
    made, its = mine.verifications.create(), other.verifications.create()
    file = mine.files.create(file=b"{}\n", purpose="fine-tune", filename="a.jsonl")
    assert mine.verifications.retrieve(made.id).models == 0
    mine.removals.order_file(file.id)
    assert [work(tw), work(tw)] == ["remove-file", "verify"], "an organisation's own order"
    checked = [mine.verifications.retrieve(made.id).checked]
    checked.append(other.verifications.retrieve(its.id).checked)
    assert sum(checked) == 1, "one model, then somebody else's turn"
    kinds = []
    while kind := work(tw):
        kinds.append(kind)
    assert mine.verifications.retrieve(made.id).status == "done"
    assert other.verifications.retrieve(its.id).status == "done"
    assert kinds.count("verify") > 2, "they took turns"


def test_one_that_ends_its_worker_again_and_again_is_given_up(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0)
    acting = tw.acting(tw.owner)

    def dies(*_: object) -> None:
        raise SystemError("read error")

    monkeypatch.setattr(type(acting.verifications), "carry_out", dies)
    made = acting.verifications.create()
    while work(tw):
        pass
    found = acting.verifications.retrieve(made.id)
    assert found.status == "failed"
    assert found.error is not None
    assert "3 times in a row" in found.error


def test_a_new_one_takes_the_place_of_those_before(tw: Tunewright) -> None:
    acting = tw.acting(tw.owner)
    acting.verifications.create()
    made = acting.verifications.create()
    assert work(tw) == "verify"
    assert work(tw) is None
    assert acting.verifications.retrieve(made.id).status == "done"
