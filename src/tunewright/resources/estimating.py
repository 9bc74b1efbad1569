"""What a job would take, tried in a process of its own before there is one."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.home import Home
from tunewright.records.checks import Estimate
from tunewright.resources.models import Models
from tunewright.settings import Settings


class Estimating:
    def __init__(self, models: Models, settings: Settings) -> None:
        self._models = models
        self._settings = settings

    def estimate(self, path: Path, model: str, validation: Path | None = None) -> Estimate:
        """Time, memory and cost of a job with default hyperparameters, from a few steps that are
        computed and thrown away. Takes seconds to minutes. Raises BadRequest where the job could
        not begin: the file must have passed its check."""
        weights = self._models.weights(model, ("chat", "completion"))
        adapter = self._models.adapter(weights)
        recipe = {
            "base": str(self._models.directory(weights).resolve()),
            "base_name": weights.base,
            "adapter": str(adapter.resolve()) if adapter else None,
            "kind": weights.kind,
            "training_file": str(path.resolve()),
            "validation_file": str(validation.resolve()) if validation else None,
            "speed": str(Home(self._settings.home).speed.resolve()),
            "compute_dtype": self._settings.compute_dtype,
        }
        with tempfile.TemporaryDirectory() as folder:
            durable.write_json(Path(folder) / "recipe.json", recipe)
            said = _heard(Path(folder))
        return estimate_of(said, self._settings)


def estimate_of(said: dict[str, Any], settings: Settings) -> Estimate:
    """A report of the kind "forecast", with what it will cost."""
    return Estimate(
        steps=said["total_steps"],
        seconds=said["seconds"],
        seconds_error=said["seconds_error"],
        peak_bytes=said["peak_bytes"],
        trained_tokens=said["trained_tokens"],
        cost=settings.cost(said["seconds"], said["trained_tokens"]),
    )


def _heard(folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tunewright.training", str(folder)]
    command += ["--expect", "--watch-stdin"]
    with subprocess.Popen(  # its input stays open for as long as we live
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        assert child.stdout is not None
        said = {report["kind"]: report for report in map(orjson.loads, child.stdout)}
    if "forecast" in said:
        return said["forecast"]
    reason = said.get("failed", {}).get("message", "memory ran out, or it was ended")
    raise BadRequest(f"A job with this file could not begin: {reason}", param="training_file")
