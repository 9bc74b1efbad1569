"""What counts in the demo's answers: exact rules, which `questions.json` holds as data.

They and the twenty questions were fixed before any model was tuned that they judge.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OPENING_WORDS = 3


@dataclass(frozen=True)
class Question:
    """`right`: one of these must stand in the answer; `wrong`: none of these may. Whole words,
    capitals do not matter."""

    question: str
    right: Sequence[str]
    wrong: Sequence[str] = ()

    def is_right(self, answer: str) -> bool:
        return _holds(answer, map(re.escape, self.right)) and not (
            self.wrong and _holds(answer, map(re.escape, self.wrong))
        )


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
class Score:
    """Of `asked` answers: how many are in the manner, how many right, how many different openings
    there are."""

    asked: int
    in_manner: int
    right: int
    openings: int


@dataclass(frozen=True)
class Exam:
    system: str
    manner: Manner
    questions: Sequence[Question]

    @classmethod
    def read(cls, path: Path) -> "Exam":
        found = json.loads(path.read_text("utf-8"))
        questions = [Question(**row) for row in found["questions"]]
        return cls(found["system"], Manner(**found["manner"]), questions)

    def score(self, answers: Sequence[str]) -> Score:
        """Of one answer to each question, in their order."""
        return Score(
            len(answers),
            sum(map(self.manner.is_in, answers)),
            sum(q.is_right(a) for q, a in zip(self.questions, answers, strict=True)),
            len(set(map(opening, answers))),
        )


def opening(answer: str) -> tuple[str, ...]:
    """The first three words, without marks and capitals."""
    return tuple(re.findall(r"[\w'-]+", answer.lower())[:OPENING_WORDS])


def _holds(text: str, phrases: "Sequence[str] | map[str]") -> bool:
    return bool(re.search(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", text, re.IGNORECASE))
