"""The corpus of tests/hostile through HTTP: uploaded, made into a job, and ended as expected."""

import json

from servers import REPOSITORY, Server

HOSTILE = REPOSITORY / "tests" / "hostile"
CASES = json.loads((HOSTILE / "cases.json").read_text("utf-8"))
BASES = {"chat": "gpt-3.5-turbo", "completion": "babbage-002"}


def test_every_hostile_file_ends_as_it_should(server: Server) -> None:
    """Bad files fail their job with OpenAI's code; good ones are queued (and then cancelled)."""
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
        wanted = ("failed",) if case["error"] else ("queued", "running")
        job = server.wait(id, "failed", "queued", "running", "succeeded")
        server.http.post(f"/fine_tuning/jobs/{id}/cancel")
        code = job["error"] and job["error"]["code"]
        if job["status"] not in wanted or code != case["error"]:
            wrong.append((case["file"], job["status"], job["error"]))
    assert not wrong, wrong
