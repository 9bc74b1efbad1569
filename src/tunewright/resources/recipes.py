"""What a training process is asked to do: one recipe, for jobs and for estimates."""

from typing import Any

from tunewright.home import Home
from tunewright.records.models import Loadable
from tunewright.resources.models import Models
from tunewright.settings import Settings
from tunewright.training.recipe import Recipe


def recipe(models: Models, start: Loadable, home: Home, settings: Settings, **given: Any) -> Recipe:
    """start: what is trained. given: the files, and the hyperparameters that were asked for."""
    adapter = models.adapter(start)
    return Recipe(
        base=models.directory(start).resolve(),
        base_name=start.base,
        adapter=adapter.resolve() if adapter else None,
        kind=start.kind,  # pyright: ignore[reportArgumentType]
        rendering=start.rendering,
        speed=home.speed.resolve(),
        compute_dtype=settings.compute_dtype,
        **given,
    )
