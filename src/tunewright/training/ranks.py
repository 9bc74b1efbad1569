"""Several processes of one machine, one for each GPU, that share the rows of every step.

The leader runs the loop; the others only compute gradients. Before a step the
leader sends the weights, after it the gradients are summed at the leader, which alone has an
optimizer, reports and writes. So nothing has to be kept equal anywhere but the weights of the
moment, and a resume point is what it is with one process. All know the whole step, and divide by
what it counts (`objective.Method.parts`).
"""

import contextlib
import datetime
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, distributed

from tunewright import children
from tunewright.training.examples import Sample
from tunewright.training.recipe import Recipe

_STOP, _FAILED = -1, 1.0
# The leader validates and writes checkpoints meanwhile.
_PATIENCE = datetime.timedelta(days=7)


@dataclass(frozen=True)
class Ranks:
    """Of `count` processes this is the one of number `rank`; 0 leads."""

    rank: int = 0
    count: int = 1

    def share(self, samples: Sequence[Sample]) -> list[Sample]:
        """This process's rows of a step: of similar length for all, none twice."""
        ordered = sorted(samples, key=lambda sample: len(sample.ids), reverse=True)
        return ordered[self.rank :: self.count] if self.count > 1 else list(samples)

    def begin(self, step: int, weights: Sequence[Tensor]) -> int:
        """The leader's step and weights, in all processes; negative where the leader has ended."""
        if self.count == 1:
            return step
        number = torch.tensor([step], device=_device())
        distributed.broadcast(number, 0)
        if number.item() >= 0:
            for weight in weights:
                distributed.broadcast(weight.data, 0)
        return int(number.item())

    def of_leader(self, figures: Sequence[float]) -> list[float]:
        """The leader's figures, in all processes."""
        if self.count == 1:
            return list(figures)
        shared = torch.tensor(figures, dtype=torch.float64, device=_device())
        distributed.broadcast(shared, 0)
        return shared.tolist()

    def first(self, figures: Sequence[float]) -> list[float]:
        """The figures of the first process that has any but zeros, in all processes."""
        if self.count == 1:
            return list(figures)
        own = torch.tensor(figures, dtype=torch.float64, device=_device())
        gathered = [torch.zeros_like(own) for _ in range(self.count)]
        distributed.all_gather(gathered, own)
        return next((one for one in gathered if one.any()), own).tolist()

    def all_went_through(self, went: bool) -> bool:
        """Whether no process ran out of memory."""
        if self.count == 1:
            return went
        failed = torch.tensor([0.0 if went else _FAILED], device=_device())
        distributed.all_reduce(failed)
        return failed.item() == 0

    def sum(self, tensors: Sequence[Tensor]) -> None:
        """Add up each tensor over all processes, in place, for the leader."""
        if self.count > 1:
            for tensor in tensors:
                distributed.reduce(tensor, 0)

    def end(self) -> None:
        if self.count > 1 and self.rank == 0:
            self.begin(_STOP, ())


ALONE = Ranks()


def processes(recipe: Recipe) -> int:
    if recipe.processes != "auto":
        return recipe.processes
    return max(1, torch.cuda.device_count())


@contextlib.contextmanager
def lead(recipe: Recipe, folder: Path) -> Iterator[Ranks]:
    """Start the other processes, and end them with this one."""
    count = processes(recipe)
    if count == 1:
        yield ALONE
        return
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as children:
        meeting = Path(directory) / "meeting"
        for rank in range(1, count):
            children.enter_context(_follower(folder, f"{rank}/{count}", meeting))
        with joined(Ranks(0, count), meeting) as ranks:
            yield ranks
            ranks.end()


@contextlib.contextmanager
def _follower(folder: Path, place: str, meeting: Path) -> Iterator[None]:
    command = [
        "-m",
        "tunewright.training",
        str(folder),
        "--watch-stdin",
        "--follow",
        place,
        str(meeting),
    ]
    # It reports nothing: what it prints is for the log.
    with children.running(command, stdout=sys.stderr.fileno()) as child:
        yield
        child.wait(60)


@contextlib.contextmanager
def joined(ranks: Ranks, meeting: Path) -> Iterator[Ranks]:
    kind = "nccl" if torch.cuda.is_available() else "gloo"
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, "lo")  # one machine: nothing leaves it
    if kind == "nccl":
        torch.cuda.set_device(ranks.rank)
    distributed.init_process_group(
        kind,
        init_method=f"file://{meeting}",
        rank=ranks.rank,
        world_size=ranks.count,
        timeout=_PATIENCE,
    )
    try:
        yield ranks
    finally:
        distributed.destroy_process_group()


def _device() -> torch.device:
    return torch.device("cuda" if distributed.get_backend() == "nccl" else "cpu")
