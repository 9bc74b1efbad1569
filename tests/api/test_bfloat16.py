"""The whole way of a job in bfloat16, on whatever processor: trainer, gate, publishing, engine."""

import json
import time
from collections.abc import Callable

import pytest

from servers import Server, chats

pytestmark = pytest.mark.bfloat16
BASE = "gpt-3.5-turbo"


def begin(server: Server, rows: int, **more: int) -> str:
    job = server.job(
        model=BASE,
        training_file=server.upload(chats(rows)),
        seed=7,
        hyperparameters={"learning_rate_multiplier": 8, **more},
    )
    return job["id"]


def finish(server: Server, job: str) -> str:
    """Its model. The gate has compared what was trained with what the engine computes."""
    ended = server.wait(job)
    assert ended["status"] == "succeeded", server.events(job)
    assert any("Checking that the served model" in event["message"] for event in server.events(job))
    assert json.loads((server.home / "jobs" / job / "dtype.json").read_text()) == "bfloat16"
    return ended["fine_tuned_model"]


def pause(server: Server, job: str) -> None:
    """After its first step."""
    for _ in range(1200):
        if any(event["message"].startswith("Step 1/") for event in server.events(job)):
            break
        time.sleep(0.05)
    assert server.http.post(f"/fine_tuning/jobs/{job}/pause").status_code == 200
    server.wait(job, "queued")  # as OpenAI calls it


def top(server: Server, model: str) -> list[float]:
    """Natural-log probabilities of the five likeliest first tokens of an answer, falling."""
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    body = {"model": model, "messages": messages, "logprobs": True, "top_logprobs": 5}
    body |= {"temperature": 0, "max_tokens": 2}
    answer = server.http.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    (first, *_) = answer.json()["choices"][0]["logprobs"]["content"]
    return [item["logprob"] for item in first["top_logprobs"]]


def in_bfloat16(values: list[float]) -> bool:
    """Whether they are differences of numbers of 8 bits: multiples of 1/256 where those are 1/2
    at least, which two numbers of float32 are by chance once in a hundred times."""
    apart = [256 * (values[0] - value) for value in values[1:]]
    return all(abs(one - round(one)) < 0.02 for one in apart)


@pytest.mark.slow  # 15 s; the parts in bfloat16 have quick tests
def test_a_job_is_trained_checked_and_served(new_server: Callable[..., Server]) -> None:
    server = new_server(TUNEWRIGHT_COMPUTE_DTYPE="bfloat16")
    model = finish(server, begin(server, 10, n_epochs=1, batch_size=5))
    tuned, base = top(server, model), top(server, BASE)
    assert in_bfloat16(tuned)
    assert in_bfloat16(base)
    assert tuned != base


@pytest.mark.slow
def test_a_paused_job_goes_on_in_bfloat16_on_a_server_that_computes_in_float32(
    new_server: Callable[..., Server],
) -> None:
    server = new_server(TUNEWRIGHT_COMPUTE_DTYPE="bfloat16")
    job = begin(server, 12, n_epochs=2, batch_size=4)
    pause(server, job)
    server.stop()
    other = new_server(key=server.key, TUNEWRIGHT_COMPUTE_DTYPE="float32")
    assert other.http.post(f"/fine_tuning/jobs/{job}/resume").status_code == 200
    assert not in_bfloat16(top(other, finish(other, job)))
