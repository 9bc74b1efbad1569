"""Who sends takes turns, and long work of one organisation leaves others a place."""

import asyncio
from functools import partial

from tunewright.api import rounds
from tunewright.api.rounds import Rounds
from tunewright.api.turns import Lane


def test_a_thousand_of_one_sender_do_not_stand_before_one_of_another(monkeypatch) -> None:
    monkeypatch.setattr(rounds, "BUDGET", 1e-9)  # one in each round
    heard: list[str] = []

    async def scenario() -> None:
        turns = Rounds()
        turns._used = 1.0  # something ran in this round
        turns._run(partial(heard.append, "first"))
        for at in range(1000):
            assert not turns.take("a", partial(heard.append, f"a{at}"))
        assert not turns.take("b", partial(heard.append, "b"))
        while len(heard) < 1002:
            await asyncio.sleep(0)

    asyncio.run(scenario())
    assert heard[:4] == ["first", "a0", "b", "a1"]
    assert heard[4:] == [f"a{at}" for at in range(2, 1000)]


def test_what_comes_while_nobody_waits_is_taken_at_once() -> None:
    async def scenario() -> list[bool]:
        turns = Rounds()
        return [turns.take("a", int)]

    assert asyncio.run(scenario()) == [True]


def test_a_call_that_raises_ends_no_round(monkeypatch) -> None:
    heard: list[str] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: heard.append("told"))
        turns = Rounds()
        turns._used = 1.0
        turns.take("a", lambda: heard.append("a"))
        turns.take("b", partial(int, "x"))
        turns.take("c", lambda: heard.append("c"))
        asyncio.get_running_loop().call_soon(turns._next)
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(scenario())
    assert sorted(heard) == ["a", "c", "told"]


def test_keys_are_known_again_and_forgotten(monkeypatch) -> None:
    monkeypatch.setattr(rounds, "MOST_KNOWN", 2)
    turns = Rounds()
    for claim in (b"a", b"b", b"a", b"c"):
        turns.know(claim, claim.decode())
    assert [turns.of(claim) for claim in (b"a", b"b", b"c")] == ["a", None, "c"]


def test_a_place_is_left_for_another_organisation() -> None:
    async def scenario() -> list[str]:
        lane, order, end = Lane("some", places=2, most=8, spare=1), list[str](), asyncio.Event()

        async def work(who: str, name: str) -> None:
            async with lane.turn(who):
                order.append(name)
                await end.wait()

        tasks = [asyncio.create_task(work("a", f"a{at}")) for at in range(4)]
        tasks += [asyncio.create_task(work("b", f"b{at}")) for at in range(2)]
        await asyncio.sleep(0.01)
        begun = list(order)
        end.set()
        await asyncio.gather(*tasks)
        assert sorted(order) == ["a0", "a1", "a2", "a3", "b0", "b1"]
        return begun

    assert asyncio.run(scenario()) == ["a0", "a1", "b0"]
