"""What a run says while it goes on: the `Report` protocol, and its form as JSON lines."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias, get_args

from tunewright import children


@dataclass(frozen=True)
class Started:
    """hyperparameters: n_epochs, batch_size (examples a step), learning_rate_multiplier.

    adapter: adaptation, rank, alpha, parameters (trained numbers), learning_rate (its peak).
    examples and supervised_tokens are those of one epoch. resumed_from: a step, null when fresh.
    """

    kind: ClassVar[str] = "started"
    hyperparameters: dict[str, float]
    adapter: dict[str, float | str]
    total_steps: int
    examples: int
    supervised_tokens: int
    resumed_from: int | None


@dataclass(frozen=True)
class Forecast:
    """What a run will take, from a short probe: seconds from now to Finished, with their error to
    either side, and the most memory of the process. trained_tokens: as in Step, of all steps."""

    kind: ClassVar[str] = "forecast"
    total_steps: int
    seconds: float
    seconds_error: float
    peak_bytes: int
    trained_tokens: int


@dataclass(frozen=True)
class Planned:
    """How the rows of a step are computed, in words and, of the first steps, in tokens: what plain
    rows would compute, what the plans compute, and the commonest length of a shared prefix."""

    kind: ClassVar[str] = "plan"
    message: str
    tokens: int
    computed: int
    shared: int


@dataclass(frozen=True)
class Metrics:
    """Losses are means over supervised tokens, in nats; accuracies are between 0 and 1.

    valid_*: a small batch of the validation file; full_valid_*: all of it. Null if not measured.
    """

    train_loss: float
    train_mean_token_accuracy: float
    valid_loss: float | None = None
    valid_mean_token_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_mean_token_accuracy: float | None = None


@dataclass(frozen=True)
class Step(Metrics):
    """A step that is done, counted from 1.

    trained_tokens: of all examples so far, prompts included, a conversation counted once however
    many of its turns are supervised. tokens_per_second: what this step computed, validation left
    out.
    """

    kind: ClassVar[str] = "step"
    step: int = 0
    total_steps: int = 0
    trained_tokens: int = 0
    tokens_per_second: float = 0.0


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that is whole on disk, at `path` below the run's folder.

    epoch: the one that has just ended; null for a resume point, which is no concern of a client's.
    """

    kind: ClassVar[str] = "checkpoint"
    step: int
    epoch: int | None
    path: str
    metrics: dict[str, float | None]


@dataclass(frozen=True)
class Message:
    kind: ClassVar[str] = "message"
    level: Literal["info", "warn", "error"]
    message: str


@dataclass(frozen=True)
class Written:
    """The trained weights, of so many steps, are whole on disk; parity.json is still to come."""

    kind: ClassVar[str] = "written"
    step: int


@dataclass(frozen=True)
class Finished:
    """The result is whole on disk, at `path` below the run's folder, and so is parity.json.

    peak_bytes: the most memory that the process had; 0 where it did not look.
    """

    kind: ClassVar[str] = "finished"
    path: str
    trained_tokens: int
    peak_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Failed:
    kind: ClassVar[str] = "failed"
    code: str
    message: str


Said: TypeAlias = (
    Planned | Started | Forecast | Step | Checkpoint | Message | Written | Finished | Failed
)


_SAID: dict[str, type[Said]] = {said.kind: said for said in get_args(Said)}


class Report(Protocol):
    """Takes what a run says, one thing after the other.

    A run says Planned and Started once, then a Forecast where it is fresh, then Steps in ascending
    order, Checkpoints and Messages among them, then Written, and ends with exactly one of Finished
    or Failed, unless it is stopped or killed. When a call returns, what was said has left the
    process. What a Checkpoint or Finished names was durable before it was said.

    A run that resumes says Started again, then its latest steps and every checkpoint that exists,
    then the steps after its resume point: many for the second time and with the same figures. So
    whoever listens tells things apart by kind and step. A call may raise to end the run:
    BrokenPipeError where nobody listens any more.
    """

    def __call__(self, said: Said, /) -> None: ...


def parsed(lines: Iterable[bytes]) -> Iterator[Said]:
    """What a run has said."""
    return children.parsed(lines, _SAID)
