"""The loss of the validation file: a small batch now and then, the whole file after each epoch."""

from collections.abc import Callable, Sequence

from tunewright.training import Stopped
from tunewright.training.examples import Examples, Sample
from tunewright.training.run import Run

SMALL = 20  # small batches in a whole run
_AT_ONCE = 64  # rows between two looks at whether to stop


def validate(run: Run, step: int, should_stop: Callable[[], bool]) -> dict[str, float]:
    """The fields of `Metrics` that are due after `step`. Raises Stopped."""
    if run.validation is None:
        return {}
    found: dict[str, float] = {}
    every = max(1, run.order.total // SMALL)
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
    for start in range(0, len(samples), _AT_ONCE):
        for piece in run.plan(samples[start : start + _AT_ONCE]):
            if should_stop():
                raise Stopped
            sums = run.objective.judge(piece)
            loss, correct = loss + sums.loss.item(), correct + sums.correct.item()
    supervised = sum(sample.supervised for sample in samples)
    return {
        f"{prefix}loss": loss / supervised,
        f"{prefix}mean_token_accuracy": correct / supervised,
    }
