"""The choice of threads, on a machine that is simulated: nothing here waits or measures."""

import pytest
import torch

from tunewright.builtin import CHAT
from tunewright.generation import resident
from tunewright.generation.resident import Resident
from tunewright.generation.threads import Threads

QUIET = {1: 0.056, 2: 0.042}
BUSY = {1: 0.140, 2: 0.605}


class Machine:
    """Takes steps with the threads that it is told, and adds up what they cost."""

    def __init__(self, most: int = 2, first: int = 1, apart: float = 1.0) -> None:
        self.threads = Threads(most, first, apart)
        self.now = 1000.0
        self.wasted = 0.0

    def read(self, takes: dict[int, float], lengths: list[int], pause: float = 0.0) -> list[int]:
        """The threads of each prompt. `takes`: seconds a token; `pause`: before the next one."""
        used: list[int] = []
        for length in lengths:
            count = self.threads.count
            self.now += pause + length * takes[count]
            self.wasted += length * (takes[count] - min(takes.values()))
            self.threads.took(1, length * takes[count], self.now, work=length)
            used.append(count)
        return used

    def run(self, takes: dict[int, float], steps: int, rows: tuple[int, ...] = (1,)) -> list[int]:
        """The threads of each step. `rows`: of a step, by turns; each takes as long as one."""
        used: list[int] = []
        for n in range(steps):
            count = self.threads.count
            some = rows[n % len(rows)]
            self.now += some * takes[count]
            self.wasted += some * (takes[count] - min(takes.values()))
            self.threads.took(some, some * takes[count], self.now)
            used.append(count)
        return used


def test_a_load_changes_the_choice_at_once_and_its_end_changes_it_back() -> None:
    machine = Machine()
    assert machine.run(QUIET, 500)[-50:] == [2] * 50
    busy = machine.run(BUSY, 200)
    assert busy[:8] == [2, 1, 1, 1, 1, 1, 1, 1]  # one step is plainly of another machine
    assert busy.count(2) <= 6
    quiet = machine.run(QUIET, 1000)
    assert quiet[-500:].count(2) >= 475
    assert (
        quiet.index(2) < 400
    )  # a trial under load cost a second, and 5 % of the time is the bound


@pytest.mark.parametrize("takes", [QUIET, BUSY, {1: 0.05, 2: 0.05}, {1: 0.02, 2: 2.0}])
def test_trials_lose_a_twentieth_of_the_time_at_most(takes: dict[int, float]) -> None:
    machine = Machine()
    machine.run(takes, 20)
    began, machine.wasted = machine.now, 0.0
    used = machine.run(takes, 20_000)
    best = min(takes, key=lambda count: takes[count])
    assert machine.wasted <= 0.06 * (machine.now - began)
    assert used.count(best) >= 0.9 * len(used) or len(set(takes.values())) == 1


@pytest.mark.parametrize("rows", [(1, 2), (1, 1, 1, 1, 1, 2, 2, 2, 2, 2)])
def test_a_changing_batch_neither_fools_the_choice_nor_keeps_trials_going(
    rows: tuple[int, ...],
) -> None:
    machine = Machine()
    machine.run(QUIET, 100)
    machine.wasted, began = 0.0, machine.now
    used = machine.run(QUIET, 3000, rows)
    assert used.count(2) > 0.9 * len(used)
    assert machine.wasted <= 0.06 * (machine.now - began)


def test_a_slower_kind_of_step_is_no_load() -> None:
    machine = Machine()
    machine.run(QUIET, 20)  # the next trial is due in two seconds
    assert machine.run(QUIET, 8, rows=(4,)) == [2] * 8


def test_one_slow_step_among_the_usual_ones_does_not_prolong_a_trial() -> None:
    busy = {1: 0.140, 2: 0.500}
    machine = Machine()
    machine.run(busy, 300)
    machine.now += 3600.0  # a trial is due
    machine.run(busy, 2)
    machine.run({1: 0.270}, 1)
    assert machine.threads.count == 2
    assert machine.run(busy, 9).count(2) == 1


def test_one_thread_stays_one() -> None:
    assert set(Machine(most=1).run({1: 0.008}, 1000)) == {1}


