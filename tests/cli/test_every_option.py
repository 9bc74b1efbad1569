"""Each option of each command does what its help says, and each example in a help text runs."""

import ast
import csv
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from servers import REPOSITORY, Server, chats
from tunewright import Tunewright, samples
from tunewright.cli.commands import app
from tunewright.records.checks import Estimate
from tunewright.settings import Settings

Run = Callable[..., str]
TESTS = REPOSITORY / "tests"


def commands(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    below = getattr(command, "commands", {})
    found = {} if below else {path: command}
    for name, sub in below.items():
        found |= commands(sub, (*path, name))
    return found


ALL = commands(typer.main.get_command(app))


@pytest.fixture
def here(home: Path) -> Run:
    """``here("files", "list")``: in this process, with `--home`; gives the standard output."""
    return _runner(home)


def _runner(home: Path) -> Run:
    def run(*arguments: str, code: int = 0, given: str | None = None) -> str:
        done = CliRunner().invoke(app, [*arguments, "--home", str(home)], input=given)
        assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
        return done.stdout

    return run


def test_options_of_files(here: Run, tmp_path: Path) -> None:
    (tmp_path / "any.bin").write_bytes(b"any bytes")
    first = here("files", "create", str(samples.CHATS)).strip()
    other = json.loads(
        here("files", "create", str(tmp_path / "any.bin"), "--purpose", "user_data", "--json")
    )
    assert other["purpose"] == "user_data"
    [newest] = json.loads(here("files", "list", "--limit", "1", "--json"))["data"]
    assert newest["id"] == other["id"]
    assert json.loads(here("files", "get", first, "--json"))["filename"] == samples.CHATS.name
    assert "any bytes" in here("files", "content", other["id"])
    here("files", "delete", first)
    assert first not in here("files", "list")
    here("files", "list", "--limit", "0", code=2)


def test_options_of_a_job(here: Run) -> None:
    given = {
        "--training-file": str(samples.CHATS),
        "--validation-file": str(samples.VALIDATION),
        "--model": "builtin-chat",
        "--suffix": "mine",
        "--n-epochs": "2",
        "--batch-size": "4",
        "--learning-rate-multiplier": "1.5",
        "--adaptation": "full",
        "--seed": "11",
    }
    job = json.loads(here("jobs", "create", *_flat(given), "--json"))
    used = job["method"]["supervised"]["hyperparameters"]
    assert (job["seed"], job["user_provided_suffix"]) == (11, "mine")
    assert (used["n_epochs"], used["batch_size"]) == (2, 4)
    assert (used["learning_rate_multiplier"], used["adaptation"]) == (1.5, "full")
    names = {json.loads(here("files", "get", job[of], "--json"))["filename"] for of in
             ("training_file", "validation_file")}  # fmt: skip
    assert names == {samples.CHATS.name, samples.VALIDATION.name}
    other = json.loads(here("jobs", "create", "--training-file", job["training_file"], "--json"))
    [newest] = json.loads(here("jobs", "list", "--limit", "1", "--json"))["data"]
    assert newest["id"] == other["id"]
    [event] = json.loads(here("jobs", "events", job["id"], "--limit", "1", "--json"))["data"]
    assert event["message"].startswith("Created fine-tuning job")


def _flat(options: dict[str, str]) -> list[str]:
    return [word for pair in options.items() for word in pair]


def test_a_paused_job_is_listed_as_paused(here: Run) -> None:
    id = here("jobs", "create", "--training-file", str(samples.CHATS)).strip()
    assert json.loads(here("jobs", "pause", id, "--json"))["status"] == "validating_files"
    [listed] = [line for line in here("jobs", "list").splitlines() if id in line]
    assert listed.split()[1] == "paused"
    assert "paused" in here("jobs", "get", id)
    assert json.loads(here("jobs", "resume", id, "--json"))["id"] == id
    assert "paused" not in here("jobs", "list")
    assert json.loads(here("jobs", "cancel", id, "--json"))["status"] == "cancelled"


def test_who_follows_a_paused_job_is_told_how_to_resume_it(server: Server, run: Any) -> None:
    """It follows on: until the job has ended."""
    job = server.job(model="gpt-3.5-turbo", training_file=server.upload(chats(12)), seed=1)["id"]
    server.http.post(f"/fine_tuning/jobs/{job}/pause")
    place = ("--home", str(server.home))
    assert "paused" in run("jobs", "list", *place).stdout
    follow = _started("jobs", "follow", job, *place)
    try:
        _read_until(follow.stderr, f"tunewright jobs resume {job}")
        server.http.post(f"/fine_tuning/jobs/{job}/cancel")
        said, complained = follow.communicate(timeout=60)
    finally:
        follow.kill()
    assert follow.returncode == 1
    assert "Fine-tuning job cancelled" in said
    assert "was cancelled" in complained


def _started(*arguments: str) -> Any:
    import subprocess

    from cli.conftest import command

    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _read_until(stream: Any, text: str) -> None:
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"never said: {text}")


