from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tunewright.cli.terminal import HomeOption, JsonOption, notes, print_json, say, screen
from tunewright.suggestions import DEFAULT_MODEL, Value, command
from tunewright.wording import counted

if TYPE_CHECKING:
    from tunewright.app import Tunewright
    from tunewright.records.checks import Distribution, FileCheck, Histogram, JobFailures

_SHOWN = 20
_WRONG_SHOWN = 5
_LONGEST = 400  # characters of a text
_EIGHTHS = " ▏▎▍▌▋▊▉"
_BAR = 10  # characters of the longest
_STYLES = {"error": "red", "warning": "yellow", "advice": "cyan"}
ModelOption = Annotated[
    str, typer.Option("--model", metavar="MODEL", help="The model to tune with this data.")
]

_FileArgument = Annotated[Path | None, typer.Argument(metavar="FILE", help="Training data, JSONL.")]
_ValidationOption = Annotated[
    Path | None,
    typer.Option("--validation-file", metavar="FILE", help="Rows that are not trained on."),
]
_HtmlOption = Annotated[
    Path | None, typer.Option(metavar="REPORT", help="Write a report with charts.")
]
_FixOption = Annotated[
    Path | None,
    typer.Option(
        metavar="OUT",
        help="Write a repaired copy and check the copy. It leaves out the byte order mark, "
        "CRLF, blank lines, exact duplicates and rows that are in the validation file too, "
        "and changes nothing else. OUT.changes.jsonl lists each change.",
    ),
]
_EstimateOption = Annotated[
    bool,
    typer.Option("--estimate", help="Try a few steps and tell a job's time, memory and cost."),
]
_QualityOption = Annotated[
    bool, typer.Option("--quality", help="Also tell how good the data is, and what is weak.")
]
_JobOption = Annotated[
    str | None,
    typer.Option(
        "--job",
        metavar="JOB-ID",
        help="Instead of FILE: the accuracy of this job's model on its validation file, each "
        "question that it answers wrongly, and the training rows most similar to those.",
    ),
]
_EverythingOption = Annotated[
    bool,
    typer.Option("--all", help=f"Show all errors or wrong answers, not only the first {_SHOWN}."),
]


def check(
    file: _FileArgument = None,
    model: ModelOption = DEFAULT_MODEL,
    validation: _ValidationOption = None,
    html: _HtmlOption = None,
    fix: _FixOption = None,
    estimate: _EstimateOption = False,
    quality: _QualityOption = False,
    job: _JobOption = None,
    everything: _EverythingOption = False,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Check training data as a job would: every row, each problem with its line and a remedy.

    Example: tunewright check chats.jsonl --validation-file held-out.jsonl --model gpt-3.5-turbo
    """
    from tunewright.cli.opening import records

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


def judged(
    tw: "Tunewright", found: list["FileCheck"], file: Path, held_out: Path | None
) -> list["FileCheck"]:
    """The checks of a training file and of what is held out; the first with what `quality` says."""
    training = found[0]
    _, form = tw.checking.renderer(training.model)
    findings = [*training.findings, *tw.judging.judge(file, form, held_out)]
    findings.sort(key=lambda finding: ("error", "warning", "advice").index(finding.severity))
    return [training.model_copy(update={"findings": findings}), *found[1:]]


def show(found: "FileCheck", *, everything: bool = False, spreads: bool = True) -> None:
    """Print what was found; `spreads`: and how messages and tokens are spread."""
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


def print_spreads(spreads: dict[str, "Distribution"]) -> None:
    """A table of quantiles, and below it one histogram for each that varies."""
    counted = {name: spread for name, spread in spreads.items() if spread.total}
    if not counted:
        return
    screen.print(_quantiles(counted))
    drawn = {name: s.histogram for name, s in counted.items() if s.min != s.max}
    if not drawn:
        return
    grid = Table.grid(padding=(0, 3))
    grid.add_row(*(Text(f"  {name}", "bold") for name in drawn))
    grid.add_row(*(_bars(histogram) for histogram in drawn.values()))
    screen.print(grid)


def _quantiles(spreads: dict[str, "Distribution"]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("  per example")
    for name in ("min", "p5", "median", "mean", "p95", "max", "total"):
        table.add_column(name, justify="right")
    for name, s in spreads.items():
        values = [f"{s.min:,}", f"{s.p5:,.0f}", f"{s.median:,.0f}", f"{s.mean:,.1f}"]
        table.add_row(f"  {name}", *values, f"{s.p95:,.0f}", f"{s.max:,}", f"{s.total:,}")
    return table


def _bars(histogram: "Histogram") -> RenderableType:
    most, edges = max(histogram.counts), histogram.edges
    lines = [
        (f"{edge:,}", _bar(count / most), f"{count:,}" if count else "")
        for edge, count in zip(edges, histogram.counts, strict=False)
    ]
    if len(edges) > 2 and edges[-1] - edges[-2] > edges[1] - edges[0]:  # all that is far beyond
        lines[-1] = (f"{edges[-2]:,}+", *lines[-1][1:])
    wide = max(len(edge) for edge, _, _ in lines)
    return Text("\n".join(f"  {edge:>{wide}} {bar} {count}" for edge, bar, count in lines))


def _bar(share: float) -> str:
    eighths = max(round(share * _BAR * 8), 1 if share else 0)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()).ljust(_BAR)


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


def print_failures(job: str, home: Path | None, *, json: bool, everything: bool) -> None:
    """Ask the model of a job what its validation file asks; takes as long as so many answers."""
    from tunewright.cli.opening import running

    with running(home) as tw:
        found = _asked(tw, job)
    if json:
        print_json(found.wire())
        return
    answered = found.asked - found.unanswered
    say(
        f"{found.model}: {answered - found.failed:,} of {counted(answered, 'answer')} as expected"
        + ("" if found.accuracy is None else f" (accuracy {found.accuracy:.1%})")
        + f"; {counted(found.rows, 'row')} in {found.validation_file}"
    )
    if found.unanswered:
        say(f"  {counted(found.unanswered, 'row')} got no answer: {found.unanswered_because}")
    shown = found.answers if everything else found.answers[:_WRONG_SHOWN]
    for wrong in shown:
        say(f"  line {wrong.line}")
        for name, text in (
            ("question", wrong.question),
            ("expected", wrong.expected),
            ("given", wrong.given),
        ):
            say(f"    {name:8}  {_line(text)}")
    if hidden := len(found.answers) - len(shown):
        say(f"  {counted(hidden, 'more wrong answer')}: --all shows them")
    for finding in found.findings:
        say(f"  {finding.severity}: {finding}", f' "{finding.excerpt}"')


def _asked(tw: "Tunewright", job: str) -> "JobFailures":
    from rich.progress import Progress

    notes.print("The model answers its validation file ...", markup=False)
    with Progress(console=notes, transient=True) as progress:
        bar = progress.add_task("Answering", total=None)
        return tw.failures.of(
            job, progress=lambda done, all_: progress.update(bar, completed=done, total=all_)
        )


def _line(text: str) -> str:
    """On one line, and without what could move the terminal's cursor."""
    shown = "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


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
