"""Examples in, weights out: one method one file, its loop in view.

    python -m tunewright.training TASK_DIR

reads ``TASK_DIR/recipe.json`` and leaves there

    model/               the result: an adapter or whole weights, with the base's tokenizer
    checkpoints/step-N/  the same after each epoch
    resume/step-N/       what the run is resumed from after a crash (the newest two)
    parity.json          log-probabilities of the model, to which those of serving are compared

This file imports no torch: `METHODS` holds dotted paths.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tunewright.errors import BadRequest, MissingExtra

METHODS = {"supervised": "tunewright.training.supervised:train"}


class Stopped(Exception):
    """The run was asked to stop, and has; it can be resumed."""


def method(name: str, *, expect: bool = False) -> Callable[..., Any]:
    """The training function called `name`: ``train(recipe, folder, report, should_stop)``; or, to
    `expect`, the one beside it that ends with a Forecast.

    It polls should_stop at every step and then raises Stopped. TunewrightErrors end the run.
    Raises BadRequest for a name that is not registered, MissingExtra where torch is absent.
    """
    if name not in METHODS:
        raise BadRequest(f"There is no training method '{name}'. Known: {', '.join(METHODS)}.")
    module, _, function = METHODS[name].partition(":")
    try:
        return getattr(import_module(module), "expect" if expect else function)
    except ImportError as error:
        if (error.name or "").startswith("tunewright"):  # a fault of ours: no extra mends it
            raise
        raise MissingExtra(f"Training ({error.name} is not installed)", "train") from error
