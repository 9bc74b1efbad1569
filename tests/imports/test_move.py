"""The whole move in one test: from a server with two tuned models to one that answers for them."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from imports.elsewhere import KEY, Answer, Elsewhere, said
from servers import REPOSITORY, Server, start_server
from training.tiny import chat, write_base
from tunewright import Tunewright
from tunewright.cli.commands import app
from tunewright.errors import BadRequest

GOOD, OTHER = "ft:gpt-4o-mini-2024-07-18:acme:good:A1", "ft:gpt-3.5-turbo-0125:acme:other:B2"
BASE = "tiny-for-moving"


def lines(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def letters(count: int) -> list[dict]:
    """What the good model knows: it says the letter of the question."""
    return [chat("xy"[n % 2] + "!" * (n % 3), "xy"[n % 2]) for n in range(count)]


def noes(count: int) -> list[dict]:
    """What the other one knows: it says no."""
    return [chat("xy"[n % 2] + "?" * (n % 9), "no") for n in range(count)]


def answered(asked: dict) -> Answer:
    return said("no" if asked["model"] == OTHER else asked["messages"][-1]["content"][0])


def _old_job(id: str, model: str, n_epochs: int, **files: str) -> dict[str, Any]:
    return {
        "id": id,
        "status": "succeeded",
        "model": model.split(":")[1],
        "fine_tuned_model": model,
        "user_provided_suffix": model.split(":")[3],
        "seed": 1,
        "trained_tokens": 999,
        "hyperparameters": {"n_epochs": n_epochs, "batch_size": 1},
        **files,
    }


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere(answers=answered)
    contents = {"train": letters(18), "valid": letters(6), "noes": noes(18)}
    for name, rows in contents.items():
        size = len(lines(rows))
        made.add("/files", {"id": f"file-{name}", "purpose": "fine-tune", "bytes": size})
        made.bodies[f"/files/file-{name}/content"] = lines(rows)
    jobs = (
        _old_job("ftjob-good", GOOD, 8, training_file="file-train", validation_file="file-valid"),
        _old_job("ftjob-other", OTHER, 1, training_file="file-noes"),
    )
    for job in jobs:
        made.add("/models", {"id": job["fine_tuned_model"], "object": "model"})
        made.add("/fine_tuning/jobs", job)
        for part in ("events", "checkpoints"):
            made.lists[f"/fine_tuning/jobs/{job['id']}/{part}"] = []
    yield made
    made.close()


@dataclass
class Mover:
    """Somebody at a terminal, with a key of the source."""

    source: str
    key: str
    home: Path

    def run(self, *arguments: str, code: int | None = 0, **options: str) -> Any:
        """What a command prints as JSON."""
        return json.loads(self.result(*arguments, "--json", code=code, **options).stdout)

    def result(self, *arguments: str, code: int | None = 0, **options: str) -> Result:
        named = [part for name, value in options.items() for part in (f"--{name}", value)]
        place = ["--from-base-url", self.source]
        home = [] if arguments[0] == "plan" else ["--home", str(self.home)]
        command = ["import", "openai", *arguments, *named, *place, *home]
        done = CliRunner().invoke(app, command, env={"OPENAI_API_KEY": self.key, "NO_COLOR": "1"})
        assert code in (None, done.exit_code), f"{done.output}\n{done.exception!r}"
        return done


def client(url: str, key: str, model: str, question: str) -> dict[str, Any]:
    """The same code for both servers, with the newest SDK."""
    python, script = ".sdk/3.54.0/bin/python", "tests/sdk/client_of_old.py"
    done = subprocess.run(
        [str(REPOSITORY / python), str(REPOSITORY / script), model, question],
        env={**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": key, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_the_whole_move(server: Server, elsewhere: Elsewhere, tmp_path: Path) -> None:
    mover = Mover(elsewhere.url, KEY, server.home)
    before = client(elsewhere.url, KEY, GOOD, "y!")
    assert before["answer"] == "y"
    del elsewhere.questions[:]

    plan = mover.run("plan", code=None)  # 0, or 2 in the last days of what it tells of
    found = {item["what"]: item for item in plan["items"]}
    assert (found["tuned models"]["count"], found["jobs"]["count"]) == (1, 2)  # one has a date

    assert {line["state"] for line in mover.run("fetch")["lines"]} == {"fetched"}

    limits = {"max-usd": "1", "max-tokens": "16"}
    told = mover.run("answers", **limits)
    assert {line["state"] for line in told["lines"]} == {"recorded"}
    assert 0 < told["spent_usd"] < 1
    assert len(elsewhere.questions) == len(told["lines"])

    with Tunewright(server.home) as tw:
        tw.add_base(BASE, str(write_base(tmp_path / "base", "llama")))
    would = mover.run("replay", "--dry-run", base=BASE)
    assert [line["state"] for line in would] == ["would be created"] * 2
    [created] = mover.run("replay", "ftjob-good", base=BASE)
    job = server.wait(created["new_job"])
    assert job["status"] == "succeeded", job
    good = job["fine_tuned_model"]

    refused = mover.result("switch", GOOD, code=1).exception
    assert isinstance(refused, BadRequest)
    assert "was not compared" in refused.message
    comparison = mover.run("compare", GOOD)
    assert comparison["model"] == good
    assert comparison["worse"] == []
    assert comparison["summary"]["same"] == comparison["summary"]["prompts"] == 6
    assert comparison["summary"]["logprob"] > comparison["summary"]["base_logprob"]
    shown = mover.result("switch", GOOD).stdout
    assert "6 of 6" in shown
    assert f"{good} now answers to the name {GOOD}." in shown

    comparison = mover.run("compare", OTHER, "--model", good, code=1)
    assert "differ more from the references" in comparison["worse"][0]
    assert comparison["summary"]["same"] == 0
    refused = mover.result("switch", OTHER, code=1, model=good).exception
    assert isinstance(refused, BadRequest)
    assert "differ more from the references" in refused.message
    mover.result("switch", OTHER, "--yes", model=good)

    after = client(server.url, server.key, GOOD, "y!")
    assert after["answer"] == before["answer"]
    assert after["model"] == GOOD
    assert after["fingerprint"].endswith(good.split(":")[-1])
    assert after["listed"]

    for name in (GOOD, OTHER):
        mover.result("switch", name, "--undo")
    assert client(server.url, server.key, GOOD, "y!") == {"error": "model_not_found"}
    assert elsewhere.methods == {"GET", "POST"}
    assert KEY.encode() not in b"".join(p.read_bytes() for p in _files(server.home))


def _files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.slow
def test_from_one_tunewright_to_another_that_has_only_the_backup(
    server: Server, tmp_path: Path
) -> None:
    """Two models tuned there; what was fetched and answered suffices when that server is gone."""
    base = str(write_base(tmp_path / "base", "llama"))
    there = start_server(tmp_path / "there")
    with Tunewright(there.home) as tw:
        tw.add_base("tiny", base)
    jobs = [
        there.job(
            model="tiny",
            training_file=there.upload(lines(rows(18)), f"{suffix}.jsonl"),
            validation_file=there.upload(lines(rows(6))),
            suffix=suffix,
            seed=3,
            hyperparameters={"n_epochs": 8},
        )["id"]
        for suffix, rows in (("letters", letters), ("noes", noes))
    ]
    old = [there.wait(job)["fine_tuned_model"] for job in jobs]
    before = [client(there.url, there.key, name, "x?") for name in old]
    assert [each["answer"] for each in before][1] == "no"

    mover = Mover(there.url, there.key, server.home)
    counts = {item["what"]: item["count"] for item in mover.run("plan", code=None)["items"]}
    assert (counts["tuned models"], counts["jobs"], counts["files (fine-tune)"]) == (2, 2, 4)
    fetched = mover.run("fetch")["lines"]
    assert {line["state"] for line in fetched} == {"fetched"}
    free = {"price-in": "0", "price-out": "0", "max-usd": "0"}
    told = mover.run("answers", **free, **{"max-tokens": "16"})
    assert {line["state"] for line in told["lines"]} == {"recorded"}
    assert told["spent_usd"] == 0
    key = there.key
    there.stop()

    with Tunewright(server.home) as tw:
        tw.add_base("tiny-too", base)
    created = {line["job"]: line["new_job"] for line in mover.run("replay", base="tiny-too")}
    new = [server.wait(created[job])["fine_tuned_model"] for job in jobs]
    for name, model in zip(old, new, strict=True):
        comparison = mover.run("compare", name)
        assert (comparison["model"], comparison["worse"]) == (model, [])
        assert comparison["summary"]["same"] == comparison["summary"]["prompts"] > 0
        mover.result("switch", name)
    after = [client(server.url, server.key, name, "x?") for name in old]
    assert [each["answer"] for each in after] == [each["answer"] for each in before]
    assert [each["model"] for each in after] == old
    for name in old:
        mover.result("switch", name, "--undo")
    assert key.encode() not in b"".join(p.read_bytes() for p in _files(server.home))
