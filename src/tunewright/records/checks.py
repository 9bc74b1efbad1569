"""What a check of a file gives, as clients see it."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tunewright.records.findings import Finding
from tunewright.records.jobs import JobError
from tunewright.records.record import Record, Request
from tunewright.records.template_kwargs import TemplateKwargs


class FileCheckRequest(Request):
    """`model`: the base whose tokenizer and template are used. `purpose`: what the file is to be
    in a job; a training file needs 10 examples, a validation file one."""

    model: Annotated[str, StringConstraints(min_length=1)] = "gpt-3.5-turbo"
    purpose: Literal["training_file", "validation_file"] = "training_file"
    chat_template_kwargs: TemplateKwargs | None = None


class Histogram(Record):
    """`counts[i]` values are at least `edges[i]` and below `edges[i + 1]`. The last bin may be
    wider than the others."""

    edges: list[int] = Field(default_factory=list)
    counts: list[int] = Field(default_factory=list)


class Distribution(Record):
    """How counts are spread; quantiles are true ones, all zero where nothing was counted."""

    total: int = 0
    min: int = 0
    p5: float = 0
    median: float = 0
    mean: float = 0
    p95: float = 0
    max: int = 0
    histogram: Histogram = Histogram()

    def __str__(self) -> str:
        return (
            f"min {self.min:,}, p5 {self.p5:,.0f}, median {self.median:,.0f}, "
            + f"mean {self.mean:,.1f}, p95 {self.p95:,.0f}, max {self.max:,}"
        )


class OpenAICounts(Record):
    """What OpenAI's cookbook counts: an estimate for OpenAI's own models. `billable_tokens` are
    those of one epoch, at most 4,096 of an example; a job is charged `trained_tokens`."""

    encoding: str
    examples: int
    tokens: Distribution
    assistant_tokens: Distribution
    billable_tokens: int
    n_epochs: int
    trained_tokens: int


class Estimate(Record):
    """What a job would take on this machine: seconds of training with their error to either side,
    the most memory of its process. `cost` is null where the settings name no price."""

    steps: int
    seconds: float
    seconds_error: float
    peak_bytes: int
    trained_tokens: int
    cost: float | None

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", cost {self.cost:,.2f}"
        error = f" ± {_clock(self.seconds_error)}" if round(self.seconds_error) else ""
        return (
            f"{self.steps:,} steps in {_clock(self.seconds)}{error}, "
            + f"{self.trained_tokens:,} tokens, {self.peak_bytes / 2**30:.2f} GiB at most{cost}"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class FileCheck(Record):
    """`rows` = `examples` (fine) + `bad` + `blank`. `fit`: a job would take the file; `error` is
    what it would fail with. Distributions are per example: its messages, its tokens as the base
    reads them, and those of them that are learned. `findings_left_out`: errors that are counted
    and not listed. `openai` is null where this machine has no tiktoken or no vocabulary of it, and
    `openai_absent` then says why."""

    object: Literal["file.check"] = "file.check"
    file: str
    model: str
    purpose: Literal["training_file", "validation_file"]
    fit: bool
    error: JobError | None
    rows: int
    examples: int
    bad: int
    blank: int
    messages: Distribution
    tokens: Distribution
    supervised_tokens: Distribution
    n_epochs: int
    trained_tokens: int
    openai: OpenAICounts | None
    openai_absent: str | None
    findings: list[Finding]
    findings_left_out: int


class WrongAnswer(Record):
    """`line` is of the validation file."""

    line: int
    question: str
    expected: str
    given: str


class JobFailures(Record):
    """What the model of a job answers otherwise than its validation file does. `rows`: those with
    an answer to learn; `asked` of them were asked, `unanswered` left the model no room to answer,
    which `unanswered_because` says of the first. `accuracy`: the share of the answers that are as
    expected, null without answers; `answers` are the others. Each finding is a cluster of the
    `failed`; its lines are those of the training file that lie nearest."""

    object: Literal["fine_tuning.job.failures"] = "fine_tuning.job.failures"
    job: str
    model: str
    validation_file: str
    rows: int
    asked: int
    unanswered: int
    unanswered_because: str | None
    failed: int
    accuracy: float | None
    answers: list[WrongAnswer]
    findings: list[Finding]
