"""The old models' answers: which prompts, what they cost, and that no budget is ever exceeded."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imports.elsewhere import KEY, Elsewhere, refused, said
from tunewright.cli.commands import app
from tunewright.errors import BadRequest
from tunewright.imports import (
    Answered,
    Archive,
    AskingSource,
    Price,
    Source,
    SourceError,
    answers,
    estimates,
    fetch,
    regression_set,
    spent,
)

CHAT, SEEN, TEXT = (
    "ft:gpt-4o-mini-2024-07-18:a::1",
    "ft:gpt-4o-2024-08-06:a::2",
    "ft:babbage-002:a::3",
)
PRICE = Price(1_000.0, 1_000.0)  # USD per million tokens: a thousandth of a dollar for each


def chat(question: str, answer: str) -> dict:
    user = {"role": "user", "content": question}
    return {"messages": [user, {"role": "assistant", "content": answer, "weight": 1}]}


def lines(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _old(id: str, model: str, training: str, validation: str | None = None) -> dict:
    files = {"training_file": training, "validation_file": validation}
    return {
        "id": id,
        "status": "succeeded",
        "model": model.split(":")[1],
        **files,
        "fine_tuned_model": model,
    }


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    made = Elsewhere(answers=lambda asked: said("yes"))
    contents = {
        "train": lines([chat(f"q{n}", f"a{n}") for n in range(100)]),
        "valid": lines(
            [chat(f"v{n}", f"b{n}") for n in range(7)] + [chat("q3", "a3"), chat("v0", "x")]
        ),
        "text": lines([{"prompt": f"p{n} ->", "completion": f" c. {n} END"} for n in range(30)]),
    }
    for id, content in contents.items():
        made.add("/files", {"id": f"file-{id}", "purpose": "fine-tune"})
        made.bodies[f"/files/file-{id}/content"] = content
    for job in (
        _old("ftjob-1", CHAT, "file-train", "file-valid"),
        _old("ftjob-2", SEEN, "file-train"),
        _old("ftjob-3", TEXT, "file-text"),
    ):
        made.add("/fine_tuning/jobs", job)
        made.lists[f"/fine_tuning/jobs/{job['id']}/events"] = []
        made.lists[f"/fine_tuning/jobs/{job['id']}/checkpoints"] = []
    for n, model in enumerate((CHAT, CHAT, "gpt-4o")):
        path = f"/chat/completions/chatcmpl-{n}"
        made.add("/chat/completions", {"id": f"chatcmpl-{n}", "model": model, "created": 1})
        made.lists[f"{path}/messages"] = [{"id": "m", "role": "user", "content": f"stored {n}"}]
    yield made
    made.close()


@pytest.fixture
def archive(elsewhere: Elsewhere, tmp_path: Path) -> Archive:
    archive = Archive.of(tmp_path / "imports", elsewhere.url)
    with Source(KEY, elsewhere.url) as source:
        assert not [line for line in fetch(source, archive) if line.state == "failed"]
    return archive


def record(
    elsewhere: Elsewhere, archive: Archive, *models: str, usd: float = 100.0, **more: int
) -> list[Answered]:
    found = estimates(archive, models, price=PRICE, **more)
    limit = {"max_tokens": more["max_tokens"]} if "max_tokens" in more else {}
    with AskingSource(KEY, elsewhere.url, sleep=lambda _: None) as source:
        return list(answers(source, archive, found, max_usd=usd, **limit))


def texts(elsewhere: Elsewhere) -> list[str]:
    return sorted(asked["messages"][-1]["content"] for asked in elsewhere.questions)


def test_the_validation_file_is_asked_and_what_was_stored(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    [estimate] = estimates(archive, [CHAT])
    assert estimate.price == Price(0.30, 1.20)  # by the shipped table
    assert (len(estimate.prompts), estimate.seen) == (10, 1)  # q3 was trained on; v0 counts once
    assert 0 < estimate.about < estimate.at_most < 0.02
    assert not elsewhere.questions
    made = record(elsewhere, archive, CHAT)
    assert {line.state for line in made} == {"recorded"}
    asked = ["q3", "stored 0", "stored 1", *(f"v{n}" for n in range(7))]
    assert texts(elsewhere) == sorted(asked)
    assert {q["model"] for q in elsewhere.questions} == {CHAT}
    first = next(q for q in elsewhere.questions if q["messages"][-1]["content"] == "v1")
    assert first == {
        "model": CHAT,
        "messages": [{"role": "user", "content": "v1"}],
        "temperature": 0,
        "logprobs": True,
        "max_tokens": 1024,
    }
    kept = regression_set(archive, CHAT)
    assert {old.prompt.asked["messages"][0]["content"] for old in kept} == set(asked)
    [v1] = [old for old in kept if old.prompt.asked["messages"][0]["content"] == "v1"]
    assert (v1.message["content"], v1.logprob, v1.cut) == ("yes", -0.25, False)
    assert v1.prompt.reference == {"role": "assistant", "content": "b1"}
    assert spent(archive) == pytest.approx(10 * 25 * 0.001)  # 20 tokens read, 5 written, each
    raw = archive.names("answers/*/*/answer-*.json")
    assert {archive.read(name) for name in raw} == {said("yes")[2]}  # as it came, spaces and all
    assert {line.state for line in record(elsewhere, archive, CHAT)} == {"kept"}
    assert len(elsewhere.questions) == 10


def test_without_one_a_fixed_tenth_of_the_training_file_marked_as_seen(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    [few], [more] = (estimates(archive, [SEEN], per_model=n) for n in (3, 200))
    assert [p.id for p in few.prompts] == [p.id for p in more.prompts][:3]
    assert 4 <= len(more.prompts) <= 18
    assert all(p.seen and p.origin == "training" for p in more.prompts)
    [half] = estimates(archive, [CHAT], per_model=4)
    assert [p.origin for p in half.prompts] == ["validation", "validation", "stored", "stored"]


def test_completion_models_are_stopped_where_their_rows_end(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    choice = {"text": " c. 1", "finish_reason": "stop", "logprobs": {"token_logprobs": [-1, -2]}}
    elsewhere.answers = lambda _: (200, {}, json.dumps({"choices": [choice]}).encode())
    record(elsewhere, archive, TEXT)
    asked = elsewhere.questions[0]
    assert (asked["stop"], asked["logprobs"], asked["prompt"][-3:]) == (" END", 1, " ->")
    [first, *_] = regression_set(archive, TEXT)
    assert (first.message["content"], first.logprob) == (" c. 1", -3)
    number = first.prompt.asked["prompt"].removeprefix("p").removesuffix(" ->")
    assert first.reference == f"c. {number}"  # without its stop string, which no answer has


def test_what_is_under_way_counts_and_the_budget_is_never_exceeded(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    """Each may cost 0.4 to 0.5 of a dollar, and costs 0.025: room for two at once, then for one."""
    at_once: list[int] = []
    lock, flying = threading.Lock(), [0]

    def slowly(asked: dict) -> tuple[int, dict[str, str], bytes]:
        with lock:
            flying[0] += 1
            at_once.append(flying[0])
        threading.Event().wait(0.05)
        with lock:
            flying[0] -= 1
        return said("yes")

    elsewhere.answers = slowly
    [estimate] = estimates(archive, [CHAT], price=PRICE, max_tokens=200)
    each = estimate.at_most / 10
    made = record(elsewhere, archive, CHAT, usd=2.5 * each, max_tokens=200)
    assert max(at_once) == 2
    assert {line.state for line in made} == {"recorded"}
    assert spent(archive) == pytest.approx(0.25)
    del elsewhere.questions[:]
    made = record(elsewhere, archive, SEEN, usd=0.25 + 0.9 * each, max_tokens=200)
    assert {line.state for line in made} == {"over budget"}
    assert not elsewhere.questions


def test_a_lost_answer_counts_with_the_most_that_it_can_have_cost(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    tries = {"v1": [refused(502, "Bad gateway."), refused(429, "Slow down.")]}
    elsewhere.answers = lambda asked: (
        tries.get(asked["messages"][-1]["content"]) or [said("yes")]
    ).pop(0)
    made = record(elsewhere, archive, CHAT, max_tokens=100)
    assert {line.state for line in made} == {"recorded"}
    assert texts(elsewhere).count("v1") == 3  # lost, refused for now, answered
    [asked] = [n for n in archive.names("answers/*/*/asked-0001.json") if b"v1" in archive.read(n)]
    lost = archive.json(asked)["at_most_usd"]
    assert lost > 0.1
    assert spent(archive) == pytest.approx(10 * 0.025 + lost)


def test_killed_while_asking_it_goes_on_and_asks_nothing_twice(
    elsewhere: Elsewhere, archive: Archive, tmp_path: Path
) -> None:
    reached = threading.Event()

    def answer(asked: dict) -> tuple[int, dict[str, str], bytes]:
        if len(elsewhere.questions) > 5 and not reached.is_set():
            reached.set()
            threading.Event().wait(20)
        return said("yes")

    elsewhere.answers = answer
    command = _command(elsewhere, tmp_path, "--max-usd", "9", "--max-tokens", "100")
    process = subprocess.Popen(command, env=_environment(), stdout=subprocess.PIPE)
    assert reached.wait(60)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    again = Archive(archive.root)
    before = {n: again.read(n) for n in again.names("answers/*/*/answer-*.json")}
    under_way = len(again.names("answers/*/*/asked-*.json")) - len(before)
    assert 1 <= under_way <= 4
    first = texts(elsewhere)
    del elsewhere.questions[:]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(elsewhere.questions) == 10 - len(before)
    # What was noted as asked, and killed before it was sent, is asked for the first time now.
    assert 1 <= len(set(first) & set(texts(elsewhere))) <= under_way
    kept = Archive(archive.root)
    assert len(regression_set(kept, CHAT)) == 10
    assert all(kept.read(name) == raw for name, raw in before.items())
    assert not kept.changed()
    assert "Spent so far" in done.stdout
    assert KEY not in done.stdout + done.stderr
    everything = (path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in b"".join(everything)


def test_a_model_that_is_gone_is_asked_once_and_the_others_answer(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    gone = refused(404, f"{SEEN} does not exist, {KEY}.")
    elsewhere.answers = lambda asked: gone if asked["model"] == SEEN else said("yes")
    made = record(elsewhere, archive, SEEN, CHAT)
    failed = [line for line in made if line.state == "failed"]
    assert {line.model for line in failed} == {SEEN}
    assert len(failed) == len(estimates(archive, [SEEN])[0].prompts)
    assert "[key]" in failed[0].message
    assert sum(q["model"] == SEEN for q in elsewhere.questions) <= 4  # those under way at once
    assert sum(line.state == "recorded" for line in made) == 10
    elsewhere.answers = lambda asked: refused(401, "No.")
    with pytest.raises(SourceError, match="401"):
        record(elsewhere, archive, SEEN)


def test_an_account_without_credit_is_asked_once(elsewhere: Elsewhere, archive: Archive) -> None:
    body = {"error": {"message": "You exceeded your quota.", "code": "insufficient_quota"}}
    elsewhere.answers = lambda asked: (429, {}, json.dumps(body).encode())
    made = record(elsewhere, archive, CHAT)
    assert {line.state for line in made} == {"failed"}
    assert len(elsewhere.questions) <= 4  # those under way at once, none of them again
    assert spent(archive) == 0


def test_two_runs_at_once_do_not_share_a_budget(elsewhere: Elsewhere, archive: Archive) -> None:
    found = estimates(archive, [CHAT, SEEN], price=PRICE)
    with AskingSource(KEY, elsewhere.url) as source:
        first = answers(source, archive, found, max_usd=100)
        assert next(first).state == "recorded"
        with pytest.raises(BadRequest, match="Another command"):
            next(answers(source, Archive(archive.root), found, max_usd=100))
        first.close()
        kept = answers(source, Archive(archive.root), found, max_usd=100)
        assert next(kept).state == "kept"
        kept.close()


def test_a_model_that_there_is_nothing_to_ask_with_is_a_failed_line(
    elsewhere: Elsewhere, archive: Archive
) -> None:
    (archive.root / "files/file-text.content").unlink()
    [line] = record(elsewhere, archive, TEXT)
    assert (line.state, line.usd) == ("failed", 0.0)
    assert "file-text was not fetched" in line.message
    assert "--file file-text=PATH" in line.remedy
    assert not elsewhere.questions


def test_a_price_that_is_unknown_is_asked_for_and_nothing_is_sent(
    elsewhere: Elsewhere, archive: Archive, tmp_path: Path
) -> None:
    elsewhere.add("/models", {"id": "ft:builtin-chat:a::9", "object": "model"})
    own = _old("ftjob-9", "ft:builtin-chat:a::9", "file-train")
    elsewhere.add("/fine_tuning/jobs", own)
    for part in ("events", "checkpoints"):
        elsewhere.lists[f"/fine_tuning/jobs/ftjob-9/{part}"] = []
    with Source(KEY, elsewhere.url) as source:
        list(fetch(source, archive))
    with AskingSource(KEY, elsewhere.url) as source, pytest.raises(BadRequest, match="--price-in"):
        list(answers(source, archive, estimates(archive), max_usd=1))
    with pytest.raises(BadRequest, match="not a tuned model"):
        estimates(archive, ["ft:nobody"])
    command = _command(elsewhere, tmp_path)[3:]
    done = CliRunner().invoke(app, command, env={"NO_COLOR": "1"})
    assert "Nothing was asked" in done.stdout, done.output
    assert not elsewhere.questions


def _command(elsewhere: Elsewhere, home: Path, *more: str) -> list[str]:
    tunewright = [sys.executable, "-m", "tunewright", "import", "openai", "answers", CHAT]
    return [*tunewright, "--from-base-url", elsewhere.url, "--home", str(home), *more]


def _environment() -> dict[str, str]:
    return {**os.environ, "OPENAI_API_KEY": KEY, "NO_COLOR": "1", "COLUMNS": "160"}


def test_prices_and_how_many_prompts_are_said_on_the_command_line(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    place = ["--from-base-url", elsewhere.url, "--home", str(tmp_path / "home")]

    def run(*arguments: str, code: int = 0) -> Result:
        words = ["import", "openai", *arguments, *place]
        done = CliRunner().invoke(app, words, env={"OPENAI_API_KEY": KEY})
        assert done.exit_code == code, done.output
        return done

    run("fetch")
    given = ("--per-model", "3", "--price-in", "1.5", "--price-out", "2.5")
    [found] = json.loads(run("answers", SEEN, *given, "--json").stdout)["estimates"]
    assert (found["prompts"], found["price"]) == (3, {"read": 1.5, "written": 2.5})
    assert "--price-out" in str(run("answers", "--price-in", "1", code=1).exception)
    assert not elsewhere.questions
