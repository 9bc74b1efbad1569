"""The loop of a run, which every training method shares."""

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tunewright import durable
from tunewright.faults import fault
from tunewright.training import Stopped, attending, checkpoints, parity, precision, speed
from tunewright.training.checkpoints import Clock, Position
from tunewright.training.forecast import forecast, peak_bytes
from tunewright.training.objective import Method
from tunewright.training.ranks import lead
from tunewright.training.recipe import Recipe
from tunewright.training.report import Finished, Metrics, Report, Step, Written
from tunewright.training.run import Run, prepare
from tunewright.training.saving import write_model
from tunewright.training.steps import learn
from tunewright.training.validation import SMALL, validate
from tunewright.weights.memory import save_memory


def train(
    method: Method,
    recipe: Recipe,
    folder: Path,
    report: Report,
    should_stop: Callable[[], bool] = lambda: False,
    *,
    resume_seconds: float = 30.0,
) -> None:
    """Train by `method` as `recipe` says, from the newest resume point in `folder` or the start.

    Ends with the model and parity.json in `folder` and Finished said; or raises Stopped after the
    step in which `should_stop` became true, JobFailed where the loss is no longer finite.
    """
    durable.sweep(folder)
    with precision.as_it_began(recipe, folder):
        _train(method, recipe, folder, report, should_stop, Clock(resume_seconds))


def _train(
    method: Method,
    recipe: Recipe,
    folder: Path,
    report: Report,
    should_stop: Callable[[], bool],
    clock: Clock,
) -> None:
    began = time.perf_counter()
    with lead(recipe, folder) as ranks:
        run = prepare(method, recipe, folder, report, ranks)
        prepared = time.perf_counter() - began
        position = checkpoints.resume(run, report)
        speed.keep(folder, run.planner.costs.rates, run.model.device)
        precision.keep(folder)
        attending.keep(folder, run.model)
        _say_where_it_stands(run, position, report)
        if not position.step and (expected := forecast(run, prepared, SMALL)):
            report(expected)
        fault("training.prepared")
        _loop(run, position, report, should_stop, clock)
    _write_result(run, position)
    fault("training.written")
    report(Written(position.step))
    trained_tokens, rows = position.trained_tokens, parity.choose(run)
    del run  # parity loads what was written, beside a base of its own
    save_memory()
    parity.write(recipe, folder, rows)
    report(Finished("model", trained_tokens, peak_bytes()))


def _say_where_it_stands(run: Run, position: Position, report: Report) -> None:
    report(run.started(position.step or None))
    for said in position.recent:
        report(Step(**said))
    for checkpoint in checkpoints.existing_checkpoints(run):
        report(checkpoint)


def _loop(
    run: Run, position: Position, report: Report, should_stop: Callable[[], bool], clock: Clock
) -> None:
    for step in range(position.step, run.order.total):
        examples = run.order.of(step)
        learnt = learn(run, run.training.samples(examples), step, report)
        position.step += 1
        position.trained_tokens += run.training.tokens(examples)
        metrics = Metrics(learnt.loss, learnt.accuracy, **validate(run, step, should_stop))
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


def expect(
    method: Method,
    recipe: Recipe,
    folder: Path,
    report: Report,
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Only say what `train` would take: Started, and a Forecast unless memory runs out."""
    began = time.perf_counter()
    with precision.as_it_began(recipe, folder):
        run = prepare(method, recipe, folder, report)
        report(run.started(None))
        if expected := forecast(run, time.perf_counter() - began, SMALL):
            report(expected)


def _write_result(run: Run, position: Position) -> None:
    """Unless an earlier attempt has: then only its last words were lost."""
    target = run.folder / "model"
    if checkpoints.is_whole(target, run):
        return
    durable.remove(target)
    about: dict[str, Any] = run.about(position.step, position.metrics)
    with durable.directory(target, about=about) as directory:
        write_model(directory, run.model, run.recipe)
