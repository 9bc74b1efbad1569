"""From an old account to jobs of this home, and to a model that answers."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from imports.elsewhere import KEY, Elsewhere
from servers import chats, start_server
from tunewright import Tunewright
from tunewright.imports import Archive, Replay, Source, fetch, replay
from tunewright.imports.bases import suggestions

OLD = {
    "id": "ftjob-old",
    "status": "succeeded",
    "model": "gpt-3.5-turbo-0125",
    "fine_tuned_model": "ft:gpt-3.5-turbo-0125:acme:mine:abc",
    "training_file": "file-train",
    "validation_file": "file-valid",
    "user_provided_suffix": "mine",
    "seed": 5,
    "trained_tokens": 4321,
    "metadata": {"team": "support"},
    "hyperparameters": {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 2.0},
    "method": {
        "type": "supervised",
        "supervised": {
            "hyperparameters": {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 2.0}
        },
    },
}


def _account() -> Elsewhere:
    made = Elsewhere()
    files = {
        "file-train": chats(12),
        "file-valid": chats(3),
        "file-bad": b'{"messages": []}\n' * 10,
    }
    for id, content in files.items():
        made.add("/files", {"id": id, "purpose": "fine-tune", "filename": f"{id}.jsonl"})
        made.bodies[f"/files/{id}/content"] = content
    for job in (
        OLD,
        {**OLD, "id": "ftjob-failed", "status": "failed"},
        {**OLD, "id": "ftjob-bad", "training_file": "file-bad"},
        {**OLD, "id": "ftjob-gone", "training_file": "file-gone"},
        {**OLD, "id": "ftjob-rft", "method": {"type": "reinforcement"}},
    ):
        made.add("/fine_tuning/jobs", job)
        for part in ("events", "checkpoints"):
            made.lists[f"/fine_tuning/jobs/{job['id']}/{part}"] = []
    return made


@pytest.fixture
def tw(tmp_path: Path) -> Iterator[Tunewright]:
    tw = Tunewright(tmp_path / "home")
    yield tw
    tw.close()


@pytest.fixture
def archive(tw: Tunewright) -> Iterator[Archive]:
    elsewhere = _account()
    archive = Archive.of(tw.home.imports, elsewhere.url)
    with Source(KEY, elsewhere.url) as source:
        assert not [line for line in fetch(source, archive) if line.state == "failed"]
    yield archive
    elsewhere.close()


def lines(tw: Tunewright, archive: Archive, base: str | None, **more: object) -> dict[str, Replay]:
    return {line.job: line for line in replay(tw, archive, base, **more)}


def test_old_jobs_become_jobs_here_once(tw: Tunewright, archive: Archive) -> None:
    would = lines(tw, archive, "builtin-chat", dry_run=True)["ftjob-old"]
    assert (would.state, would.examples, would.old_tokens) == ("would be created", 12, 4321)
    assert not tw.jobs.list().data
    made = lines(tw, archive, "builtin-chat")
    assert set(made) == {"ftjob-old", "ftjob-bad", "ftjob-gone", "ftjob-rft"}
    [job] = tw.jobs.list().data
    assert made["ftjob-old"].new_job == job.id
    assert (job.seed, job.user_provided_suffix) == (5, "mine")
    assert job.hyperparameters.model_dump() == {
        "n_epochs": 2,
        "batch_size": "auto",
        "learning_rate_multiplier": "auto",
    }
    assert job.metadata == {
        "team": "support",
        "openai_job": "ftjob-old",
        "openai_model": "gpt-3.5-turbo-0125",
        "openai_fine_tuned_model": "ft:gpt-3.5-turbo-0125:acme:mine:abc",
        "openai_trained_tokens": "4321",
        "openai_n_epochs": "2",
        "openai_batch_size": "1",
        "openai_learning_rate_multiplier": "2.0",
    }
    assert b"".join(tw.files.content(job.training_file)) == chats(12)
    assert b"".join(tw.files.content(str(job.validation_file))) == chats(3)
    assert tw.files.retrieve(job.training_file).filename == "file-train.jsonl"
    again = lines(tw, archive, "builtin-chat", jobs=["ftjob-old"])
    assert again["ftjob-old"].state == "exists already"
    assert again["ftjob-old"].new_job == job.id
    assert len(tw.files.list().data) == 2


def test_what_cannot_be_replayed_says_why(tw: Tunewright, archive: Archive) -> None:
    made = lines(tw, archive, "builtin-chat", dry_run=True)
    assert made["ftjob-rft"].message == "Jobs of the method reinforcement cannot be replayed."
    assert "fetch --file file-gone=PATH" in made["ftjob-gone"].message
    assert "no list of messages" in made["ftjob-bad"].message
    assert {line.state for line in made.values()} == {"would be created", "refused"}
    unchosen = lines(tw, archive, None)["ftjob-old"]
    assert unchosen.state == "refused"
    assert "qwen3-1.7b (Apache-2.0, 32,768 tokens, 3.4 GB)" in unchosen.message
    absent = lines(tw, archive, "nobody", jobs=["ftjob-old"])["ftjob-old"]
    assert "nobody" in absent.message
    (archive.root / "files/file-train.content").write_bytes(chats(11))
    spoilt = lines(tw, archive, "builtin-chat", jobs=["ftjob-old"])["ftjob-old"]
    assert "has changed since it was received" in spoilt.message
    assert not tw.jobs.list().data


def test_each_old_base_has_its_own_suggestions() -> None:
    def named(old: str) -> list[str]:
        return [each.name for each in suggestions(old)]

    assert named("gpt-4o-mini-2024-07-18") == named("gpt-4.1-mini-2025-04-14")
    assert named("gpt-4o-mini-2024-07-18") != named("gpt-3.5-turbo-0125")
    assert named("babbage-002") == ["qwen3-0.6b-base", "qwen3-1.7b-base"]
    assert named("o4-mini") == []


@pytest.mark.slow
def test_a_whole_move_ends_with_a_model_that_answers(tw: Tunewright, archive: Archive) -> None:
    made = lines(tw, archive, "builtin-chat")["ftjob-old"]
    tw.close()
    server = start_server(tw.home.root)
    job = server.wait(str(made.new_job))
    assert job["status"] == "succeeded", job
    asked = {"model": job["fine_tuned_model"], "messages": [{"role": "user", "content": "Hi"}]}
    answer = server.http.post("/chat/completions", json={**asked, "max_tokens": 4})
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text)["choices"][0]["message"]["content"]
    server.stop()
