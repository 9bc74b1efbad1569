"""What a job would take, tried in a process of its own before there is one."""

import tempfile
from pathlib import Path

from tunewright import children
from tunewright.errors import BadRequest
from tunewright.home import Home
from tunewright.records.checks import Estimate
from tunewright.resources.models import Models
from tunewright.resources.recipes import recipe
from tunewright.settings import Settings
from tunewright.training.report import Failed, Forecast, parsed


class Estimating:
    def __init__(self, models: Models, settings: Settings) -> None:
        self._models = models
        self._settings = settings

    def estimate(self, path: Path, model: str, validation: Path | None = None) -> Estimate:
        """Time, memory and cost of a job with default hyperparameters, from a few steps that are
        computed and thrown away. Takes seconds to minutes. Raises BadRequest where the job could
        not begin: the file must have passed its check."""
        weights = self._models.weights(model, ("chat", "completion"))
        asked = recipe(
            self._models,
            weights,
            Home(self._settings.home),
            self._settings,
            training_file=path.resolve(),
            validation_file=validation.resolve() if validation else None,
        )
        with tempfile.TemporaryDirectory() as folder:
            asked.write(Path(folder))
            forecast = _heard(Path(folder))
        return estimate_of(forecast, self._settings)


def estimate_of(said: Forecast, settings: Settings) -> Estimate:
    """A forecast, with what it will cost."""
    return Estimate(
        steps=said.total_steps,
        seconds=said.seconds,
        seconds_error=said.seconds_error,
        peak_bytes=said.peak_bytes,
        trained_tokens=said.trained_tokens,
        cost=settings.cost(said.seconds, said.trained_tokens),
    )


def _heard(folder: Path) -> Forecast:
    command = ["-m", "tunewright.training", str(folder), "--expect", "--watch-stdin"]
    reason, quiet = "memory ran out, or it was ended", children.NOWHERE
    with children.running(command, stdout=children.PIPE, stderr=quiet) as child:
        for said in parsed(child.stdout or ()):
            if isinstance(said, Forecast):
                return said
            if isinstance(said, Failed):
                reason = said.message
    raise BadRequest(f"A job with this file could not begin: {reason}", param="training_file")
