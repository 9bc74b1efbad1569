"""What an answer says, judged alone."""

from collections.abc import Callable

import pytest

from quality.frozen import FROZEN
from quality.phrases import TUNED
from tunewright.quality.grounding import unsupported
from tunewright.quality.promises import promises
from tunewright.quality.refusals import refuses
from tunewright.quality.rows import Row
from tunewright.quality.speech import slips

ASKED = "What should I do?"


def claims(answer: str, told: str = ASKED) -> bool:
    return bool(unsupported(Row(1, "", told, told, (answer,))))


JUDGES: dict[str, Callable[[str], bool]] = {
    "refusal": refuses,
    "impossible_promise": lambda answer: bool(promises(ASKED, answer)),
    "role_slip": slips,
    "unsupported_claim": claims,
}


@pytest.mark.parametrize("code", JUDGES)
def test_phrases_are_told_from_those_that_look_alike(code: str) -> None:
    assert [text for text in TUNED[code].seen if not JUDGES[code](text)] == []
    assert [text for text in TUNED[code].fine if JUDGES[code](text)] == []


@pytest.mark.parametrize("code", FROZEN)
def test_phrases_that_were_written_before_the_rules_are_found(code: str) -> None:
    seen, fine = FROZEN[code]
    assert sum(map(JUDGES[code], seen)) >= 0.95 * len(seen)
    assert [text for text in fine if JUDGES[code](text)] == []


def test_what_the_user_said_supports_a_claim() -> None:
    said = "With your experience running a bakery, you can open a second one."
    assert claims(said)
    assert not claims(said, "I run a bakery. Should I open a second one?")


def test_an_answer_that_is_a_letter_of_the_user_promises_nothing() -> None:
    said = "Dear team, I will send you the invoice on Friday."
    assert promises("Is it on its way?", said)
    assert not promises("Write an email to my team.", said)
