"""The corpus of tests/hostile through HTTP: uploaded, made into a job, and ended as expected."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from servers import REPOSITORY, Server, chats

HOSTILE = REPOSITORY / "tests" / "hostile"
CASES = json.loads((HOSTILE / "cases.json").read_text("utf-8"))
BASES = {"chat": "gpt-3.5-turbo", "completion": "babbage-002"}


@contextmanager
def nothing_trains(server: Server) -> Iterator[None]:
    """A trainer that stands still has the lane: what is queued behind it stays queued. (Twenty
    trainers would begin otherwise, each to be cancelled.)"""
    first = server.job(model="gpt-3.5-turbo", training_file=server.upload(chats(10)))["id"]
    server.wait(first, "running")  # the trainer before has ended
    trainer = server.child("tunewright.training")
    trainer.suspend()
    try:
        yield
    finally:
        server.http.post(f"/fine_tuning/jobs/{first}/cancel")
        trainer.resume()


def test_every_hostile_file_ends_as_it_should(server: Server) -> None:
    """Bad files fail their job with OpenAI's code; good ones are queued (and then cancelled)."""
    with nothing_trains(server):
        jobs: list[tuple[dict, str]] = []
        for case in CASES:
            data = (HOSTILE / case["file"]).read_bytes()
            if not data:
                answer = server.http.post(
                    "/files", data={"purpose": "fine-tune"}, files={"file": ("x", data)}
                )
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, "empty_file")
                continue
            job = server.job(model=BASES[case["wants"]], training_file=server.upload(data))
            jobs.append((case, job["id"]))
        wrong = []
        for case, id in jobs:
            wanted = "failed" if case["error"] else "queued"
            job = server.wait(id, "failed", "queued", "running", "succeeded")
            server.http.post(f"/fine_tuning/jobs/{id}/cancel")
            code = job["error"] and job["error"]["code"]
            if job["status"] != wanted or code != case["error"]:
                wrong.append((case["file"], job["status"], job["error"]))
    assert not wrong, wrong
