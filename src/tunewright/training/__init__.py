"""Examples in, weights out: one method one file, its loop in view.

    python -m tunewright.training TASK_DIR

reads ``TASK_DIR/recipe.json`` and leaves there

    model/               the result: an adapter or whole weights, with the base's tokenizer
    checkpoints/step-N/  the same after each epoch
    resume/step-N/       what the run is resumed from after a crash (the newest two)
    parity.json          log-probabilities of the model, to which those of serving are compared

This file imports no torch: `METHODS` imports on use.
"""

from collections.abc import Callable
from typing import Any

from tunewright.registry import Registry

METHODS = Registry(
    "training method",
    "tunewright.methods",
    {"supervised": "tunewright.training.supervised:train"},
    needs=("Training", "train"),
)


class Stopped(Exception):
    """The run was asked to stop, and has; it can be resumed."""


def method(name: str, *, expect: bool = False) -> Callable[..., Any]:
    """The training function called `name`: ``train(recipe, folder, report, should_stop)``; or, to
    `expect`, the one beside it that ends with a Forecast.

    It polls should_stop at every step and then raises Stopped. TunewrightErrors end the run.
    Raises BadRequest for a name that nobody has, MissingExtra where torch is absent, BrokenPackage
    where another package's cannot be imported.
    """
    return METHODS.load(name, beside="expect" if expect else "")