def test_a_base_that_names_stand_for_is_deleted_by_force_only(here: Run, home: Path) -> None:
    from tunewright import builtin

    with Tunewright(home) as tw:  # `models add` tries the weights, in processes of their own
        tw.bases.add("mine", builtin.CHAT, "chat", lambda *_: None)
    settings = home / "settings.toml"
    settings.write_text('[aliases]\n"team-*" = "mine"\n')
    refused = CliRunner().invoke(app, ["models", "delete", "mine", "--home", str(home)])
    said = str(refused.exception)
    assert f"team-* stands for mine in {settings}" in said
    assert "mine" in here("models", "list")
    here("models", "add", "a b", str(home), code=1)
    *_, suggested = said.partition("anyway: ")
    words = shlex.split(suggested.split(" (")[0])
    assert words[:5] == ["tunewright", "models", "delete", "mine", "--force"]
    done = CliRunner().invoke(app, words[1:])
    assert done.exit_code == 0, done.output
    settings.unlink()
    assert "mine" not in [m["id"] for m in json.loads(here("models", "list", "--json"))["data"]]


def test_options_of_keys_and_organisations(here: Run) -> None:
    here("organisations", "create", "acme")
    assert {o["name"] for o in json.loads(here("organisations", "list", "--json"))} >= {"acme"}
    here("keys", "create", "ci", "--organisation", "acme", "--role", "member")
    listed = json.loads(here("keys", "list", "--organisation", "acme", "--json"))
    assert [(key["name"], key["role"]) for key in listed] == [
        ("first key", "owner"),
        ("ci", "member"),
    ]
    here("keys", "revoke", listed[1]["id"])
    assert here("keys", "list").count("acme") == 2


def test_options_of_chat(server: Server) -> None:
    """The same as over HTTP, by the engine of the server that runs."""
    run = _runner(server.home)
    options = ("--system", "Answer in one word.", "--temperature", "0", "--max-tokens", "3")
    said = run("chat", "gpt-3.5-turbo", "What is the capital of Italy?", *options)
    answer = server.http.post("/chat/completions", json={
        "model": "gpt-3.5-turbo",
        "temperature": 0,
        "max_tokens": 3,
        "messages": [
            {"role": "system", "content": "Answer in one word."},
            {"role": "user", "content": "What is the capital of Italy?"},
        ],
    }).json()  # fmt: skip
    assert said == answer["choices"][0]["message"]["content"] + "\n"
    talk = run("chat", given="Hello\n\n")
    assert talk.strip()


def test_options_of_embed(here: Run, tmp_path: Path) -> None:
    table = tmp_path / "notes.tsv"
    table.write_text("id\tnote\n1\tcats and dogs\n2\ttrains and buses\n3\tcats\n")
    given = ("--file", str(table), "--column", "note", "--model", "builtin-static")
    found = here("embed", *given, "--search", "cat", "--top", "2").splitlines()
    assert len(found) == 3
    assert all("cats" in line for line in found[1:])


