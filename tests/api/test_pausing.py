"""Pause and resume: the lane is free in between, and the weights are those of a calm run."""

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from servers import Server, chats


def start(server: Server, **hyperparameters: int) -> str:
    job = server.job(
        model="gpt-3.5-turbo",
        training_file=server.upload(chats(12)),
        seed=7,
        hyperparameters={"batch_size": 2, **hyperparameters},
    )
    return job["id"]


def post(server: Server, job: str, verb: str) -> tuple[int, dict[str, Any]]:
    """With the content type of JSON and no body, as the SDKs send it."""
    headers = {"content-type": "application/json"}
    answer = server.http.post(f"/fine_tuning/jobs/{job}/{verb}", headers=headers)
    return answer.status_code, answer.json()


def refused(server: Server, job: str, verb: str) -> str:
    status, body = post(server, job, verb)
    assert (status, body["error"]["code"]) == (400, "invalid_job_status"), body
    return body["error"]["message"]


def texts(server: Server, job: str) -> list[str]:
    return [event["message"] for event in server.events(job)]


def wait_for_step(server: Server, job: str, step: int) -> None:
    for _ in range(1200):
        if any(text.startswith(f"Step {step}/") for text in texts(server, job)):
            return
        time.sleep(0.05)
    raise AssertionError(f"never came to step {step}\n{server.log.read_text()}")


def weights(server: Server, job: str) -> bytes:
    """The adapter that the model of `job` answers with."""
    assert server.wait(job)["status"] == "succeeded"
    folder = hashlib.sha256(job.encode()).hexdigest()[:24]
    return (server.home / "models" / folder / "adapter_model.safetensors").read_bytes()


def assert_it_says_when_it_will_end(server: Server, job: str) -> None:
    """From the estimate on: the moment, in whole seconds, after the steps that are to come."""
    for _ in range(600):
        found = server.http.get(f"/fine_tuning/jobs/{job}").json()
        if found["estimated_finish"] is not None:
            break
        time.sleep(0.1)
    [estimate] = [event for event in server.events(job) if "estimate" in event["data"]]
    took = estimate["data"]["estimate"]["seconds"]
    assert isinstance(found["estimated_finish"], int)
    assert found["estimated_finish"] > found["created_at"]
    assert found["estimated_finish"] >= estimate["created_at"] + min(took, 1) - 1


def assert_it_is_cancelled_for_good(server: Server, job: str) -> dict[str, Any]:
    wait_for_step(server, job, 1)
    status, cancelled = post(server, job, "cancel")
    assert (status, cancelled["status"]) == (200, "cancelled")
    assert cancelled["finished_at"]
    assert cancelled["estimated_finish"] is None
    assert "already completed" in refused(server, job, "cancel")
    return cancelled


def test_a_paused_and_a_cancelled_job_make_room_and_the_one_ends_with_the_same_weights(
    server: Server, tuned: dict
) -> None:
    """The calm run to compare with is the `tuned` one: the same rows, seed and batches."""
    job = start(server, n_epochs=2, batch_size=4)
    wait_for_step(server, job, 1)
    status, paused = post(server, job, "pause")
    assert (status, paused["id"]) == (200, job)
    assert refused(server, job, "pause") == f"{job} is paused already."
    other = start(server, n_epochs=50)
    server.wait(other, "running")
    assert_it_says_when_it_will_end(server, other)
    assert server.http.get(f"/fine_tuning/jobs/{job}").json()["status"] == "queued"
    cancelled = assert_it_is_cancelled_for_good(server, other)

    status, _ = post(server, job, "resume")
    assert status == 200
    assert refused(server, job, "resume") == f"{job} is not paused."
    assert weights(server, job) == weights(server, tuned["id"])
    said = texts(server, job)
    steps = [text.split("/")[0] for text in said if text.startswith("Step ")]
    assert steps == [f"Step {n}" for n in range(1, 7)], "each step once"
    at = [said.index(f"Fine-tuning job {done}") for done in ("paused", "resumed")]
    (again,) = (n for n, text in enumerate(said) if text.startswith("Resuming from step"))
    assert at[0] < at[1] < again
    for verb in ("pause", "resume"):
        assert "already completed" in refused(server, job, verb)
    assert server.http.get(f"/fine_tuning/jobs/{other}").json() == cancelled
    assert texts(server, other)[-1] == "Fine-tuning job cancelled", "and nothing afterwards"


@pytest.mark.slow
def test_paused_jobs_wait_and_can_be_cancelled(server: Server) -> None:
    """One paused while it trains; one before: its check may go on, its training does not begin."""
    running = start(server, n_epochs=50)
    wait_for_step(server, running, 2)
    early = start(server, n_epochs=1)
    for job in (running, early):
        post(server, job, "pause")
    other = start(server, n_epochs=1)
    assert server.wait(other)["status"] == "succeeded", "it was made after both"
    waiting = server.http.get(f"/fine_tuning/jobs/{early}").json()["status"]
    assert waiting in ("validating_files", "queued")
    assert "Fine-tuning job started" not in texts(server, early)

    post(server, early, "resume")
    assert server.wait(early)["status"] == "succeeded"
    assert post(server, running, "cancel")[1]["status"] == "cancelled"
    for verb in ("pause", "resume", "cancel"):
        assert "already completed" in refused(server, running, verb)
    assert texts(server, running)[-1] == "Fine-tuning job cancelled"


def test_an_unknown_job_is_not_found(server: Server) -> None:
    assert post(server, "ftjob-none", "pause")[0] == 404
    assert post(server, "ftjob-none", "resume")[0] == 404


@pytest.mark.slow
def test_a_paused_job_stays_paused_when_the_server_starts_again(
    new_server: Any, tmp_path: Path
) -> None:
    server = new_server()
    key, job = server.key, start(server, n_epochs=3)
    wait_for_step(server, job, 2)
    post(server, job, "pause")
    assert server.stop() == 0
    server = new_server(key=key)
    other = start(server, n_epochs=1)
    assert server.wait(other)["status"] == "succeeded"
    assert refused(server, job, "pause") == f"{job} is paused already."
    assert not any(text.startswith("Step 18/") for text in texts(server, job))
    post(server, job, "resume")
    assert server.wait(job)["status"] == "succeeded"
