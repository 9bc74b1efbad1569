"""What is opened once for everybody."""

import threading

import pytest

from tunewright.kept import Kept


def test_what_is_there_does_not_wait_for_what_is_being_opened() -> None:
    kept, opening, may_end = Kept[int](), threading.Event(), threading.Event()
    kept.get("there", lambda: 1)

    def slow() -> int:
        opening.set()
        may_end.wait(30)
        return 2

    thread = threading.Thread(target=kept.get, args=("slow", slow))
    thread.start()
    opening.wait(30)
    try:
        assert kept.get("there", lambda: 3) == 1
        assert kept.get("other", lambda: 4) == 4
    finally:
        may_end.set()
        thread.join()
    assert kept.get("slow", lambda: 5) == 2


def test_those_used_last_are_kept_and_what_failed_is_tried_again() -> None:
    kept = Kept[int](most=2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    for key in ("a", "b", "a", "c"):
        kept.get(key, lambda: 1)
    assert [kept.get(key, lambda: 2) for key in ("a", "c")] == [1, 1]
    assert kept.get("b", lambda: 2) == 2
