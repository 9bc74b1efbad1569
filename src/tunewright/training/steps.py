"""One optimizer step: the gradients of its rows by their plan, within the memory there is."""

import math
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from torch import Tensor

from tunewright.errors import JobFailed
from tunewright.training.defaults import rate_at
from tunewright.training.examples import Sample
from tunewright.training.memory import Misfit, misfit
from tunewright.training.objective import Method
from tunewright.training.precision import as_it_began
from tunewright.training.ranks import Ranks
from tunewright.training.recipe import Recipe
from tunewright.training.report import Message, Report, Said
from tunewright.training.run import Run, prepare
from tunewright.weights.memory import out_of_memory, save_memory

LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Learnt:
    """Mean loss (nats) and accuracy of a step over its supervised tokens, before its weights
    changed; tokens_per_second counts all tokens of its rows."""

    loss: float
    accuracy: float
    tokens_per_second: float


def learn(run: Run, samples: Sequence[Sample], step: int, report: Report) -> Learnt:
    """One optimizer step on the rows `samples`; `step` counts from 0.

    Raises JobFailed where the loss is no longer finite, or a row does not fit into memory.
    """
    began = time.perf_counter()
    parts = run.method.parts(samples)
    run.ranks.begin(step, list(run.trained.values()))
    total, correct = gradients(run, samples, parts, report)  # [], []: sums of the step
    norm = torch.nn.utils.clip_grad_norm_(run.trained.values(), LARGEST_GRADIENT)
    _refuse_divergence(step, total.item(), norm.item())
    for group in run.optimizer.param_groups:
        group["lr"] = rate_at(step, run.order.total, run.settings.learning_rate)
    run.optimizer.step()
    run.optimizer.zero_grad()
    tokens = sum(len(sample.ids) for sample in samples)
    seconds = time.perf_counter() - began
    return Learnt(total.item() / parts, correct.item() / parts, tokens / seconds)


def follow(method: Method, recipe: Recipe, folder: Path, ranks: Ranks) -> None:
    """Compute this process's part of every step until the leader has ended."""

    def unsaid(_: Said, /) -> None:
        """The leader reports it."""

    with as_it_began(recipe, folder):
        run = prepare(method, recipe, folder, unsaid, ranks)
        weights = list(run.trained.values())
        while (step := ranks.begin(0, weights)) >= 0:
            samples = run.training.samples(run.order.of(step))
            gradients(run, samples, method.parts(samples), unsaid)
            run.optimizer.zero_grad()


def gradients(
    run: Run, samples: Sequence[Sample], parts: int, report: Report
) -> tuple[Tensor, Tensor]:
    """The step's loss and correct predictions, summed, and its gradients in the parameters.

    The loss of every micro-batch is divided by the `parts` of the whole step, so that how the rows
    are grouped, or divided among processes, changes nothing. When memory runs out, the
    step begins again with smaller micro-batches.
    """
    mine = run.method.weigh(run, run.ranks.share(samples))
    while True:
        total, correct = torch.zeros(2, device=run.model.device)
        rows = mine
        try:
            for piece in run.plan(mine) if mine else ():
                rows = piece.rows
                sums = run.objective.learn(piece, 1 / parts)
                total, correct = total + sums.loss, correct + sums.correct
            went = True
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            went = False
        if run.ranks.all_went_through(went):
            run.ranks.sum([total, correct, *_given(run)])
            return total, correct
        run.optimizer.zero_grad()
        save_memory()
        _refuse_misfits(run, Misfit() if went else _make_room(run, rows, report))


def _given(run: Run) -> list[Tensor]:
    """The gradients, in the order that all processes have; zeros where a process has none."""
    if run.ranks.count == 1:
        return []
    for weight in run.trained.values():
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)
    return [weight.grad for weight in run.trained.values() if weight.grad is not None]


def _make_room(run: Run, rows: list[Sample], report: Report) -> Misfit:
    """Smaller micro-batches, else less kept of them; a misfit where neither helps."""
    if run.room.halve(rows):
        now = f"from now on at most {run.budget:,} tokens are computed at once"
    elif run.room.recompute(run.model):
        now = "activations are computed twice from now instead of being kept, which is slower"
    else:
        return misfit(run.objective, run.model, rows)
    report(Message("warn", f"Memory ran out: {now}."))
    return Misfit()


def _refuse_misfits(run: Run, own: Misfit) -> None:
    """Whichever process has one, all end, and the leader reports why."""
    found = Misfit(*map(int, run.ranks.first(astuple(own))))
    if found.tokens:
        raise found.failure()


def _refuse_divergence(step: int, *figures: float) -> None:
    if not all(map(math.isfinite, figures)):
        raise JobFailed(
            f"The training diverged at step {step + 1}: its loss is no longer a finite number. "
            + "Use a smaller learning_rate_multiplier.",
            code="training_diverged",
        )
