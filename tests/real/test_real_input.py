"""The built-in base on real data: food reviews and grade-school mathematics.

Prints its figures (``pytest -s``). What the tiny base understands too
little for is an expected failure with its figure: the bars stand.
"""

import csv
import json
import random
import re
from collections.abc import Callable

import pytest

from servers import Server, needs_data

TOPIC = "You say whether a review of a food is positive or negative."


def chat(system: str, question: str, answer: str) -> dict:
    return {
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
    }


def reviews() -> tuple[list[dict], list[dict]]:
    """100 + 100 rows to train on, 45 + 45 held out; 60 words of each review."""
    with needs_data("fine_food_reviews_1k.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(0).shuffle(rows)
    train, held_out = [], []
    for answer, wanted in (("positive", {"4", "5"}), ("negative", {"1", "2"})):
        texts = [f"{r['Summary']}. {r['Text']}" for r in rows if r["Score"] in wanted]
        chats = [chat(TOPIC, " ".join(text.split()[:60]), answer) for text in texts]
        train += chats[:100]
        held_out += chats[100:145]
    return train, held_out


def mathematics() -> tuple[list[dict], list[dict]]:
    with needs_data("gsm8k_test.jsonl").open(encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    random.Random(0).shuffle(rows)
    system = "Solve the problem. End with #### and the number."
    chats = [chat(system, row["question"], re.sub(r"<<.*?>>", "", row["answer"])) for row in rows]
    return chats[:200], chats[200:240]


def lines(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def tune(server: Server, train: list[dict], held_out: list[dict], **more: object) -> dict:
    job = server.job(
        model="gpt-3.5-turbo",
        training_file=server.upload(lines(train)),
        validation_file=server.upload(lines(held_out)),
        seed=1,
        **more,
    )
    job = server.wait(job["id"], seconds=1500)
    assert job["status"] == "succeeded", job
    return job


def full(**hyperparameters: float) -> dict:
    """All weights: adapters on so little trained a base learn neither task (docs/log.md)."""
    given = {"adaptation": "full", **hyperparameters}
    return {"type": "supervised", "supervised": {"hyperparameters": given}}


def held_out_losses(server: Server, job: dict) -> list[float]:
    steps = [event["data"] for event in server.events(job["id"]) if event["type"] == "metrics"]
    return [step["full_valid_loss"] for step in steps if "full_valid_loss" in step]


def answers(server: Server, model: str, rows: list[dict], max_tokens: int) -> list[str]:
    found = []
    for row in rows:
        answer = server.http.post(
            "/chat/completions",
            json={
                "model": model,
                "messages": row["messages"][:-1],
                "temperature": 0,
                "max_tokens": max_tokens,
            },
        )
        found.append(answer.json()["choices"][0]["message"]["content"])
    return found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_food_reviews(new_server: Callable[..., Server]) -> None:
    server = new_server()
    train, held_out = reviews()
    job = tune(server, train, held_out, method=full(n_epochs=10, learning_rate_multiplier=3.0))
    losses = held_out_losses(server, job)
    given = answers(server, job["fine_tuned_model"], held_out, 8)
    right = [row["messages"][-1]["content"] for row in held_out]
    form = sum(answer in ("positive", "negative") for answer in given) / len(given)
    accuracy = sum(a == b for a, b in zip(given, right, strict=True)) / len(given)
    first = min(server.events(job["id"]), key=lambda event: event["data"].get("step", 1e9))
    untuned = first["data"]["train_loss"]  # of the base: a step's loss is from before its change
    print(f"\nreviews: loss {untuned:.3f} untuned, then {losses}")  # noqa: T201
    print(f"form {form:.3f}, accuracy {accuracy:.3f}, n={len(given)}")  # noqa: T201
    # Lowest after the first epoch: the ten that the accuracy takes overfit (docs/log.md).
    assert losses[-1] < untuned
    assert form >= 0.95
    if accuracy <= 0.65:  # one standard error of 90 rows is 0.05
        pytest.xfail(f"accuracy {accuracy:.3f} of 0.65 (docs/log.md)")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_grade_school_mathematics(new_server: Callable[..., Server]) -> None:
    server = new_server()
    train, held_out = mathematics()
    job = tune(server, train, held_out, method=full(n_epochs=3, learning_rate_multiplier=2.0))
    losses = held_out_losses(server, job)
    given = answers(server, job["fine_tuned_model"], held_out, 400)
    form = sum(bool(re.search(r"\n#### -?[\d,.]+$", answer)) for answer in given) / len(given)
    print(f"\nmathematics: loss {losses}, form {form:.3f}, n={len(given)}")  # noqa: T201
    assert losses[-1] < losses[0]
    if form < 0.95:
        pytest.xfail(f"form {form:.3f} of 0.95: it repeats itself without end (docs/log.md)")
