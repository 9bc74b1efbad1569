"""Supervised fine-tuning: the likelihood of the answers, given their prompts."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tunewright import durable
from tunewright.errors import JobFailed
from tunewright.faults import fault
from tunewright.training import Stopped, checkpoints, parity
from tunewright.training.artefacts import write_model
from tunewright.training.checkpoints import Clock, Position
from tunewright.training.defaults import rate_at
from tunewright.training.examples import Examples, Sample
from tunewright.training.forecast import forecast, peak_bytes
from tunewright.training.memory import too_large
from tunewright.training.recipe import Recipe
from tunewright.training.report import Finished, Message, Metrics, Report, Step
from tunewright.training.run import Run, prepare
from tunewright.weights.memory import out_of_memory, save_memory

LARGEST_GRADIENT = 1.0
VALIDATIONS = 20  # small validation batches in a whole run
VALIDATED_AT_ONCE = 64  # rows between two looks at whether to stop


def train(
    recipe: Recipe,
    folder: Path,
    report: Report,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    resume_seconds: float = 30.0,
) -> None:
    """Train as `recipe` says, from the newest resume point in `folder` or from the start.

    Ends with the model and parity.json in `folder` and Finished said; or raises Stopped after the
    step in which `should_stop` became true, JobFailed where the loss is no longer finite.
    """
    durable.sweep(folder)
    began = time.perf_counter()
    run = prepare(recipe, folder, report)
    prepared = time.perf_counter() - began
    position = checkpoints.resume(run, report)
    report(run.started(position.step or None))
    for said in position.recent:
        report(Step(**said))
    for checkpoint in checkpoints.existing_checkpoints(run):
        report(checkpoint)
    if not position.step and (expected := forecast(run, prepared, VALIDATIONS)):
        report(expected)
    clock = Clock(resume_seconds)
    fault("training.prepared")

    for step in range(position.step, run.order.total):
        examples = run.order.of(step)
        learnt = _learn(run, run.training.samples(examples), step, report)
        position.step += 1
        position.trained_tokens += run.training.tokens(examples)
        metrics = Metrics(learnt.loss, learnt.accuracy, **_validate(run, step, should_stop))
        position.metrics = asdict(metrics)
        said = Step(
            **position.metrics,
            step=position.step,
            total_steps=run.order.total,
            trained_tokens=position.trained_tokens,
            tokens_per_second=learnt.tokens_per_second,
        )
        report(position.remember(said))
        fault("training.step")
        if run.order.ends_epoch(step):
            epoch = run.order.epoch_of(step) + 1
            report(checkpoints.save_checkpoint(run, position, epoch))
        # A rule that stops early belongs here: it reads position.metrics.
        stopping = should_stop()
        if stopping or clock.due or run.order.ends_epoch(step):
            report(checkpoints.save_resume_point(run, position, clock))
        if stopping:
            raise Stopped

    _write_result(run, position)
    fault("training.written")
    trained_tokens, rows = position.trained_tokens, parity.choose(run)
    del run  # parity loads what was written, beside a base of its own
    save_memory()
    parity.write(recipe, folder, rows)
    report(Finished("model", trained_tokens, peak_bytes()))


def expect(
    recipe: Recipe, folder: Path, report: Report, should_stop: Callable[[], bool] = lambda: False
) -> None:
    """Only say what `train` would take: Started, and a Forecast unless memory runs out."""
    began = time.perf_counter()
    run = prepare(recipe, folder, report)
    report(run.started(None))
    if expected := forecast(run, time.perf_counter() - began, VALIDATIONS):
        report(expected)


@dataclass(frozen=True)
class Learnt:
    """A step's mean loss over its supervised tokens, before its weights changed."""

    loss: float
    accuracy: float
    tokens_per_second: float


def _learn(run: Run, samples: Sequence[Sample], step: int, report: Report) -> Learnt:
    """One optimizer step."""
    began = time.perf_counter()
    supervised = sum(sample.supervised for sample in samples)
    total, correct = _gradients(run, samples, supervised, report)
    norm = torch.nn.utils.clip_grad_norm_(run.trained.values(), LARGEST_GRADIENT)
    _refuse_divergence(step, total.item(), norm.item())
    for group in run.optimizer.param_groups:
        group["lr"] = rate_at(step, run.order.total, run.settings.learning_rate)
    run.optimizer.step()
    run.optimizer.zero_grad()
    tokens = sum(len(sample.ids) for sample in samples)
    seconds = time.perf_counter() - began
    return Learnt(total.item() / supervised, correct.item() / supervised, tokens / seconds)


def _gradients(
    run: Run, samples: Sequence[Sample], supervised: int, report: Report
) -> tuple[Tensor, Tensor]:
    """Loss and right answers of a step, summed, and its gradients in the parameters. The loss of
    every micro-batch is divided by the supervised tokens of the whole step, so that how the rows
    are grouped changes nothing. When memory runs out, the step begins again with fewer at once."""
    while True:
        total = correct = torch.zeros((), device=run.model.device)
        rows: list[Sample] = []
        try:
            for piece in run.plan(samples):
                rows = piece.rows
                sums = run.objective.learn(piece, 1 / supervised)
                total, correct = total + sums.loss, correct + sums.correct
            return total, correct
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
        run.optimizer.zero_grad()
        save_memory()
        if not run.room.halve(rows):
            raise too_large(run.objective, run.model, rows)
        report(Message("warn", f"Memory ran out: computing {run.budget} tokens at once from now."))


def _refuse_divergence(step: int, *figures: float) -> None:
    if not all(map(math.isfinite, figures)):
        raise JobFailed(
            f"The training diverged at step {step + 1}: its loss is no longer a finite number. "
            + "Use a smaller learning_rate_multiplier.",
            code="training_diverged",
        )


def _validate(run: Run, step: int, should_stop: Callable[[], bool]) -> dict[str, float]:
    """A small batch now and then, the whole file after each epoch."""
    if run.validation is None:
        return {}
    found: dict[str, float] = {}
    every = max(1, run.order.total // VALIDATIONS)
    if (step + 1) % every == 0 or step + 1 == run.order.total:
        few = _some(run.validation, run.settings.batch_size, step // every)
        found |= _evaluate(run, few, "valid_", should_stop)
    if run.order.ends_epoch(step):
        found |= _evaluate(run, run.validation.all, "full_valid_", should_stop)
    return found


def _some(validation: Examples, count: int, turn: int) -> list[Sample]:
    """Another `count` examples each `turn`, going round."""
    count = min(count, len(validation))
    return validation.samples((turn * count + i) % len(validation) for i in range(count))


def _evaluate(
    run: Run, samples: Sequence[Sample], prefix: str, should_stop: Callable[[], bool]
) -> dict[str, float]:
    loss = correct = 0.0
    for start in range(0, len(samples), VALIDATED_AT_ONCE):
        for piece in run.plan(samples[start : start + VALIDATED_AT_ONCE]):
            if should_stop():
                raise Stopped
            sums = run.objective.judge(piece)
            loss, correct = loss + sums.loss.item(), correct + sums.correct.item()
    supervised = sum(sample.supervised for sample in samples)
    return {
        f"{prefix}loss": loss / supervised,
        f"{prefix}mean_token_accuracy": correct / supervised,
    }


def _write_result(run: Run, position: Position) -> None:
    """Unless an earlier attempt has: then only its last words were lost."""
    target = run.folder / "model"
    if checkpoints.is_whole(target, run):
        return
    durable.remove(target)
    about: dict[str, Any] = run.about(position.step, position.metrics)
    with durable.directory(target, about=about) as directory:
        write_model(directory, run.model, run.recipe)