def test_options_of_tokens_and_render(here: Run, tmp_path: Path) -> None:
    assert here("tokens", "tiktoken is great!", "--text").strip() == "6"
    counted = json.loads(here("tokens", "great", "--encoding", "builtin-chat", "--json"))
    assert counted["counted_by"] == "builtin-chat"
    file = tmp_path / "one.jsonl"
    shutil.copy(samples.COMPLETIONS, file)
    row = json.loads(here("data", "render", str(file), "--model", "babbage-002", "--json"))
    assert row["model"] == "babbage-002"
    assert [token["supervised"] for token in row["rows"][0]][-1]


def test_options_of_prepare(here: Run, tmp_path: Path) -> None:
    table = tmp_path / "faq.csv"
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = [(f"q{n}", f"a{n}", "be brief", "easy" if n % 2 else "hard") for n in range(40)]
        csv.writer(file).writerows([("q", "a", "s", "kind"), *rows])

    def prepare(name: str, *options: str) -> tuple[dict[str, Any], list[Any]]:
        out = tmp_path / name
        done = json.loads(here("data", "prepare", str(table), *options, "-o", str(out), "--json"))
        return done, [json.loads(line) for line in out.read_text("utf-8").splitlines()]

    asked = ("--prompt", "q", "--completion", "a")
    _, chat = prepare("chat.jsonl", *asked, "--system", "Be kind.")
    assert [m["content"] for m in chat[1]["messages"]] == ["Be kind.", "q1", "a1"]
    roles = ("--messages", "system=s", "--messages", "user=q", "--messages", "assistant=a")
    _, chat = prepare("roles.jsonl", *roles)
    assert [m["content"] for m in chat[1]["messages"]] == ["be brief", "q1", "a1"]
    _, rows = prepare("pairs.jsonl", *asked, "--to", "completion", "--separator", " ->")
    assert rows[1] == {"prompt": "q1 ->", "completion": " a1"}
    split = ("--validation-share", "0.2", "--stratify", "kind", "--seed")
    done, _ = prepare("one.jsonl", *asked, *split, "3")
    assert done["validation_file"]["rows"] == 8
    held_out = Path(done["validation_file"]["path"]).read_text("utf-8")
    kinds = [int(json.loads(line)["messages"][0]["content"][1:]) % 2 for line in
             held_out.splitlines()]  # fmt: skip
    assert sorted(kinds) == [0] * 4 + [1] * 4
    same, _ = prepare("two.jsonl", *asked, *split, "3")
    other, _ = prepare("three.jsonl", *asked, *split, "4")
    assert Path(same["validation_file"]["path"]).read_text("utf-8") == held_out
    assert Path(other["validation_file"]["path"]).read_text("utf-8") != held_out
    with pytest.raises(AssertionError, match="--validation-share"):
        prepare("four.jsonl", *asked, "--stratify", "kind")


def test_the_sheet_of_a_workbook(here: Run, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["nothing"])
    sheet = book.create_sheet("faq")
    for row in [("q", "a"), *((f"q{n}", f"a{n}") for n in range(12))]:
        sheet.append(row)
    book.save(tmp_path / "book.xlsx")
    asked = ("--prompt", "q", "--completion", "a", "--sheet", "faq", "--json")
    out = tmp_path / "out.jsonl"
    done = json.loads(here("data", "prepare", str(tmp_path / "book.xlsx"), *asked, "-o", str(out)))
    assert done["training_file"]["rows"] == 12


