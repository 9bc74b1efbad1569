"""``parity.json``: log-probabilities of the finished model, to which those of serving are compared.

    {"rows": [{"file": "validation" | "training", "line", "turn", "prompt": ids, "answer": ids,
               "base": {"logprobs": [...], "top": [[id, logprob, second logprob], ...]},
               "tuned": the same}]}

"base" is what the run started from: the base, with the adapter that was trained further if any.

Computed teacher-forced by training's own forward, in float32, from what was written to disk.
`line` (from 1) and `turn` (which supervised stretch of the line, from 0) say where the row comes
from, so that its prompt can be rendered again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from tunewright import durable
from tunewright.training import attending
from tunewright.training.examples import Sample
from tunewright.training.loss import Objective, Way
from tunewright.training.plans.tries import Sorted
from tunewright.training.recipe import Recipe
from tunewright.training.run import Run
from tunewright.training.selfcheck import still
from tunewright.weights.attention import Attention, use
from tunewright.weights.base import load_base
from tunewright.weights.lora import add, select
from tunewright.weights.peft import load_adapter

FILE = "parity.json"
ROWS = 8
LONGEST_ANSWER = 64
LONGEST_PROMPT = 2048  # where there are shorter ones; parity must not take longer than training


@dataclass(frozen=True)
class Rows:
    """shared: tokens of the beginning of all prompts, computed once. way: of training's logits.
    attention: how training computed it."""

    file: str
    samples: list[Sample]
    shared: int
    way: Way
    attention: Attention


def choose(run: Run) -> Rows:
    """Up to ROWS rows, by the seed; of the validation file where there is one."""
    file, source = ("training", run.training)
    if run.validation is not None:
        file, source = ("validation", run.validation)
    candidates = [s for s in source.all if s.start <= LONGEST_PROMPT] or source.all
    order = np.random.default_rng(run.recipe.seed).permutation(len(candidates))[:ROWS]
    samples = [_shortened(candidates[at]) for at in sorted(order.tolist())]
    return Rows(file, samples, _shared(run, samples), run.objective.way, attending.way(run.model))


def _shared(run: Run, samples: list[Sample]) -> int:
    """0 where nothing is gained by it, or the self-check allows no prefix on this base."""
    if "prefix" not in run.planner.kinds or len(samples) < 2:
        return 0
    return min(Sorted.of(samples).common, *(sample.start - 1 for sample in samples))


def _shortened(sample: Sample) -> Sample:
    ids = sample.ids[: sample.start + LONGEST_ANSWER]
    return Sample(ids, sample.start, sample.line, sample.turn)


def write(recipe: Recipe, folder: Path, rows: Rows) -> None:
    base, tuned = _both(recipe, folder / "model", rows)
    described = [_described(sample, rows.file) for sample in rows.samples]
    together = zip(described, base, tuned, strict=True)
    durable.write_json(
        folder / FILE, {"rows": [{**row, "base": b, "tuned": t} for row, b, t in together]}
    )


def _described(sample: Sample, file: str) -> dict[str, Any]:
    return {
        "file": file,
        "line": sample.line,
        "turn": sample.turn,
        "prompt": sample.ids[: sample.start].tolist(),
        "answer": sample.ids[sample.start :].tolist(),
    }


def _both(
    recipe: Recipe, tuned: Path, rows: Rows
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The figures of what the run started from and of the tuned model, one after the other in
    memory."""
    model = load_base(recipe.base)
    if recipe.adapter:
        add(model, 0, load_adapter(recipe.adapter))
        select(model, 0)
    untuned = _figures(model, rows)
    if recipe.adaptation == "lora":
        add(model, 0, load_adapter(tuned, verify=True))
        select(model, 0)
    else:
        del model
        model = load_base(tuned, verify=True)
    return untuned, _figures(model, rows)


def _figures(model: PreTrainedModel, rows: Rows) -> list[dict[str, Any]]:
    use(model, rows.attention)
    objective = Objective(model, still(rows.way, model, rows.samples))
    found = objective.logprobs(rows.samples, rows.shared)
    return [_figures_of(*of_a_row) for of_a_row in found]


def _figures_of(logprobs: Tensor, targets: Tensor) -> dict[str, Any]:
    """logprobs: float32 [supervised, vocabulary]. targets: [supervised]."""
    best = logprobs.topk(2, dim=-1)
    pairs = zip(best.indices[:, 0].tolist(), best.values.tolist(), strict=True)
    return {
        "logprobs": logprobs.gather(1, targets[:, None])[:, 0].tolist(),
        "top": [[token, first, second] for token, (first, second) in pairs],
    }
