"""SIGKILL the trainer, the worker, the server: the job goes on by itself and ends once."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from servers import Server, chats

STEPS = 24


def start_job(server: Server, steps: int = STEPS) -> str:
    job = server.job(
        model="gpt-3.5-turbo",
        training_file=server.upload(chats(12)),
        seed=11,
        hyperparameters={"n_epochs": steps // 6, "batch_size": 2},
    )
    return job["id"]


def wait_for_step(server: Server, job: str, step: int) -> None:
    for _ in range(1200):
        seen = [e["data"]["step"] for e in server.events(job) if e["type"] == "metrics"]
        if seen and max(seen) >= step:
            return
        time.sleep(0.05)
    raise AssertionError(f"never came to step {step}\n{server.log.read_text()}")


def check_ended_once(server: Server, job: str, count: int = STEPS) -> Path:
    found = server.wait(job)
    assert found["status"] == "succeeded", (found, server.log.read_text())
    events = server.events(job)
    steps = [event["data"]["step"] for event in events if event["type"] == "metrics"]
    assert steps == list(range(1, count + 1)), "each step once, in order"
    texts = [event["message"] for event in events]
    assert sum(text.startswith("New fine-tuned model") for text in texts) == 1
    assert sum(text.startswith("Checkpoint created") for text in texts) == count // 6
    models = server.http.get("/models").json()["data"]
    assert [m["id"] for m in models].count(found["fine_tuned_model"]) == 1
    assert not list(server.home.rglob("*.tmp-*"))
    (weights,) = (server.home / "models").iterdir()
    return weights / "adapter_model.safetensors"


@pytest.mark.slow  # the quick tests kill at each fault point and at random, on a tiny base
@pytest.mark.timeout(600)
def test_kills_change_nothing(new_server: Callable[..., Server], tmp_path: Path) -> None:
    server = new_server()
    calm = check_ended_once(server, start_job(server)).read_bytes()
    server.stop()
    shutil.rmtree(tmp_path / "home")

    server = new_server()
    key, job = server.key, start_job(server)
    wait_for_step(server, job, 3)
    server.child("tunewright.training").send_signal(signal.SIGKILL)
    wait_for_step(server, job, 8)
    server.child("tunewright.work").send_signal(signal.SIGKILL)
    wait_for_step(server, job, 13)
    server.stop(signal.SIGKILL)
    time.sleep(1)
    server = new_server(key=key)
    wait_for_step(server, job, 18)
    server.child("tunewright.training").send_signal(signal.SIGKILL)
    assert check_ended_once(server, job).read_bytes() == calm, "byte-equal weights"


@pytest.mark.slow  # tests/serving has quick ones, of the engine and of who keeps it
def test_the_engine_comes_back(server: Server) -> None:
    body = {
        "model": "gpt-3.5-turbo",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 4,
        "temperature": 0,
    }
    first = server.http.post("/chat/completions", json=body).json()["choices"]
    server.child("tunewright.serving").send_signal(signal.SIGKILL)
    for _ in range(50):
        again = server.http.post("/chat/completions", json=body)
        assert again.status_code in (200, 503), again.text
        if again.status_code == 200:
            break
        time.sleep(0.1)
    assert again.json()["choices"] == first


@pytest.mark.slow  # a worker that is told to stop has a quick test
def test_sigterm_ends_everything_and_the_job_goes_on_later(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    key, job = server.key, start_job(server, 12)
    wait_for_step(server, job, 5)
    children = [server.child("tunewright.work"), server.child("tunewright.training")]
    assert server.stop() == 0
    assert not any(child.is_running() for child in children)
    server = new_server(key=key)
    assert server.http.get(f"/fine_tuning/jobs/{job}").json()["status"] == "running"
    check_ended_once(server, job, 12)
