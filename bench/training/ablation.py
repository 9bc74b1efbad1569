"""From the plain loop to ours, one ingredient more at a time; the last one is `tunewright` itself.

All but the first are the same loop over the same steps with our LoRA layer, so that what differs is
what each name says. `tunewright` adds its own loop: reports, checkpoints, resume points.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from training import ALPHA, RANK
from training.contenders import learn_padded, loop
from training.meter import Meter
from training.work import Work, samples
from tunewright.training.loss import Objective
from tunewright.training.plans.costs import Costs
from tunewright.training.plans.planner import BUDGETS, Piece, Planner, by_length
from tunewright.training.selfcheck import examine
from tunewright.weights.base import load_base, threads
from tunewright.weights.lora import adapter_of, attach
from tunewright.weights.peft import save_adapter

BUDGET = BUDGETS["cpu"]


def own_lora(model: PreTrainedModel, _: list[Any]) -> Callable[[list[Any]], None]:
    return lambda step: learn_padded(model, step)


def no_mask(model: PreTrainedModel, _: list[Any]) -> Callable[[list[Any]], None]:
    return lambda step: learn_padded(model, step, masked=False)


def few_logits(model: PreTrainedModel, _: list[Any]) -> Callable[[list[Any]], None]:
    """The head at supervised positions alone."""
    return _by_plan(model, lambda step: [Piece("rows", [some]) for some in (step[:8], step[8:])])


def lengths(model: PreTrainedModel, _: list[Any]) -> Callable[[list[Any]], None]:
    return _by_plan(
        model, lambda step: [Piece("rows", [batch]) for batch in by_length(step, BUDGET)]
    )


def sharing(model: PreTrainedModel, rows: list[Any]) -> Callable[[list[Any]], None]:
    planner = Planner(Costs.of(model), examine(model, rows).kinds)
    return _by_plan(model, lambda step: planner.plan(step, BUDGET))


def _by_plan(
    model: PreTrainedModel, plan: Callable[[list[Any]], list[Piece]]
) -> Callable[[list[Any]], None]:
    objective = Objective(model, "head")

    def learn(step: list[Any]) -> None:
        supervised = sum(sample.supervised for sample in step)
        for piece in plan(step):
            if piece.rows:
                objective.learn(piece, 1 / supervised)

    return learn


Ingredient = Callable[[PreTrainedModel, list[Any]], Callable[[list[Any]], None]]
_MAKE: dict[str, Ingredient] = {
    "own-lora": own_lora,
    "no-mask": no_mask,
    "few-logits": few_logits,
    "lengths": lengths,
    "sharing": sharing,
}


def ablated(name: str, work: Work, folder: Path, meter: Meter) -> None:
    model = meter.watch(load_base(work.base, dtype=torch.float32))
    torch.set_num_threads(work.threads or threads(model))
    make = _MAKE[name]
    rows = samples(work.base, work.train, folder)
    attach(model, RANK, ALPHA, work.seed)
    loop(work, folder, meter, model, make(model, rows))
    (folder / "run/model").mkdir(parents=True)
    save_adapter(folder / "run/model", adapter_of(model, 0, base=str(work.base)))
