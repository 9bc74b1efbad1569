"""The run as the process that a worker starts. Importing torch and transformers takes it 4-8 s."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tunewright import builtin, durable, samples
from tunewright.errors import BadRequest, JobFailed, StorageFull
from tunewright.training.__main__ import failure
from tunewright.training.recipe import Recipe

Make = Callable[..., Recipe]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Starts the real child process on a task's folder."""
    started: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, *options: str) -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tunewright.training", str(folder), *options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=(tmp_path / "log.txt").open("ab"),
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def task(folder: Path, given: Recipe) -> Path:
    durable.write_json(folder / "recipe.json", given.model_dump(mode="json"))
    return folder


def heard_until(process: subprocess.Popen[bytes], step: int) -> list[dict]:
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        heard.append(json.loads(line))
        if heard[-1]["kind"] == "step" and heard[-1]["step"] >= step:
            break
    return heard


def test_sigterm_stops_within_a_step_and_leaves_a_resume_point(
    recipe: Make, tmp_path: Path, start: Callable
) -> None:
    folder = task(tmp_path / "task", recipe(n_epochs=50))
    process = start(folder)
    heard_until(process, 2)
    process.send_signal(signal.SIGTERM)
    rest = [json.loads(line) for line in process.communicate()[0].splitlines()]
    assert process.returncode == 143
    assert rest[-1]["kind"] == "checkpoint"
    assert rest[-1]["epoch"] is None
    durable.verify(folder / rest[-1]["path"])


@pytest.mark.slow
def test_the_child_ends_when_its_parent_does(recipe: Make, tmp_path: Path, start: Callable) -> None:
    process = start(task(tmp_path / "task", recipe(n_epochs=50)), "--watch-stdin")
    heard_until(process, 1)
    process.stdin.close()
    assert process.wait(5) == 143


@pytest.mark.slow
def test_a_failure_is_said_in_plain_words(recipe: Make, tmp_path: Path, start: Callable) -> None:
    given = recipe()
    (given.base / "model.safetensors").unlink()
    process = start(task(tmp_path / "task", given))
    (failed,) = (json.loads(line) for line in process.communicate()[0].splitlines())
    assert process.returncode == 1
    assert failed["kind"] == "failed"
    assert "safetensors" in failed["message"]


def test_a_recipe_with_unknown_fields_is_refused(recipe: Make, tmp_path: Path) -> None:
    task(tmp_path, recipe())
    durable.write_json(
        tmp_path / "recipe.json", durable.read_json(tmp_path / "recipe.json") | {"rnak": 8}
    )
    with pytest.raises(BadRequest, match="rnak"):
        Recipe.read(tmp_path)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageFull("The disk is full."), "storage_full"),
        (JobFailed("It diverged.", code="training_diverged"), "training_diverged"),
        (BadRequest("No such base."), "invalid_request_error"),
        (MemoryError(), "out_of_memory"),
        (torch.OutOfMemoryError("CUDA out of memory."), "out_of_memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory"),
        (ZeroDivisionError("x"), "internal_error"),
    ],
)
def test_every_failure_has_a_code(error: Exception, code: str) -> None:
    assert failure(error).code == code


@pytest.mark.slow
@pytest.mark.bfloat16
@pytest.mark.parametrize("adaptation", ["lora", "full"])
def test_the_forecast_of_memory_holds_to_the_end(
    recipe: Make, start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, adaptation: str
) -> None:
    """With rows of many shapes in bfloat16, an optimizer, validation, and parity's second base."""
    lines = (Path(samples.__file__).parent / "sarcastic.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    base = Path(builtin.__file__).parent / "chat"
    given = recipe(rows[:-12], rows[-12:], base=base, adaptation=adaptation, n_epochs=2)
    folder = task(tmp_path / "task", given.model_copy(update={"compute_dtype": "bfloat16"}))
    process = start(folder)
    assert process.stdout is not None
    said = {line["kind"]: line for line in map(json.loads, process.stdout)}
    ratio = said["forecast"]["peak_bytes"] / said["finished"]["peak_bytes"]
    assert 0.85 < ratio < 1.15
