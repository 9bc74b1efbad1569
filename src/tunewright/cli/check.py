from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from tunewright.cli.terminal import HomeOption, JsonOption, notes, print_json, say, screen
from tunewright.suggestions import DEFAULT_MODEL, Value, command
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.checks import FileCheck

_SHOWN = 20
_STYLES = {"error": "red", "warning": "yellow", "advice": "cyan"}
ModelOption = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="The model to tune with this data.")
]


def check(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Training data, JSONL.")
    ] = None,
    model: ModelOption = DEFAULT_MODEL,
    validation: Annotated[
        Path | None,
        typer.Option("--validation-file", metavar="FILE", help="Rows that are not trained on."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="REPORT", help="Write a report with charts.")
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write a repaired copy and check the copy. It leaves out the byte order mark, "
            "CRLF, blank lines, exact duplicates and rows that are in the validation file too, "
            "and changes nothing else. OUT.changes.jsonl lists each change.",
        ),
    ] = None,
    estimate: Annotated[
        bool,
        typer.Option("--estimate", help="Try a few steps and tell a job's time, memory and cost."),
    ] = False,
    quality: Annotated[
        bool, typer.Option("--quality", help="Also tell how good the data is, and what is weak.")
    ] = False,
    job: Annotated[
        str | None,
        typer.Option(
            "--job",
            metavar="JOB-ID",
            help="Instead of FILE: the accuracy of this job's model on its validation file, each "
            "question that it answers wrongly, and the training rows most similar to those.",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help=f"Show all errors or wrong answers, not only the first {_SHOWN}."
        ),
    ] = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Check training data as a job would: every row, each problem with its line and a remedy.

    Example: tunewright check chats.jsonl --validation-file held-out.jsonl --model gpt-3.5-turbo
    """
    from tunewright.cli.opening import records
    from tunewright.cli.quality import judged, print_failures

    if job is not None:
        _alone(file, validation, html, fix, estimate, quality)
        print_failures(job, home, json=json, everything=everything)
        return
    file = _given(file)
    _exists(file, validation)
    if fix:
        _fix(file, fix, validation)
        file = fix
    with records(home) as tw:
        found = [look(tw, file, model, home=home)]
        if validation:
            found.append(look(tw, validation, model, "validation_file", home))
        found = judged(tw, found, file, validation) if quality else found
        fit = all(one.fit for one in found)
        expected = tw.estimating.estimate(file, model, validation) if estimate and fit else None
    if json:
        wire = expected.wire() if expected else None
        print_json({"object": "list", "data": [one.wire() for one in found], "estimate": wire})
    else:
        for one in found:
            show(one, everything=everything)
        if expected:
            say(f"  a job would take {expected}")
    if html:
        _write(html, found)
    _conclude(found, file, validation_file=validation, model=model, home=home)


def look(
    tw: "Tunewright",
    path: Path,
    model: str,
    purpose: str = "training_file",
    home: Path | None = None,
) -> "FileCheck":
    from tunewright.records.checks import FileCheckRequest

    request = FileCheckRequest.parse({"model": model, "purpose": purpose})
    return tw.checking.check(path, path.name, request, file=path, home=home)


def show(found: "FileCheck", *, everything: bool = False, spreads: bool = True) -> None:
    """Print what was found; `spreads`: and how messages and tokens are spread."""
    from tunewright.cli.spreads import print_spreads

    screen.print(Text(found.file, "bold"))
    for line in _summary(found):
        say(f"  {line}")
    if spreads:
        names = ("messages", "tokens", "supervised")
        counted = (found.messages, found.tokens, found.supervised_tokens)
        print_spreads(dict(zip(names, counted, strict=True)))
    _print_findings(found, most=None if everything else _SHOWN)


def _summary(found: "FileCheck") -> list[str]:
    said = [
        f"{counted(found.rows, 'row')}: {found.examples:,} fine, {found.bad:,} bad, "
        + f"{found.blank:,} blank",
        f"{counted(found.tokens.total, 'token')}, of which {found.supervised_tokens.total:,} "
        + "supervised (trained on)",
    ]
    if found.purpose == "training_file":
        trained = f"{found.trained_tokens:,} tokens trained"
        said.append(f"{counted(found.n_epochs, 'epoch')} by default: {trained}")
    if openai := found.openai:
        billed = f"; {counted(openai.n_epochs, 'epoch')}, {openai.trained_tokens:,} tokens billed"
        said.append(
            f"counted as OpenAI does ({openai.encoding}): {openai.tokens.total:,} tokens, of which "
            + f"{openai.assistant_tokens.total:,} in answers"
            + (billed if found.purpose == "training_file" else "")
        )
    return said


def _print_findings(found: "FileCheck", most: int | None) -> None:
    errors = [finding for finding in found.findings if finding.severity == "error"]
    shown = errors[:most] + found.findings[len(errors) :]
    for finding in shown:
        said = Text(f"  {finding.severity}: {finding}", _STYLES[finding.severity])
        screen.print(said, soft_wrap=True)
    if hidden := len(found.findings) - len(shown):
        say(f"  {counted(hidden, 'more error')}: --all shows them")
    if found.findings_left_out:
        say(f"  and {counted(found.findings_left_out, 'more error')}")


def _alone(*others: object) -> None:
    from tunewright.errors import BadRequest

    if any(others):
        raise BadRequest(
            "Only --all, --home and --json go together with --job, which has files of its own."
        )


def _given(file: Path | None) -> Path:
    from tunewright.errors import BadRequest

    if file is None:
        raise BadRequest("Give the FILE to check, or --job JOB-ID.")
    return file


def _exists(*paths: Path | None) -> None:
    from tunewright.errors import BadRequest

    for path in filter(None, paths):
        if not path.is_file():
            raise BadRequest(f"There is no file {path}.")


def _fix(file: Path, out: Path, validation: Path | None) -> None:
    from tunewright.dataset.repair import CHANGES, repair

    done = repair(file, out, validation)
    notes.print(f"{out}: {done.kept:,} of {counted(done.lines, 'line')} kept", markup=False)
    for change, words in CHANGES.items():
        if done.changes[change]:
            notes.print(f"  {words}: {done.changes[change]:,}", markup=False)
    notes.print(f"  the changes, line by line: {done.log}", markup=False)


def _write(html: Path, found: list["FileCheck"]) -> None:
    from tunewright import durable
    from tunewright.pages.check import page

    durable.write_bytes(html, page(found).encode())
    notes.print(f"Report: {html}", markup=False)


def _conclude(found: list["FileCheck"], file: Path, **asked: Value) -> None:
    """`asked`: what else the job is to have. Raises JobFailed where it would fail."""
    from tunewright.errors import JobFailed

    for one in found:
        if one.error:
            raise JobFailed(one.error.message, code=one.error.code, param=one.error.param)
    create = command("jobs", "create", training_file=file, **asked, follow=True)
    notes.print(
        f"{asked['model']} can be tuned with it. Next: {create}", markup=False, soft_wrap=True
    )
