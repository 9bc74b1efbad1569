"""Examples as the judgements read them: what was asked, what was answered, by whom."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tunewright.analysis.neighbours import Vectors
from tunewright.dataset.examples import CompletionExample, Example
from tunewright.quality.questions import Questions
from tunewright.records.parts import said

_ANNOTATORS = ("annotator", "annotator_id", "labeler", "labeller", "rater", "author")


@dataclass(frozen=True, slots=True)
class Row:
    """One example. `line` counts from 1.

    `asked`: all that stands before the last answer, apart from system messages. `told`: what the
    user and the system said in it. `answers`: the texts that are learned, the last one last.
    `acts`: the assistant has tools, so it may do things. `annotator`: whom the row's metadata names
    as such, else the `name` of the last answer.
    """

    line: int
    system: str
    asked: str
    told: str
    answers: tuple[str, ...]
    acts: bool = False
    annotator: str = ""
    completion: bool = False

    @property
    def answer(self) -> str:
        return self.answers[-1]


@dataclass(frozen=True)
class Rows:
    """The rows of a file, with unit vectors, float32 [n, d], of what is asked and answered."""

    rows: Sequence[Row]
    asked: Vectors
    answered: Vectors

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def questions(self) -> Questions:
        """What is asked, and what is asked in other words: computed once, for all judgements."""
        return Questions([row.asked for row in self.rows], self.asked)


def read(examples: Iterable[tuple[int, Example]]) -> list[Row]:
    """Of examples with their lines. Rows whose answers are calls only are left out."""
    return [row for line, example in examples if (row := as_row(line, example))]


def as_row(line: int, example: Example) -> Row | None:
    if isinstance(example, CompletionExample):
        answers = (example.completion,)
        return Row(
            line,
            "",
            example.prompt,
            example.prompt,
            answers,
            annotator=_annotator(example),
            completion=True,
        )
    last = last_answer(example.messages)
    if last is None:
        return None
    before = example.messages[:last]
    return Row(
        line,
        system="\n".join(_texts(before, "system", "developer")),
        asked="\n".join(_texts(before, "user", "assistant", "tool", "function")),
        told="\n".join(_texts(before, "user", "system", "developer", "tool", "function")),
        answers=tuple(_texts([m for m in example.messages if _learned(m)], "assistant")),
        acts=bool(example.tools),
        annotator=_annotator(example) or example.messages[last].get("name") or "",
    )


def _annotator(example: Example) -> str:
    named = (example.metadata.get(key) for key in _ANNOTATORS)
    return next(filter(None, named), "")


def last_answer(messages: list[dict[str, Any]]) -> int | None:
    """The place of the last text that is learned."""
    spoken = [at for at, message in enumerate(messages) if _learned(message) and _text(message)]
    return spoken[-1] if spoken else None


def _learned(message: dict[str, Any]) -> bool:
    return message["role"] == "assistant" and message.get("weight", 1) != 0


def _texts(messages: Iterable[dict[str, Any]], *roles: str) -> list[str]:
    return [text for m in messages if m["role"] in roles and (text := _text(m))]


def _text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "".join(map(said, content))
    return content or ""
