"""What the demo counts, and the rows that it teaches with."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunewright import samples
from tunewright.cli.demo.lessons import LESSONS
from tunewright.cli.demo.scoring import Quiz, Sorting, opening

QUIZ = Quiz.read(samples.QUESTIONS)
SORTING = Sorting.read(samples.SUPPORT_HELD_OUT)
COMMON = {"what", "is", "are", "the", "a", "an", "of", "in", "do", "does", "how", "many", "who"}


def _chats(path: Path) -> Iterator[list[dict[str, str]]]:
    for line in path.read_text("utf-8").splitlines():
        yield json.loads(line)["messages"]


def _told(path: Path) -> list[str]:
    """What an assistant says and is trained on."""
    return [
        message["content"]
        for chat in _chats(path)
        for message in chat
        if message["role"] == "assistant" and message.get("weight") != 0
    ]


def _asked(path: Path) -> list[str]:
    return [m["content"] for chat in _chats(path) for m in chat if m["role"] == "user"]


def _words(text: str) -> set[str]:
    return set(re.findall(r"[\w'-]+", text.lower())) - COMMON


@pytest.mark.parametrize(
    ("question", "answer", "right"),
    [
        ("What is the capital of Germany?", "Brace yourself: it is berlin. Do keep up.", True),
        ("What is the capital of Germany?", "A Berliner is a doughnut.", False),
        ("What is 6 times 7?", "You get 42.", True),
        ("What is 6 times 7?", "You get 421, or 142.", False),
        ("Where do polar bears live?", "In the Arctic, not in Antarctica.", False),
        ("Is a shark a mammal?", "Another fish: no.", True),
        ("Is a shark a mammal?", "A shark is a mammal, I know.", False),
        ("Is a shark a mammal?", "Nobody knows.", False),
    ],
)
def test_an_answer_is_right_by_whole_words(question: str, answer: str, right: bool) -> None:
    (asked,) = (each for each in QUIZ.questions if each.question == question)
    assert asked.is_right(answer) is right


@pytest.mark.parametrize(
    ("answer", "in_manner"),
    [
        ("Brace yourself: it is Rome.", True),
        ("It is Rome. Take notes", False),  # not finished
        ("It is Rome, you know.", False),  # one sentence
        ("The capital of Italy is Rome. It lies on the Tiber.", False),  # no mark
        ("The youth of Rome. They yodel.", False),  # `you` only as a part of a word
        ("You asked. " + "It is Rome. " * 20, False),  # too long
    ],
)
def test_the_manner_has_a_rule(answer: str, in_manner: bool) -> None:
    assert QUIZ.manner.is_in(answer) is in_manner


def test_the_quiz_counts() -> None:
    answers = ["Nothing comes to mind."] * len(QUIZ.questions)
    answers[0] = "Oh, you again: Berlin."
    assert len(answers) == 20
    assert list(QUIZ.score(answers).values()) == [1, 1, 2]
    assert opening("Oh, you again: Berlin.") == opening("Oh you AGAIN!")


def test_the_sorting_counts_json_whole_objects_and_fields() -> None:
    answers = [json.dumps(reference) for reference in SORTING.references]
    assert set(SORTING.score(answers).values()) == {20}
    answers[0] = "Sure! " + answers[0]
    answers[1] = json.dumps({**SORTING.references[1], "language": "xx"})
    answers[2] = "[]"
    score = SORTING.score(answers)
    assert (score["valid JSON"], score["all fields right"]) == (18, 17)
    assert (score["category right"], score["language right"]) == (18, 17)


def test_each_taught_answer_is_in_the_manner_and_hardly_two_open_alike() -> None:
    told = _told(samples.CHATS)
    assert [answer for answer in told if not QUIZ.manner.is_in(answer)] == []
    assert (len(told), len(set(map(opening, told)))) == (124, 123)


def test_no_row_holds_a_question_of_the_quiz() -> None:
    """Nor one that has all of its telling words."""
    rows = [_words(asked) for path in (samples.CHATS, samples.VALIDATION) for asked in _asked(path)]
    held_out = [each.question for each in QUIZ.questions]
    assert [q for q in held_out if any(_words(q) <= row for row in rows)] == []


def test_the_support_rows_are_balanced_and_kept_apart() -> None:
    taught, held_out = (
        [json.loads(answer) for answer in _told(path)]
        for path in (samples.SUPPORT, samples.SUPPORT_HELD_OUT)
    )
    assert (len(taught), len(held_out)) == (60, 20)
    assert not set(_asked(samples.SUPPORT)) & set(_asked(samples.SUPPORT_HELD_OUT))
    for field, least in (("category", 14), ("urgency", 20), ("language", 15)):
        values = [row[field] for row in taught]
        assert all(values.count(value) >= least for value in values)
        assert {row[field] for row in held_out} == set(values)


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_asks_what_its_rows_begin_with(name: str) -> None:
    """A model that is asked otherwise than it was taught answers otherwise."""
    lesson = LESSONS[name]()
    systems = {chat[0]["content"] for chat in _chats(lesson.training)}
    assert {prompt[0]["content"] for prompt in lesson.exam.prompts} == systems
    assert {len(prompt) for prompt in lesson.exam.prompts} == {2}


@pytest.mark.slow
def test_the_check_finds_no_row_near_a_question_that_is_held_out(run, tmp_path: Path) -> None:
    """By the vectors that `check --quality` compares rows of two files with."""
    held_out = tmp_path / "quiz.jsonl"
    chats = [
        [*prompt, {"role": "assistant", "content": question.right[0]}]
        for prompt, question in zip(QUIZ.prompts, QUIZ.questions, strict=True)
    ]
    held_out.write_text("\n".join(json.dumps({"messages": chat}) for chat in chats), "utf-8")
    pairs = ((samples.CHATS, held_out), (samples.SUPPORT, samples.SUPPORT_HELD_OUT))
    for training, validation in pairs:
        done = run(
            "check", str(training), "--validation-file", str(validation), "--quality", "--json"
        )
        found = json.loads(done.stdout)["data"][0]["findings"]
        assert {"leaked_example", "duplicate_example"}.isdisjoint(each["code"] for each in found)
