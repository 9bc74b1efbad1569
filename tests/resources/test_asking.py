"""Many questions at once: in order, bounded, each with its own refusal."""

import threading

import pytest

from tunewright.errors import BadRequest, Busy, QuotaExceeded, Unavailable
from tunewright.resources import asking
from tunewright.resources.asking import ask

SECONDS = 20


def test_answers_come_in_order_and_at_most_so_many_at_once() -> None:
    """Each waits for two more that are asked beside it, so one at a time would never end; the
    third of four is refused."""
    beside, lock, most, now = threading.Barrier(3), threading.Lock(), [0], [0]
    counted: list[str] = []

    def answer(question: int) -> str:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        beside.wait(SECONDS)
        with lock:
            now[0] -= 1
        if question % 4 == 2:
            raise BadRequest(f"{question} is too long.")
        return f"answer {question}"

    found = ask(range(12), answer, at_once=3, each=lambda: counted.append("one"))
    said = [one.message if isinstance(one, BadRequest) else one for one in found]
    assert said == [f"{n} is too long." if n % 4 == 2 else f"answer {n}" for n in range(12)]
    assert most == [3]
    assert len(counted) == 12


def test_who_finds_no_room_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(asking, "pause", lambda _, seconds: waited.append(seconds))
    refusals = [Busy("full", retry_after=7.0), Busy("full", retry_after=3.0)]

    def answer(question: str) -> str:
        if refusals:
            raise refusals.pop(0)
        return question.upper()

    assert ask(["a", "b"], answer, at_once=1) == ["A", "B"]
    assert waited == [7.0, 3.0]


@pytest.mark.parametrize("end", [Unavailable("No engine."), QuotaExceeded("Nothing is left.")])
def test_what_is_no_question_s_fault_ends_it_and_wakes_who_waits(end: Exception) -> None:
    """Of two threads one waits an hour for room when the other meets the error."""
    asked: list[int] = []
    waits, woken = threading.Event(), threading.Event()

    def answer(question: int) -> int:
        asked.append(question)
        if question == 0:
            (woken if waits.is_set() else waits).set()
            raise Busy("full", retry_after=3600.0)
        if question == 1:
            assert waits.wait(SECONDS)
            raise end
        assert woken.wait(SECONDS)
        return question

    with pytest.raises(type(end), match=str(end)):
        ask(range(1000), answer, at_once=2)
    assert len(asked) < 100


def test_no_question_is_no_answer() -> None:
    assert ask([], lambda question: question) == []
