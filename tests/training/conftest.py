"""A tiny base of each shape, and a recipe for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny import CONFIGS, Heard, colours, write_base, write_rows

from tunewright.training.recipe import Recipe


@pytest.fixture(params=CONFIGS)
def any_base(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return write_base(tmp_path / "base", request.param)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_base(tmp_path / "base", "llama")


@pytest.fixture
def recipe(base: Path, tmp_path: Path) -> Callable[..., Recipe]:
    """A recipe on the tiny base; `rows` and `validation` become files."""

    def make(
        rows: list[dict[str, Any]] | None = None,
        validation: list[dict[str, Any]] | None = None,
        **fields: Any,
    ) -> Recipe:
        valid = write_rows(tmp_path / "valid.jsonl", validation) if validation else None
        given: dict[str, Any] = {
            "base": base,
            "base_name": "tiny",
            "kind": "chat",
            "training_file": write_rows(tmp_path / "train.jsonl", rows or colours(12)),
            "validation_file": valid,
            "n_epochs": 2,
            "batch_size": 4,
            "seed": 7,
        }
        return Recipe(**(given | fields))

    return make


@pytest.fixture
def said() -> Heard:
    return Heard()
