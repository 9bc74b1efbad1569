"""The chapters of the demo, in their order."""

import time
from pathlib import Path
from typing import Any

from rich.panel import Panel
from rich.progress import track
from rich.table import Table
from rich.text import Text

from tunewright import samples
from tunewright.cli.check import look, show
from tunewright.cli.demo.client import Client
from tunewright.cli.demo.scoring import Exam
from tunewright.cli.demo.search import search
from tunewright.cli.demo.server import DemoServer
from tunewright.cli.follow import follow, outcome
from tunewright.cli.opening import records
from tunewright.cli.serve import REMEDY
from tunewright.cli.terminal import duration, program, say, screen

MAX_TOKENS = 48
BASE = "gpt-3.5-turbo"
EPOCHS = 8  # so small a base needs more than the usual 3 to pick up a manner from 60 chats


def tell(server: DemoServer, began: float, *, kept: bool) -> None:
    client = Client(server.url, server.key)
    _chapter(1, "A server of your own")
    say(server.printed.partition(REMEDY)[0].strip())  # no base is added to a folder that goes
    training, validation = _upload(client)
    _check(server)
    before = _ask(client, BASE, 4, "The questions, before")
    job = _tune(client, training, validation)
    after = _ask(client, job["fine_tuned_model"], 6, "The same questions, after")
    _compare(before, after)
    _chapter(7, "A table of reviews, embedded and searched")
    search(client)
    _where(server, job, time.monotonic() - began, kept)


def _chapter(number: int, title: str, code: str | None = None) -> None:
    screen.print()
    screen.rule(Text(f"{number}. {title}", "bold cyan"), align="left")
    if code:
        _sdk(code)


def _sdk(code: str) -> None:
    """The same in the SDK. The demo itself sends plain HTTP, so that it needs nothing more."""
    for line in code.strip().splitlines():
        screen.print(Text(f"  {line}", "green"), soft_wrap=True)


def _upload(client: Client) -> tuple[str, str]:
    _chapter(
        2,
        "60 chats of a sarcastic assistant",
        "client = OpenAI()\n"
        'client.files.create(file=open("sarcastic.jsonl", "rb"), purpose="fine-tune")',
    )
    ids: list[str] = []
    for path in (samples.CHATS, samples.VALIDATION):
        file = client.upload(path)
        say(f"{file['id']}  {file['filename']}  {file['bytes']:,} bytes")
        ids.append(file["id"])
    return ids[0], ids[1]


def _check(server: DemoServer) -> None:
    _chapter(3, "Is the data fit to train on?")
    _sdk("tunewright check sarcastic.jsonl --validation-file sarcastic_valid.jsonl")
    with records(server.home) as tw:
        show(look(tw, samples.CHATS, BASE), spreads=False)
        show(look(tw, samples.VALIDATION, BASE, "validation_file"), spreads=False)


def _questions() -> tuple[str, list[str]]:
    exam = Exam.read(samples.QUESTIONS)
    return exam.system, [each.question for each in exam.questions]


def _ask(client: Client, model: str, number: int, title: str) -> list[tuple[str, str]]:
    _chapter(number, title, f'client.chat.completions.create(model="{model}", messages=[...])')
    system, questions = _questions()
    asked: list[tuple[str, str]] = []
    for question in track(
        questions, "Asking", console=screen, transient=True, disable=not screen.is_terminal
    ):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
        asked.append((question, client.chat(model, messages, MAX_TOKENS).strip()))
    say(f"{len(asked)} questions answered by {model}")
    return asked


def _tune(client: Client, training: str, validation: str) -> dict[str, Any]:
    _chapter(
        5,
        "Fine-tuning",
        "client.fine_tuning.jobs.create(\n"
        f'    model="{BASE}", training_file="{training}",\n'
        f'    validation_file="{validation}", suffix="sarcastic",\n'
        f'    hyperparameters={{"n_epochs": {EPOCHS}}})',
    )
    job = client.post(
        "/fine_tuning/jobs",
        {
            "model": BASE,
            "training_file": training,
            "validation_file": validation,
            "suffix": "sarcastic",
            "seed": 1,
            "hyperparameters": {"n_epochs": EPOCHS},
        },
    )
    watch = follow(job["id"], client.events(job["id"]))
    job = client.get(f"/fine_tuning/jobs/{job['id']}")
    outcome(job, watch)
    return job


def _compare(before: list[tuple[str, str]], after: list[tuple[str, str]]) -> None:
    table = Table(show_lines=True, expand=False)
    for title in ("question", "before", "after"):
        table.add_column(title, ratio=1, overflow="fold")
    for (question, first), (_, second) in zip(before, after, strict=True):
        table.add_row(Text(question), Text(first, "dim"), Text(second))
    screen.print(table)
    say(
        "The built-in base is tiny and knows little: look at the style, do not trust the facts. "
        f"For real use, add a real base: {program()} models add qwen Qwen/Qwen3-0.6B"
    )


def _shorter() -> str:
    """How to call the program by its name alone, as all further messages do."""
    activate = Path(program()).with_name("activate")
    if program() == "tunewright" or not activate.is_file():
        return ""
    return f"\n# After `. {activate}`, its name alone is enough: tunewright serve"


def _where(server: DemoServer, job: dict[str, Any], seconds: float, kept: bool) -> None:
    with records(server.home) as tw:
        weights = tw.models.weights(job["fine_tuned_model"], ("chat",))
        directory = tw.models.adapter(weights) or tw.models.directory(weights)
        result = tw.blobs.path(job["result_files"][0]) if job["result_files"] else None
    _chapter(8, "Where it all is, and what next")
    say(f"home      {server.home}" + ("" if kept else "   (removed now; --keep keeps it)"))
    say(f"weights   {directory}")
    say(f"result    {result}   (CSV: loss and accuracy of every step)")
    say(f"\nAll of this took {duration(seconds)}.\n")
    home = f" --home {server.home}" if kept else ""
    screen.print(
        Panel(
            Text(
                f"{program()} serve{home}\n\n"
                "# It prints the lines that point your code here: an address and a key.\n"
                "# Copy them into the shell that your code starts from; the code stays as it is."
                + _shorter()
            ),
            title="Next",
            title_align="left",
            expand=False,
        )
    )
