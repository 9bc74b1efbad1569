"""What an import must never do, line by line."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imports.elsewhere import KEY, Elsewhere, refused, said
from servers import REPOSITORY, chats
from tunewright import Tunewright
from tunewright.cli.commands import app
from tunewright.errors import BadRequest, Corrupt
from tunewright.imports import Archive, regression_set

OLD = "ft:gpt-4o-mini-2024-07-18:acme::A1"
CODE = "import pathlib\npathlib.Path('{marker}').write_text('ran')"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Elsewhere]:
    """An account with everything that could be abused."""
    made = Elsewhere(answers=lambda asked: said("What the old model says."))
    for id, content in {"file-train": chats(12), "file-valid": chats(4)}.items():
        made.add("/files", {"id": id, "purpose": "fine-tune", "filename": "a.jsonl"})
        made.bodies[f"/files/{id}/content"] = content
    job = {
        "id": "ftjob-1",
        "status": "succeeded",
        "model": "gpt-4o-mini-2024-07-18",
        "fine_tuned_model": OLD,
        "training_file": "file-train",
        "validation_file": "file-valid",
        "seed": 1,
    }
    made.add("/models", {"id": OLD})
    made.add("/fine_tuning/jobs", job)
    for part in ("events", "checkpoints"):
        made.lists[f"/fine_tuning/jobs/ftjob-1/{part}"] = []
    grader = {"type": "python", "source": CODE.format(marker=tmp_path / "ran")}
    made.add("/evals", {"id": "eval_1", "testing_criteria": [grader]})
    made.add("/evals/eval_1/runs", {"id": "run_1", "status": "completed"})
    made.lists["/evals/eval_1/runs/run_1/output_items"] = [{"id": "item_1"}]
    made.add("/chat/completions", {"id": "chatcmpl-1", "model": OLD, "created": 1})
    messages = [{"id": "m", "role": "user", "content": "A stored question"}]
    made.lists["/chat/completions/chatcmpl-1/messages"] = messages
    yield made
    made.close()


def run(elsewhere: Elsewhere, home: Path, *arguments: str, key: str = KEY) -> Result:
    place = ["--from-base-url", elsewhere.url]
    place += [] if arguments[0] == "plan" else ["--home", str(home)]
    environment = {"OPENAI_API_KEY": key, "NO_COLOR": "1"}
    return CliRunner().invoke(app, ["import", "openai", *arguments, *place], env=environment)


def everything(elsewhere: Elsewhere, home: Path) -> list[Result]:
    """Every command that talks to the source or reads what came from it."""
    return [
        run(elsewhere, home, *arguments)
        for arguments in (
            ("plan",),
            ("fetch",),
            ("answers", "--max-usd", "1"),
            ("replay", "--model", "builtin-chat", "--dry-run"),
            ("replay", "--model", "builtin-chat"),
            ("switch", OLD),
        )
    ]


def archive_of(elsewhere: Elsewhere, home: Path) -> Archive:
    return Archive.of(home / "imports", elsewhere.url)


def test_nothing_is_changed_there_and_nothing_is_sent_but_questions(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    before = json.dumps([elsewhere.lists, {k: v.decode() for k, v in elsewhere.bodies.items()}])
    everything(elsewhere, tmp_path)
    after = json.dumps([elsewhere.lists, {k: v.decode() for k, v in elsewhere.bodies.items()}])
    assert after == before
    asked = {(method, path.split("?")[0]) for method, path, _ in elsewhere.sent}
    assert {path for method, path in asked if method != "GET"} == {"/v1/chat/completions"}
    assert {method for method, _ in asked} == {"GET", "POST"}
    assert not [body for method, _, body in elsewhere.sent if method == "GET" and body]
    queries = {name for _, path, _ in elsewhere.sent for name in re.findall(r"[?&](\w+)=", path)}
    assert queries <= {"limit", "purpose", "after", "order"}
    fields = {name for question in elsewhere.questions for name in question}
    assert fields == {"model", "messages", "temperature", "max_tokens", "logprobs"}
    # What is asked came from there, the answers of its rows left out.
    texts = {m["content"] for question in elsewhere.questions for m in question["messages"]}
    rows = [json.loads(row) for row in chats(4).splitlines()]
    assert texts == {"A stored question"} | {
        m["content"] for row in rows for m in row["messages"][:-1]
    }


def test_the_key_is_in_no_file_and_no_output(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.odd["/evals/eval_1"] = [refused(403, f"{KEY} may not.")]
    done = everything(elsewhere, tmp_path)
    elsewhere.answers = lambda asked: refused(400, f"Not with {KEY}.")
    done.append(run(elsewhere, tmp_path, "answers", "--max-usd", "1", "--max-tokens", "7"))
    elsewhere.odd["/models"] = [refused(401, f"Incorrect API key provided: {KEY}.")]
    done.append(run(elsewhere, tmp_path, "fetch"))
    assert f"Bearer {KEY}" in elsewhere.keys
    told = "".join(result.output + repr(result.exception) for result in done)
    assert "[key] may not" in told
    assert KEY not in told
    assert KEY.encode() not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_question_goes_to_another_host(
    elsewhere: Elsewhere, tmp_path: Path, status: int
) -> None:
    other = Elsewhere(answers=lambda asked: said("stolen"))
    run(elsewhere, tmp_path, "fetch")
    where = {"location": f"{other.url}/chat/completions"}
    elsewhere.answers = lambda asked: (status, where, b"")
    done = run(elsewhere, tmp_path, "answers", "--max-usd", "1")
    assert done.exit_code == 1
    assert not other.sent
    assert not regression_set(archive_of(elsewhere, tmp_path), OLD)
    other.close()


def test_the_old_models_answers_are_not_trained_on_without_permission(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    elsewhere.answers = lambda asked: said(f"Well: {asked['messages'][-1]['content']}")
    elsewhere.bodies["/files/file-valid/content"] = chats(24)[len(chats(12)) :]
    run(elsewhere, tmp_path, "fetch")
    run(elsewhere, tmp_path, "answers", "--max-usd", "1")
    base = ("replay", "--model", "builtin-chat")
    refusal = run(elsewhere, tmp_path, *base, "--on-answers").exception
    assert isinstance(refusal, BadRequest)
    assert "need the permission" in refusal.message
    with Tunewright(tmp_path) as tw:
        assert not tw.jobs.list().data
    # Neither by a detour: as a file that is given by hand.
    archive = archive_of(elsewhere, tmp_path)
    rows = [
        {"messages": [*old.prompt.asked["messages"], old.message]}
        for old in regression_set(archive, OLD)
    ]
    archive.put(
        "files/file-train.content", b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    )
    archive.save()
    detour = run(elsewhere, tmp_path, *base)
    assert detour.exit_code == 1
    assert "contains answers that the old model was recorded to give" in detour.stdout
    allowed = run(elsewhere, tmp_path, *base, "--on-answers", "--allow-output-training")
    assert allowed.exit_code == 0, allowed.output
    assert "need the permission" in allowed.stderr
    tw = Tunewright(tmp_path)
    [job] = tw.jobs.list().data
    trained = [
        json.loads(row) for row in b"".join(tw.files.content(job.training_file)).splitlines()
    ]
    assert len(trained) == 13
    assert all(row["messages"][-1]["content"].startswith("Well: ") for row in trained)
    assert (job.metadata or {})["openai_answers"]
    tw.close()


def test_code_graders_are_kept_and_never_run(elsewhere: Elsewhere, tmp_path: Path) -> None:
    everything(elsewhere, tmp_path)
    kept = archive_of(elsewhere, tmp_path).json("evals/eval_1.json")
    assert kept["testing_criteria"][0]["source"].endswith("write_text('ran')")
    assert not (tmp_path / "ran").exists()
    sources = (REPOSITORY / "src/tunewright/imports").glob("*.py")
    runs = re.compile(r"\b(exec|eval|compile|__import__)\(|import subprocess|importlib|runpy")
    assert not [path for path in sources if runs.search(path.read_text())]


def test_nothing_with_another_sha256_is_overwritten(elsewhere: Elsewhere, tmp_path: Path) -> None:
    everything(elsewhere, tmp_path)
    archive = archive_of(elsewhere, tmp_path)
    sums = {name: hashlib.sha256(data).digest() for name, data in _tree(archive).items()}
    elsewhere.bodies["/fine_tuning/jobs/ftjob-1"] += b" "
    elsewhere.bodies[f"/models/{OLD}"] += b" "
    everything(elsewhere, tmp_path)
    now = _tree(archive)
    assert {name: hashlib.sha256(now[name]).digest() for name in sums} == sums
    assert f"models/{OLD}.json~2" in now
    [answer, *_] = archive.names("answers/*/*/answer-*.json")
    (archive.root / answer).write_bytes(said("What somebody wrote here.")[2])
    with pytest.raises(Corrupt, match="has changed since"):
        regression_set(archive_of(elsewhere, tmp_path), OLD)


def test_none_says_done_while_a_line_failed(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.odd["/files/file-valid/content"] = [refused(403, "No.")]
    fetched = run(elsewhere, tmp_path, "fetch")
    assert fetched.exit_code == 1
    assert "1 of 7 objects are missing" in fetched.stdout
    assert run(elsewhere, tmp_path, "replay", "--model", "builtin-chat").exit_code == 1
    assert run(elsewhere, tmp_path, "fetch").exit_code == 0
    assert run(elsewhere, tmp_path, "answers", "--max-usd", "0.0001").exit_code == 1
    elsewhere.answers = lambda asked: refused(400, "Not this one.")
    failed = run(elsewhere, tmp_path, "answers", "--max-usd", "1")
    assert failed.exit_code == 1
    assert "5 of 5 prompts got no answer" in failed.stdout


def _tree(archive: Archive) -> dict[str, bytes]:
    files = (path for path in archive.root.rglob("*") if path.is_file())
    found = {path.relative_to(archive.root).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in found.items() if name != "received.json"}
