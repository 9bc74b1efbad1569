import pytest
from hypothesis import given
from hypothesis import strategies as st

from tunewright.answering.stop_strings import StopStrings


def cut(pieces: list[str], stops: list[str]) -> tuple[str, bool]:
    strings = StopStrings(stops)
    shown = "".join(strings.push(piece) for piece in pieces)
    return shown + strings.rest(), strings.hit


@given(st.lists(st.text("ab", max_size=4)), st.lists(st.text("ab", min_size=1, max_size=3)))
def test_as_if_the_whole_text_had_been_there_at_once(pieces: list[str], stops: list[str]) -> None:
    shown, hit = cut(pieces, stops)
    whole = "".join(pieces)
    # Shown before a stop string that ends later is never taken back, so the earliest END counts.
    ends = [(whole.find(s) + len(s), whole.find(s)) for s in stops if s in whole]
    assert hit == bool(ends)
    if not hit:
        assert shown == whole
    else:
        assert whole.startswith(shown)
        assert not any(stop in shown for stop in stops)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [(["one ST", "OP two"], "one "), (["one ST", "ONE"], "one STONE"), (["STOP"], "")],
)
def test_what_may_become_a_stop_is_held_back(pieces: list[str], shown: str) -> None:
    assert cut(pieces, ["STOP"])[0] == shown