def test_a_pause_ends_a_trial_and_what_it_knew() -> None:
    machine = Machine()
    machine.run(QUIET, 3)
    assert machine.threads.count == 2  # in the middle of a trial
    machine.now += 3600.0
    machine.run(QUIET, 1)
    assert machine.threads.count == 1


@pytest.mark.parametrize("slower", [1.2, 1.45])
def test_the_first_minutes_on_an_idle_machine_cost_next_to_nothing(slower: float) -> None:
    """A trial that is plainly lost ends after three steps."""
    machine, takes = Machine(), {1: 0.042 * slower, 2: 0.042}
    for seconds, share in ((3.5, 0.03), (60.0, 0.01)):
        began, machine.wasted = machine.now, 0.0
        machine.run(takes, round(seconds / 0.042))
        assert machine.wasted <= share * (machine.now - began)


@pytest.mark.parametrize("hiccup", [0.065, 0.2])
def test_a_hiccup_bars_what_is_faster_for_a_minute_at_most(hiccup: float) -> None:
    machine = Machine()
    machine.run(BUSY, 60)
    machine.now += 300.0
    machine.run(QUIET, 3)
    assert machine.threads.count == 2  # it is tried, and something comes in between
    machine.run({1: 0.056, 2: hiccup}, 3)
    began = machine.now
    while machine.threads.kept < 2:
        machine.run(QUIET, 1)
    assert machine.now - began <= 61.0


@pytest.mark.parametrize("takes", [QUIET, BUSY])
def test_it_begins_with_one_thread_and_tries_all_at_once(takes: dict[int, float]) -> None:
    used = Machine().run(takes, 40)
    assert used[:2] == [1, 2]
    assert used[-20:] == [min(takes, key=lambda count: takes[count])] * 20


def test_a_load_is_noticed_by_the_first_step_after_a_pause() -> None:
    """With seconds between short answers no three steps are ever comparable."""
    machine = Machine()
    machine.run(QUIET, 500)
    used: list[int] = []
    for _ in range(10):
        machine.now += 30.0
        used += machine.run(BUSY, 2)
    assert used.count(2) <= 6  # one that notices, and one every minute
    assert used[:2] == [2, 1]


def test_prompts_of_any_length_are_compared_by_the_time_a_token_takes() -> None:
    """Of a base whose steps are too small for eight threads, and whose prompts are not."""
    lengths = [256, 40, 180, 256, 97, 33, 256, 70] * 40
    prompts = Machine(most=8, first=8, apart=60.0)
    prompts.threads.follow(1)  # so the steps have it
    used = prompts.read({1: 0.004, 8: 0.0009}, lengths, pause=5.0)
    assert used[:2] == [1, 8]
    assert used.count(8) >= 0.9 * len(used)
    assert prompts.wasted <= 0.06 * (prompts.now - 1000.0)


def test_prompts_notice_a_load_too() -> None:
    machine = Machine(first=2, apart=60.0)
    machine.read({1: 0.0035, 2: 0.0024}, [256, 64, 120] * 10, pause=1.0)
    busy = machine.read({1: 0.009, 2: 0.045}, [256, 64, 120] * 20, pause=1.0)
    assert busy[:3].count(2) <= 3
    assert busy.count(2) <= 8


@pytest.mark.parametrize("steps", [QUIET, BUSY])
def test_prompts_follow_the_steps_and_are_tried_only_where_these_take_one(
    steps: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "threads", lambda _: 2)
    found = Resident(CHAT)
    now = 1000.0

    def told(rows: int, tokens: int, seconds: dict[int, float], threads: Threads) -> int:
        nonlocal now
        count = threads.count
        now += seconds[count]
        found._timed(torch.zeros(rows, tokens, dtype=torch.long), seconds[count], now)
        return count

    reads = {1: 2.0, 2: 9.0} if steps is BUSY else {1: 0.9, 2: 0.6}
    assert told(1, 256, reads, found.reading) == 2
    for _ in range(100):
        told(1, 1, steps, found.threads)
    used = [told(1, 256, reads, found.reading) for _ in range(12)]
    assert used.count(1) >= 10 if steps is BUSY else used == [2] * 12
