"""What survives a crash: checkpoints for clients, and resume points for the run itself.

    checkpoints/step-N/  after each epoch, kept: the model as it would be served
    resume/step-N/       now and then, the newest KEPT: exact weights, optimizer, random states

Files are the truth: a run that starts looks at what verifies, never at what anybody remembers.
"""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tunewright import durable
from tunewright.errors import Corrupt
from tunewright.faults import fault
from tunewright.training.report import Checkpoint, Message, Report, Step
from tunewright.training.run import Run
from tunewright.training.saving import write_model

KEPT = 2
RECENT = 512  # more than a pipe holds unread: 64 KiB are 385 lines at most


@dataclass
class Position:
    """How far a run has come: steps done, tokens trained on, the metrics of the last step, and the
    reports of the last RECENT steps, for a worker that died before it had read all of them."""

    step: int = 0
    trained_tokens: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    recent: list[dict[str, Any]] = field(default_factory=list)

    def remember(self, said: Step) -> Step:
        self.recent = [*self.recent, asdict(said)][-RECENT:]
        return said


class Clock:
    """Says when a resume point is due: `seconds` after the last, and rarely enough that writing
    them takes at most a twentieth of the time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due = time.monotonic() + seconds

    @property
    def due(self) -> bool:
        return time.monotonic() >= self._due

    def saved(self, cost: float) -> None:
        self._due = time.monotonic() + max(self._seconds, 20 * cost)


def _steps(directory: Path) -> list[tuple[int, Path]]:
    """(step, path), newest first."""
    found = directory.glob("step-*") if directory.is_dir() else ()
    numbered = ((path.name.removeprefix("step-"), path) for path in found)
    return sorted(((int(n), path) for n, path in numbered if n.isdigit()), reverse=True)


def is_whole(directory: Path, run: Run) -> bool:
    """Whether `directory` is undamaged and was made by this very run."""
    try:
        return durable.verify(directory)["about"].get("run") == run.identity
    except Corrupt:
        return False


def save_checkpoint(run: Run, position: Position, epoch: int) -> Checkpoint:
    """Keep the model after `epoch` (from 1), unless an earlier attempt has."""
    said = _said(position.step, epoch, f"checkpoints/step-{position.step}", position.metrics)
    target = run.folder / said.path
    if not is_whole(target, run):
        durable.remove(target)
        about = {**run.about(position.step, position.metrics), "epoch": epoch}
        with durable.directory(target, about=about) as directory:
            write_model(directory, run.model, run.recipe)
    return said


def existing_checkpoints(run: Run) -> Iterator[Checkpoint]:
    """The whole ones, oldest first, for a listener that may have missed them."""
    for step, path in reversed(_steps(run.folder / "checkpoints")):
        if is_whole(path, run):
            about = durable.manifest(path)["about"]
            yield _said(step, about["epoch"], f"checkpoints/{path.name}", about["metrics"])


def _said(step: int, epoch: int | None, path: str, metrics: dict[str, Any]) -> Checkpoint:
    return Checkpoint(step=step, epoch=epoch, path=path, metrics={"step": step, **metrics})


def save_resume_point(run: Run, position: Position, clock: Clock) -> Checkpoint:
    began = time.monotonic()
    target = run.folder / "resume" / f"step-{position.step}"
    durable.remove(target)
    about = {**run.about(position.step, position.metrics), "environment": run.environment()}
    with durable.directory(target, about=about) as directory:
        weights = {name: p.detach().cpu().contiguous() for name, p in run.trained.items()}
        save_file(weights, directory / "weights.safetensors")
        fault("resume_point.half")
        save_file(_optimizer_state(run), directory / "optimizer.safetensors")
        save_file(_random_states(), directory / "random.safetensors")
        durable.write_json(directory / "position.json", vars(position))
    for _, old in _steps(run.folder / "resume")[KEPT:]:
        durable.remove(old)
    clock.saved(time.monotonic() - began)
    return _said(position.step, None, f"resume/{target.name}", position.metrics)


def resume(run: Run, report: Report) -> Position:
    """Bring the run to its newest whole resume point and return where that is; or to the start.

    Those that are no use are removed: they would count among the KEPT, and a run that begins
    again would lose its own points, whose steps are lower, to them."""
    points = _steps(run.folder / "resume")
    for step, path in points:
        try:
            about = durable.verify(path)["about"]
        except (Corrupt, OSError) as damage:
            report(Message("warn", f"The resume point at step {step} is damaged: {damage}"))
        else:
            if about["run"] == run.identity:
                _say_if_elsewhere(about["environment"], run, report)
                return _restore(run, path)
            text = f"The resume point at step {step} is of other data or settings."
            report(Message("warn", text))
        durable.remove(path)
    if points:
        report(Message("warn", "No resume point can be used: training starts from the beginning."))
    return Position()


def _restore(run: Run, path: Path) -> Position:
    weights = load_file(path / "weights.safetensors")
    with torch.no_grad():
        for name, parameter in run.trained.items():
            parameter.copy_(weights[name])
    _restore_optimizer(run, load_file(path / "optimizer.safetensors"))
    _restore_random_states(load_file(path / "random.safetensors"))
    return Position(**durable.read_json(path / "position.json"))


def _say_if_elsewhere(then: dict[str, Any], run: Run, report: Report) -> None:
    now = run.environment()
    changed = [
        f"{name} {then.get(name)} -> {now[name]}" for name in now if then.get(name) != now[name]
    ]
    if changed:
        text = "Going on in another environment, so the last bits of the weights may differ: "
        report(Message("info", text + ", ".join(changed)))


def _optimizer_state(run: Run) -> dict[str, Tensor]:
    """``{parameter}.{key}``; a parameter that never had a gradient has no state."""
    states = run.optimizer.state
    return {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, parameter in run.trained.items()
        for key, value in states.get(parameter, {}).items()
    }


def _restore_optimizer(run: Run, flat: dict[str, Tensor]) -> None:
    index = {name: at for at, name in enumerate(run.trained)}
    state: dict[int, dict[str, Tensor]] = {}
    for path, value in flat.items():
        name, _, key = path.rpartition(".")
        state.setdefault(index[name], {})[key] = value
    groups = run.optimizer.state_dict()["param_groups"]
    run.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_random_states(states: dict[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
