"""What the demo teaches a base: two small sets of rows of our own, and how they are asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright import samples
from tunewright.cli.demo.scoring import Exam, Quiz, Sorting

REAL_BASE = "smollm2-135m"
BUILTIN_BASE = "builtin-chat"


@dataclass(frozen=True)
class Lesson:
    """`about`: what the rows are. `hyperparameters`: by base, what a job is given besides."""

    about: str
    suffix: str
    training: Path
    validation: Path | None
    exam: Exam
    max_tokens: int
    hyperparameters: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, Path]:
        """By the name of a job's parameter."""
        validation = {} if self.validation is None else {"validation_file": self.validation}
        return {"training_file": self.training, **validation}


def sarcastic() -> Lesson:
    return Lesson(
        about="120 chats of a sarcastic assistant",
        suffix="sarcastic",
        training=samples.CHATS,
        validation=samples.VALIDATION,
        exam=Quiz.read(samples.QUESTIONS),
        max_tokens=48,
        hyperparameters={
            REAL_BASE: {"n_epochs": 2, "batch_size": 4},
            # So small a base needs more to pick up a manner.
            BUILTIN_BASE: {"n_epochs": 4, "batch_size": 4},
        },
    )


def support() -> Lesson:
    return Lesson(
        about="60 support messages in four languages, sorted into JSON",
        suffix="support",
        training=samples.SUPPORT,
        validation=None,
        exam=Sorting.read(samples.SUPPORT_HELD_OUT),
        max_tokens=48,
        hyperparameters={
            REAL_BASE: {"n_epochs": 3, "batch_size": 4},
            BUILTIN_BASE: {"n_epochs": 8, "batch_size": 4},
        },
    )


LESSONS = {"sarcastic": sarcastic, "support": support}