def test_check_prints_an_estimate(here: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The estimating itself is tested with the training: it computes."""
    expected = Estimate(
        steps=9,
        seconds=75.0,
        seconds_error=0.0,
        trained_tokens=1234,
        peak_bytes=2**29,
        cost=None,
    )
    asked: list[Any] = []
    monkeypatch.setattr(
        "tunewright.resources.estimating.Estimating.estimate",
        lambda self, *given: asked.append(given) or expected,
    )
    told = here("check", str(samples.CHATS), "--estimate")
    assert "a job would take 9 steps in 1:15" in " ".join(told.split())
    assert asked == [(samples.CHATS, "gpt-3.5-turbo", None)]
    wire = json.loads(here("check", str(samples.CHATS), "--estimate", "--json"))
    assert wire["estimate"]["steps"] == 9


def test_serve_listens_where_it_is_told(
    here: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A server that is reached from elsewhere is not started by a test: its settings are looked
    at, and that without the permission it is refused."""
    started: list[Settings] = []
    from tunewright.api import server as api

    monkeypatch.setattr("signal.signal", lambda *_: None)
    here("serve", "--host", "0.0.0.0", "--port", "0", code=1)
    monkeypatch.setattr(api, "serve", lambda tw, _: started.append(tw.settings))
    here("serve", "--host", "0.0.0.0", "--port", "0", "--allow-remote")
    [settings] = started
    assert (settings.host, settings.port, settings.allow_remote) == ("0.0.0.0", 0, True)


def examples() -> Iterator[tuple[str, str]]:
    """(command, example) of every help text."""
    groups = [((), typer.main.get_command(app)), *ALL.items()]
    for path, command in groups:
        for line in (command.help or "").splitlines():
            if line.strip().startswith("Example: "):
                yield " ".join(path), line.strip().removeprefix("Example: ")


@pytest.mark.parametrize("example", [text for _, text in examples()])
def test_each_example_is_a_command_line_that_there_is(example: str) -> None:
    program, *words = shlex.split(example.partition(" >")[0])
    assert program == "tunewright"
    command: Any = typer.main.get_command(app)
    while words and hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    if not hasattr(command, "commands"):
        command.make_context("x", words)


RUNS = (
    "check", "data prepare", "data render", "tokens", "files create", "files list", "files get",
    "files content", "files delete", "jobs list", "jobs get", "jobs events", "jobs pause",
    "jobs resume", "jobs cancel", "models list", "models delete", "embed", "organisations create",
    "organisations list", "keys create", "keys list", "keys revoke",
)  # fmt: skip


@pytest.fixture
def beginner(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A folder with the files that examples name, and what their made-up ids stand for."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(samples.CHATS, "chats.jsonl")
    shutil.copy(samples.VALIDATION, "held-out.jsonl")
    shutil.copy(samples.REVIEWS, "reviews.csv")
    with Path("faq.csv").open("w", newline="", encoding="utf-8") as file:
        pairs = [(f"question {n}?", f"answer {n}") for n in range(12)]
        csv.writer(file).writerows([("question", "answer"), *pairs])
    with Tunewright(home) as tw:
        file = tw.files.create(file=samples.CHATS, purpose="fine-tune")
        job = tw.jobs.create(model="gpt-3.5-turbo", training_file=file.id)
    return {"file-Ab12...": file.id, "ftjob-Ab12...": job.id}


def test_examples_run(here: Run, beginner: dict[str, str]) -> None:
    """Of the commands that neither train nor serve nor need another server, in their order."""
    by_command = dict(examples())
    for name in RUNS:
        line = by_command[name].partition(" >")[0]
        for made_up, real in beginner.items():
            line = line.replace(made_up, real)
        if name == "files delete":  # not while a job needs it
            line = line.replace(beginner["file-Ab12..."], here("files", "create", "chats.jsonl"))
        if name == "keys revoke":
            [key, *_] = json.loads(here("keys", "list", "--json"))
            line = line.replace("key-Ab12...", key["id"])
        if name == "models delete":
            line = "tunewright models delete none"
            here(*shlex.split(line)[1:], code=1)
            continue
        here(*shlex.split(line)[1:])


def words_of_tests() -> dict[Path, set[str]]:
    """The words of command lines in each file of tests."""
    found: dict[Path, set[str]] = {}
    for path in TESTS.rglob("*.py"):
        if path.parent.name in ("cli", "imports", "dataset", "reliability", "tests"):
            literals = [
                node.value
                for node in ast.walk(ast.parse(path.read_text("utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
            found[path] = {word for text in literals for word in text.split()}
    return found


def test_each_option_of_each_command_is_in_a_test_that_runs_it() -> None:
    words = words_of_tests()
    missing = [
        (" ".join(path), param.opts[0])
        for path, command in ALL.items()
        for param in command.params
        if param.param_type_name == "option"
        and param.opts != ["--home"]  # one option object for all; `here` gives it
        and not any(path[-1] in said and said.intersection(param.opts) for said in words.values())
    ]
    assert missing == []
