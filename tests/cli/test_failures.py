"""What a job's model still gets wrong, by the job's id."""

import json

from servers import Server, chats
from tunewright.quality.words import plain


def test_the_model_of_a_job_answers_its_validation_file(run, server: Server, tuned: dict) -> None:
    """As many fail as answer otherwise when asked one by one; the validation rows are the first
    three of training, so that a cluster names its own rows first."""
    done = run("check", "--job", tuned["id"], "--home", str(server.home), "--json")
    found = json.loads(done.stdout)
    assert (found["object"], found["model"]) == (
        "fine_tuning.job.failures",
        tuned["fine_tuned_model"],
    )
    assert (found["rows"], found["asked"], found["unanswered"]) == (3, 3, 0)
    other = [row for row in map(json.loads, chats(3).splitlines()) if not right(server, found, row)]
    assert found["failed"] == len(other) > 0
    for finding in found["findings"]:
        assert finding["code"] == "failures"
        assert finding["lines"][0] in (1, 2, 3)
        assert finding["excerpt"] in chats(3).decode()


def right(server: Server, found: dict, row: dict) -> bool:
    *asked, expected = row["messages"]
    body = {"model": found["model"], "temperature": 0, "messages": asked, "max_tokens": 64}
    said = server.http.post("/chat/completions", json=body).json()["choices"][0]["message"]
    return plain(said["content"]) == plain(expected["content"])


def test_what_cannot_be_judged_says_why(run, server: Server) -> None:
    home = str(server.home)
    job = server.job(model="gpt-3.5-turbo", training_file=server.upload(chats(12)))
    server.http.post(f"/fine_tuning/jobs/{job['id']}/cancel")
    server.wait(job["id"], "cancelled", "succeeded")
    cases = {
        ("--job", job["id"]): "has no model",
        ("--job", "ftjob-none"): "ftjob-none",
        ("--job", job["id"], "--quality"): "go together with --job",
        (): "Give the FILE",
    }
    for arguments, said in cases.items():
        done = run("check", *arguments, "--home", home, code=1)
        assert said in done.stderr
