"""What counts in the demo's answers: exact rules, which the samples hold as data.

They and the questions were fixed before any model was tuned that they judge.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

OPENING_WORDS = 3


class Exam(Protocol):
    """Questions that no training row holds, and what counts in the answers to them."""

    @property
    def prompts(self) -> Sequence[list[dict[str, str]]]:
        """The messages of each question."""
        ...

    def score(self, answers: Sequence[str]) -> dict[str, int]:
        """By what is counted, in how many of the answers; one to each question, in their order."""
        ...


@dataclass(frozen=True)
class Question:
    """`right`: one of these must stand in the answer; `wrong`: none of these may. Whole words,
    capitals do not matter."""

    question: str
    right: Sequence[str]
    wrong: Sequence[str] = ()

    def is_right(self, answer: str) -> bool:
        right, wrong = ([re.escape(each) for each in some] for some in (self.right, self.wrong))
        return _holds(answer, right) and not (wrong and _holds(answer, wrong))


@dataclass(frozen=True)
class Manner:
    """A short, finished answer in several sentences (what stands before a colon is one too) that
    holds one of the `marks`: regular expressions of whole words."""

    marks: Sequence[str]
    sentences: int
    words: int

    def is_in(self, answer: str) -> bool:
        answer = answer.strip()
        return (
            answer.endswith((".", "!", "?"))
            and len(answer.split()) <= self.words
            and len(re.findall(r"[.!?:](?=\s|$)", answer)) >= self.sentences
            and _holds(answer, self.marks)
        )


@dataclass(frozen=True)
class Quiz:
    """Questions of fact, to be answered rightly and in a manner."""

    system: str
    manner: Manner
    questions: Sequence[Question]

    @classmethod
    def read(cls, path: Path) -> "Quiz":
        found = json.loads(path.read_text("utf-8"))
        questions = [Question(**row) for row in found["questions"]]
        return cls(found["system"], Manner(**found["manner"]), questions)

    @property
    def prompts(self) -> Sequence[list[dict[str, str]]]:
        return [
            [{"role": "system", "content": self.system}, {"role": "user", "content": q.question}]
            for q in self.questions
        ]

    def score(self, answers: Sequence[str]) -> dict[str, int]:
        right = (q.is_right(a) for q, a in zip(self.questions, answers, strict=True))
        return {
            "right": sum(right),
            "in Clive's manner": sum(map(self.manner.is_in, answers)),
            f"different openings ({OPENING_WORDS} words)": len(set(map(opening, answers))),
        }


@dataclass(frozen=True)
class Sorting:
    """Texts to be answered with one JSON object each: chats whose last message is the reference."""

    chats: Sequence[list[dict[str, str]]]

    @classmethod
    def read(cls, path: Path) -> "Sorting":
        return cls([json.loads(line)["messages"] for line in path.read_text("utf-8").splitlines()])

    @property
    def prompts(self) -> Sequence[list[dict[str, str]]]:
        return [chat[:-1] for chat in self.chats]

    @property
    def references(self) -> list[dict[str, Any]]:
        return [json.loads(chat[-1]["content"]) for chat in self.chats]

    def score(self, answers: Sequence[str]) -> dict[str, int]:
        found, references = [_object(answer) for answer in answers], self.references
        pairs = list(zip(found, references, strict=True))
        fields = references[0]
        return {
            "valid JSON": sum(each is not None for each in found),
            "all fields right": sum(each == reference for each, reference in pairs),
            **{
                f"{name} right": sum(
                    each is not None and each.get(name) == r[name] for each, r in pairs
                )
                for name in fields
            },
        }


def opening(answer: str) -> tuple[str, ...]:
    """The first three words, without marks and capitals."""
    return tuple(re.findall(r"[\w'-]+", answer.lower())[:OPENING_WORDS])


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object that `text` is; None where it is anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _holds(text: str, phrases: Iterable[str]) -> bool:
    return bool(re.search(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", text, re.IGNORECASE))
