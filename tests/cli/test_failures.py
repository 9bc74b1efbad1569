"""What a job's model still gets wrong, by the job's id."""

import json
import re
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from servers import Server, chats
from tunewright.cli import opening
from tunewright.cli.check import print_failures
from tunewright.quality.words import plain
from tunewright.records.checks import JobFailures, WrongAnswer
from tunewright.records.findings import Finding


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


def test_what_a_model_answers_wrongly_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "\x1b[2JG" + "x" * 500
    wrong = [
        WrongAnswer(line=at, question=f"Q{at}\n two", expected=f"E{at}", given=long)
        for at in range(1, 8)
    ]
    nearest = Finding(
        code="failures",
        severity="advice",
        message="Two of a kind.",
        remedy="Add rows like these.",
        lines=(3, 4),
        count=2,
        excerpt="Q1",
    )
    found = JobFailures(
        job="ftjob-1",
        model="ft:a",
        validation_file="file-1",
        rows=11,
        asked=10,
        unanswered=1,
        unanswered_because="it is too long",
        failed=7,
        accuracy=2 / 9,
        answers=wrong,
        findings=[nearest],
    )
    tw = SimpleNamespace(failures=SimpleNamespace(of=lambda job, progress: found))
    monkeypatch.setattr(opening, "running", lambda home: nullcontext(tw))
    print_failures("ftjob-1", None, json=False, everything=False)
    said = capsys.readouterr().out
    assert "ft:a: 2 of 9 answers as expected (accuracy 22.2%); 11 rows in file-1" in said
    assert "1 row got no answer: it is too long" in said
    blocks = re.findall(
        r"  line (\d)\n    question  (.*)\n    expected  (.*)\n    given     (.*)\n", said
    )
    shown = [(f"{n}", f"Q{n} two", f"E{n}") for n in range(1, 6)]
    assert [block[:3] for block in blocks] == shown
    for *_, given in blocks:
        assert given.startswith(" [2JGxxx"), "no escape sequence reaches the terminal"
        assert given.endswith("…")
        assert len(given) == 400
    assert "2 more wrong answers: --all shows them" in said
    assert "advice: " in said
    assert '"Q1"' in said
    print_failures("ftjob-1", None, json=False, everything=True)
    assert capsys.readouterr().out.count("    question  ") == 7
