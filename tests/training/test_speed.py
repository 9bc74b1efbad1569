"""By which rates a job plans: measured once, kept with the job, the same for all who compute it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from tiny import FORKS, Heard, chat, rates_as_follower

from tunewright import durable
from tunewright.training import Stopped, probe, speed
from tunewright.training.plans.costs import RATES, Costs, Rates
from tunewright.training.plans.planner import Piece
from tunewright.training.ranks import ALONE, Ranks, joined
from tunewright.training.recipe import Recipe
from tunewright.training.report import Message, Planned, Report, Step
from tunewright.training.run import prepare
from tunewright.training.supervised import METHOD, train

Make = Callable[..., Recipe]
CPU = torch.device("cpu")
USUAL = RATES["cpu"]


def together(count: int = 12) -> list[dict]:
    """Rows with a shared prefix, which is what rates decide about."""
    return [chat("the same long beginning " * 3 + "abcdef"[i % 6], "red") for i in range(count)]


def rates_of(
    recipe: Recipe, folder: Path, seconds: float = 1e9, report: Report = lambda _: None
) -> Rates:
    return speed.rates_of(recipe, folder, ALONE, seconds, CPU, report)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Rates]:
    """What is measured, one after the other; what is left has not been asked for."""
    found = [replace(USUAL, tree=0.2), replace(USUAL, tree=0.3)]
    monkeypatch.setattr(speed, "measure", lambda: found.pop(0))
    return found


def test_what_known_rates_would_take_gives_these_rates() -> None:
    known = Rates(call=0.7, product=3.0, causal=11.0, cached=5.0, tree=2.0)
    costs = Costs(known, layers=2, token=1_600_000, pair=1024, head=0)

    def seconds(piece: Piece) -> float:
        longest = [len(batch[0].ids) for batch in piece.batches]
        if piece.kind == "forest":
            return costs.calls(1) + costs.trie(piece.computed)
        if piece.kind == "rows":
            both = zip(piece.batches, longest, strict=True)
            return sum(costs.calls(1) + len(batch) * costs.alone(long) for batch, long in both)
        beginning = 17.0  # whatever it takes
        own = longest[0] - piece.shared
        batch = costs.calls(1) + costs.suffixes(len(piece.batches[0]), own, piece.shared)
        return beginning + len(piece.batches) * batch

    def timed(pieces: Sequence[Piece]) -> list[float]:
        return list(map(seconds, pieces))

    found = probe._rates(costs, probe._SIZE, timed)
    assert asdict(found) == pytest.approx(asdict(known), rel=1e-9)


def test_rounds_that_are_disturbed_change_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [replace(USUAL), replace(USUAL, tree=9.0), replace(USUAL), replace(USUAL, cached=-1.0)]
    monkeypatch.setattr(probe, "ROUNDS", 5)
    monkeypatch.setattr(probe, "_timer", lambda model: None)
    monkeypatch.setattr(probe, "_rates", lambda *_: rounds.pop() if rounds else USUAL)
    assert probe.measure() == USUAL


def test_a_measurement_touches_nothing_that_a_run_depends_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "ROUNDS", 1)
    random, threads = torch.get_rng_state(), torch.get_num_threads()
    found = probe.measure()
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_num_threads() == threads
    assert found.product > 0


def test_a_machine_is_measured_once_for_long_jobs(
    recipe: Make, tmp_path: Path, measured: list[Rates]
) -> None:
    file = tmp_path / "home" / "speed.json"
    given = recipe(speed=file)
    assert rates_of(given, tmp_path / "short", seconds=59) == USUAL
    assert rates_of(recipe(), tmp_path / "unasked") == USUAL
    assert not file.exists()
    first = rates_of(given, tmp_path / "a")
    assert first == rates_of(given, tmp_path / "b") == replace(USUAL, tree=0.2)
    assert rates_of(given, tmp_path / "short", seconds=59) == USUAL  # whatever is known since
    assert len(measured) == 1
    (name,) = durable.read_json(file)
    assert torch.__version__ in name
    file.write_bytes(b"{")
    assert rates_of(given, tmp_path / "c") == replace(USUAL, tree=0.3)
    assert list(durable.read_json(file)) == [name]


@pytest.mark.parametrize(
    ("changes", "sound"),
    [
        ({}, True),
        ({"call": USUAL.call * 19}, True),
        ({"call": USUAL.call * 21}, False),
        ({"tree": USUAL.tree / 21}, False),
        ({"causal": 0.0}, False),
        ({"cached": -0.1}, False),
        ({"product": math.nan}, False),
        ({"call": math.inf}, False),
        ({name: 1000 * rate for name, rate in asdict(USUAL).items()}, True),  # a slow machine
    ],
)
def test_a_measurement_that_makes_no_sense_is_not_used(
    recipe: Make,
    said: Heard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, float],
    sound: bool,
) -> None:
    found, asked = replace(USUAL, **changes), list[int]()
    monkeypatch.setattr(speed, "measure", lambda: (asked.append(1), found)[1])
    given = recipe(speed=tmp_path / "speed.json")
    for folder in ("a", "b"):
        assert rates_of(given, tmp_path / folder, report=said) == (found if sound else USUAL)
    assert len(asked) == (1 if sound else 2)  # a later job tries again
    assert [m.level for m in said.of(Message)] == ([] if sound else ["info", "info"])
    assert (tmp_path / "speed.json").exists() is sound


def test_what_cannot_be_measured_or_written_fails_no_job(
    recipe: Make, said: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    given = recipe(speed=tmp_path / "file" / "speed.json")  # where nothing can be
    monkeypatch.setattr(speed, "measure", lambda: replace(USUAL, tree=0.2))
    assert rates_of(given, tmp_path / "a", report=said) == USUAL

    def fails() -> Rates:
        raise RuntimeError("no kernel for this")

    monkeypatch.setattr(speed, "measure", fails)
    assert rates_of(recipe(speed=tmp_path / "speed.json"), tmp_path / "b", report=said) == USUAL
    assert "no kernel for this" in said.of(Message)[1].message


def test_a_job_that_goes_on_with_another_device_plans_anew(recipe: Make, tmp_path: Path) -> None:
    speed.keep(tmp_path, replace(USUAL, tree=0.2), torch.device("cuda"))
    assert rates_of(recipe(), tmp_path) == USUAL
    speed.keep(tmp_path, replace(USUAL, tree=0.2), CPU)
    assert rates_of(recipe(), tmp_path) == replace(USUAL, tree=0.2)


def test_a_job_goes_on_with_the_rates_it_began_with(
    recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the machine's file says something else meanwhile, which would change its plans."""
    monkeypatch.setattr(speed, "WORTH", 0)
    file, name = tmp_path / "speed.json", speed.name_of()
    sharing, calling = replace(USUAL, call=1e-9), replace(USUAL, call=10.0, tree=1e6)
    given = recipe(together(), n_epochs=3, speed=file)
    durable.write_json(file, {name: asdict(sharing)})
    train(given, tmp_path / "whole", Heard())

    said = Heard()
    with pytest.raises(Stopped):
        train(given, tmp_path / "task", said, lambda: len(said.of(Step)) == 4)
    durable.write_json(file, {name: asdict(calling)})
    other = prepare(METHOD, given, tmp_path / "other", Heard())
    again = Heard()
    train(given, tmp_path / "task", again)

    assert other.planner.costs.rates == calling
    assert again.of(Planned) == said.of(Planned)
    assert {piece.kind for piece in other.plan(other.training.samples(range(4)))} == {"rows"}
    assert said.of(Planned)[0].computed < said.of(Planned)[0].tokens
    assert not again.of(Message)  # the resume point has the same environment
    whole, task = (durable.verify(tmp_path / f / "model")["files"] for f in ("whole", "task"))
    assert whole["adapter_model.safetensors"] == task["adapter_model.safetensors"]


def test_all_ranks_plan_with_the_leaders(
    recipe: Make, tmp_path: Path, measured: list[Rates]
) -> None:
    """Though the other has measured its own and keeps another job in its folder."""
    given, theirs = recipe(speed=tmp_path / "speed.json"), recipe()
    speed.keep(tmp_path / "theirs", replace(USUAL, product=0.5), CPU)
    ours, end = FORKS.Pipe(duplex=False)
    meeting = tmp_path / "meeting"
    follower = FORKS.Process(
        target=rates_as_follower, args=(theirs, tmp_path / "theirs", meeting, end)
    )
    follower.start()
    with joined(Ranks(0, 2), meeting) as ranks:
        lead = speed.rates_of(given, tmp_path / "ours", ranks, 1e9, CPU, Heard())
        assert lead == replace(USUAL, tree=0.2)
        assert ours.recv() == lead
    follower.join()
