"""How long a run will take and how much memory, from a few gradients computed and thrown away.

Nothing that the run depends on is touched: no weight, no moment of the optimizer, no random state.
"""

import math
import resource
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

import torch

from tunewright.training.examples import Sample
from tunewright.training.plans.planner import Piece
from tunewright.training.report import Forecast
from tunewright.training.run import Run
from tunewright.weights.memory import out_of_memory

MOST_PROBES = 5
SHARE = 20  # at most one step in so many is probed
SECONDS = 10.0  # no further probe begins after so many
LEAST_ERROR, ALONE = 0.1, 0.3  # of the time: never less; with one probe only
_FORWARD = 1 / 3  # of a gradient's time: what a loss alone takes
_MOMENTS = 8  # bytes that AdamW keeps for each trained number


def forecast(run: Run, prepared: float, validations: int) -> Forecast | None:
    """`prepared`: the seconds that making the run ready took; parity at its end takes as many.
    validations: small validation batches in the whole run. None where memory ran out: then the
    run itself finds out what fits."""
    try:
        _gradients(run, [_largest(run.plan(_longest(run))[0])])  # warms up, and needs the most
        rates = _rates(run)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return None
    finally:
        run.optimizer.zero_grad()
    rate, error = _mean(rates)
    seconds = prepared + rate * (_learnt(run) + _FORWARD * _validated(run, validations))
    return Forecast(
        total_steps=run.order.total,
        seconds=seconds,
        seconds_error=seconds * error,
        peak_bytes=peak_bytes() + _MOMENTS * sum(p.numel() for p in run.trained.values()),
        trained_tokens=run.training.tokens(range(len(run.training))) * run.settings.n_epochs,
    )


def peak_bytes() -> int:
    """The most memory that this process has had: on the GPU where there is one."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _rates(run: Run) -> list[float]:
    """Seconds a token of some steps of the first epoch."""
    steps = run.order.steps_per_epoch
    probes = max(1, min(MOST_PROBES, run.order.total // SHARE, steps))
    began, found = time.perf_counter(), list[float]()
    for number in range(probes):
        samples = run.training.samples(run.order.of(number * steps // probes))
        start = time.perf_counter()
        _gradients(run, run.plan(samples))
        found.append((time.perf_counter() - start) / sum(len(s.ids) for s in samples))
        if time.perf_counter() - began > SECONDS:
            break
    return found


def _gradients(run: Run, pieces: Sequence[Piece]) -> None:
    for piece in pieces:
        run.objective.learn(piece, 1.0).loss.item()  # a GPU is waited for


def _largest(piece: Piece) -> Piece:
    """Its largest micro-batch alone."""
    alone = (replace(piece, batches=[batch]) for batch in piece.batches)
    return max(alone, key=lambda part: part.computed)


def _longest(run: Run) -> list[Sample]:
    ordered = sorted(run.training.all, key=lambda sample: len(sample.ids), reverse=True)
    return ordered[: run.settings.batch_size]


def _mean(rates: Sequence[float]) -> tuple[float, float]:
    """The mean, and its relative error: two standard errors."""
    mean = statistics.fmean(rates)
    if len(rates) == 1:
        return mean, ALONE
    return mean, max(LEAST_ERROR, 2 * statistics.stdev(rates) / math.sqrt(len(rates)) / mean)


def _learnt(run: Run) -> int:
    return run.settings.n_epochs * sum(len(sample.ids) for sample in run.training.all)


def _validated(run: Run, validations: int) -> float:
    if run.validation is None:
        return 0
    tokens = sum(len(sample.ids) for sample in run.validation.all)
    few = min(1, run.settings.batch_size / len(run.validation)) * tokens
    return run.settings.n_epochs * tokens + min(validations, run.order.total) * few
