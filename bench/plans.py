"""What the plans take on this machine, beside what the planner says they take.

It chooses between them, so only the order of a line's figures has to be right: how often it is, by
the rates that `training/probe.py` measures and by those that stand in `training/plans/costs.py`.
CPU seconds of a forward and a backward pass of 16 rows of `own` tokens after `shared` common ones;
medians of rounds in turn. `said`: by measured rates, scaled by the machine's speed.

    .venv/bin/python bench/plans.py [--base DIR] [--rounds 3]
"""

import argparse
import statistics
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from tunewright import builtin
from tunewright.training.examples import Sample
from tunewright.training.loss import Objective
from tunewright.training.plans.costs import Costs
from tunewright.training.plans.planner import BUDGETS, Choice, Chooser, Kind, Piece, by_length
from tunewright.training.plans.tries import Sorted
from tunewright.training.probe import measure
from tunewright.weights.base import load_base, threads
from tunewright.weights.lora import attach

ROWS = 16
SHAPES = [(0, 60), (20, 20), (20, 60), (60, 20), (60, 100), (100, 40), (200, 20), (200, 100)]
SHAPES += [(400, 10), (600, 40)]


def rows(shared: int, own: int) -> list[Sample]:
    random = np.random.default_rng(shared + own)
    first = random.integers(0, 4000, shared)
    lengths = random.integers(own // 2, own * 3 // 2, ROWS)
    ids = [np.concatenate([first, random.integers(0, 4000, n)]) for n in lengths]
    return [Sample(i.astype(np.int32), len(i) - 5, line, 0) for line, i in enumerate(ids)]


def choices(costs: Costs, samples: list[Sample], budget: int) -> dict[Kind, Choice]:
    """What the planner weighs against each other for rows that share one beginning."""
    chooser, found = (
        Chooser(costs, frozenset({"rows", "prefix", "forest"}), budget),
        Sorted.of(samples),
    )
    alone = chooser.alone(found)
    batches = [Piece("rows", [batch]) for batch in by_length(samples, budget)]
    weighed: dict[Kind, Choice] = {"rows": Choice(alone.seconds, batches)}
    for choice in [*chooser.prefix(found), *chooser.forest(found)]:
        weighed[choice.pieces[0].kind] = choice
    return weighed


def cheapest_of(weighed: dict[Kind, Choice]) -> Kind:
    return min(weighed, key=lambda kind: weighed[kind].seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=builtin.CHAT)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    model = load_base(options.base)
    torch.set_num_threads(threads(model))
    objective = Objective(model, "head")
    attach(model, 8, 32, seed=0)
    measured_rates = measure(model.device)
    print(measured_rates)
    costs, usual = Costs.of(model, measured_rates), Costs.of(model)
    budget, right = BUDGETS[model.device.type], Counter[str]()
    for shared, own in SHAPES:
        weighed = choices(costs, rows(shared, own), budget)
        took: dict[Kind, list[float]] = {kind: [] for kind in weighed}
        for _ in range(options.rounds):
            for kind, choice in weighed.items():
                began = time.process_time()
                for piece in choice.pieces:
                    objective.learn(piece, 1.0)
                took[kind].append(time.process_time() - began)
        measured = {kind: statistics.median(seconds) for kind, seconds in took.items()}
        scale = measured["rows"] / weighed["rows"].seconds
        figures = "  ".join(
            f"{kind} {seconds:6.2f} s (said {weighed[kind].seconds * scale:6.2f})"
            for kind, seconds in measured.items()
        )
        print(f"shared {shared:4} own {own:4}  {figures}", flush=True)
        cheapest = min(measured, key=lambda kind: measured[kind])
        right["measured"] += cheapest == cheapest_of(weighed)
        right["usual"] += cheapest == cheapest_of(choices(usual, rows(shared, own), budget))
    print(f"right by measured rates: {right['measured']} of {len(SHAPES)}; by usual ones:", end=" ")
    print(right["usual"])


if __name__ == "__main__":
    main()
