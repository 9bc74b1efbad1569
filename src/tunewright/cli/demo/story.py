"""The chapters of the demo, in their order."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.panel import Panel
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from tunewright.cli.check import look, show
from tunewright.cli.demo.base import ANSWERS_TO
from tunewright.cli.demo.client import Client
from tunewright.cli.demo.lessons import BUILTIN_BASE, Lesson
from tunewright.cli.demo.search import search
from tunewright.cli.demo.server import DemoServer
from tunewright.cli.follow import follow, outcome
from tunewright.cli.opening import records
from tunewright.cli.serve import REMEDY
from tunewright.cli.terminal import duration, program, say, screen


def tell(server: DemoServer, lesson: Lesson, base: str, began: float, *, kept: bool) -> None:
    client = Client(server.url, server.key)
    say(server.printed.partition(REMEDY)[0].strip())  # no base is added to a folder that goes
    files = _upload(client, lesson)
    _check(server, lesson)
    before = _ask(client, lesson, ANSWERS_TO, 4, "Questions that no row holds, before")
    job = _tune(client, lesson, base, files)
    after = _ask(client, lesson, job["fine_tuned_model"], 6, "The same questions, after")
    _compare(lesson, before, after)
    if base == BUILTIN_BASE:
        say(
            f"{base} is tiny and knows little: look at the style, do not trust the facts. For real "
            f"use, add a real base: {program()} models add smollm2-135m"
        )
    chapter(7, "A table of reviews, embedded and searched")
    search(client)
    _where(server, job, time.monotonic() - began, kept)


def chapter(number: int, title: str, code: str | None = None) -> None:
    screen.print()
    screen.rule(Text(f"{number}. {title}", "bold cyan"), align="left")
    if code:
        _sdk(code)


def _sdk(code: str) -> None:
    """The same in the SDK. The demo itself sends plain HTTP, so that it needs nothing more."""
    for line in code.strip().splitlines():
        screen.print(Text(f"  {line}", "green"), soft_wrap=True)


def _upload(client: Client, lesson: Lesson) -> dict[str, str]:
    """The ids of the uploaded files, by the name of the job's parameter."""
    chapter(
        2,
        lesson.about,
        "client = OpenAI()\n"
        f'client.files.create(file=open("{lesson.training.name}", "rb"), purpose="fine-tune")',
    )
    ids: dict[str, str] = {}
    for parameter, path in lesson.files.items():
        file = client.upload(path)
        say(f"{file['id']}  {file['filename']}  {file['bytes']:,} bytes")
        ids[parameter] = file["id"]
    return ids


def _check(server: DemoServer, lesson: Lesson) -> None:
    chapter(3, "Is the data fit to train on?")
    held_out = f" --validation-file {lesson.validation.name}" if lesson.validation else ""
    _sdk(f"tunewright check {lesson.training.name}{held_out}")
    with records(server.home) as tw:
        for purpose, path in lesson.files.items():
            show(look(tw, path, ANSWERS_TO, purpose), spreads=False)


def _ask(client: Client, lesson: Lesson, model: str, number: int, title: str) -> list[str]:
    chapter(number, title, f'client.chat.completions.create(model="{model}", messages=[...])')
    prompts = lesson.exam.prompts
    with Progress(console=screen, transient=True, disable=not screen.is_terminal) as progress:
        bar = progress.add_task("Asking", total=len(prompts))
        answers = client.ask(model, prompts, lesson.max_tokens, lambda: progress.advance(bar))
    counts = ", ".join(f"{count} {name}" for name, count in lesson.exam.score(answers).items())
    say(f"{len(answers)} questions asked at once and answered by {model}: {counts}")
    return answers


def _tune(client: Client, lesson: Lesson, base: str, files: dict[str, str]) -> dict[str, Any]:
    given = lesson.hyperparameters.get(base, {})
    lines = "".join(f'    {name}="{id}",\n' for name, id in files.items())
    chapter(
        5,
        "Fine-tuning",
        f'client.fine_tuning.jobs.create(\n    model="{ANSWERS_TO}",\n{lines}'
        f'    suffix="{lesson.suffix}", seed=1,\n    hyperparameters={given})',
    )
    body = {"model": ANSWERS_TO, **files, "suffix": lesson.suffix, "seed": 1}
    job = client.post("/fine_tuning/jobs", {**body, "hyperparameters": given})
    watch = follow(job["id"], client.events(job["id"]))
    job = client.get(f"/fine_tuning/jobs/{job['id']}")
    outcome(job, watch)
    return job


def _compare(lesson: Lesson, before: Sequence[str], after: Sequence[str]) -> None:
    table = Table(show_lines=True, expand=False)
    for title in ("question", "before", "after"):
        table.add_column(title, ratio=1, overflow="fold")
    questions = [messages[-1]["content"] for messages in lesson.exam.prompts]
    for question, first, second in zip(questions, before, after, strict=True):
        table.add_row(Text(question), Text(first, "dim"), Text(second))
    screen.print(table)
    counts = Table(box=None, pad_edge=False, header_style="bold")
    for title in (f"of {len(questions)} answers", "before", "after"):
        counts.add_column(title, justify="left" if title.startswith("of") else "right")
    scores = lesson.exam.score(before), lesson.exam.score(after)
    for name, first in scores[0].items():
        counts.add_row(Text(name), str(first), str(scores[1][name]))
    screen.print(counts)
    say("Counted by rules that were fixed before anything was tuned: cli/demo/scoring.py")


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
    chapter(8, "Where it all is, and what next")
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
