"""Train the starter model from scratch. One command, seeded, by the clock, resumable:

    python -m starter.pretrain --minutes 95

The schedule follows the time spent training, not steps: however busy the machine is, the learning
rate reaches zero when the minutes are over. Run it again after an interruption and it goes on from
the last checkpoint; then `python -m starter.export .starter/checkpoint.pt`.

Each worker is a process of one thread that takes its share of every batch: on a busy machine of
two cores, two threads in one process made 600 tokens/s and one thread 1,400, for threads wait for
each other at every product. torch.compile gained 11 % per CPU-second and cost minutes of compiling.

The workers keep what they free (MALLOC): glibc gives every block above 32 MiB back to the system,
and the logits of a piece are one; on a virtual machine half of all CPU time went into page faults.
"""

import argparse
import itertools
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from rich.console import Console
from rich.progress import Progress
from starter.corpus import DEFAULT, CorpusError, check
from starter.export import OUT
from starter.model import Llama, Shape
from starter.optimizers import Muon
from starter.packing import IGNORED, batches, shares, tokenized
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy

TOKENS = 4096  # in a step
PIECE = 2048  # tokens in one pass: what stays in the cache is 13 % faster than a whole step
WARM_UP = 40  # steps
DECAY_FROM = 0.55  # share of the time; then linear to zero
MATRIX_RATE, OTHER_RATE = 0.02, 3e-3
CHECKPOINT_EVERY = 120  # seconds
LOG_EVERY = 20  # steps
MALLOC = {  # read by glibc when a process starts
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
    "MALLOC_TOP_PAD_": str(256 << 20),
}


@dataclass(frozen=True)
class Phase:
    until: float  # share of the time
    text: float  # share of tokens that are plain text; the rest are chats
    lengths: tuple[int, ...]  # of the rows, step by step
    halves: int = 1  # the model has its layers divided by this


# Few layers first: on two cores time is short, not text, and half the layers see 1.6 times the
# tokens in it; then every layer becomes two. Short rows first: they cost less and most of a
# language is in them. Chats come from the start, for they are what the model is for; books end
# early, for they are what it is not.
PHASES = (
    Phase(until=0.5, text=0.45, lengths=(256,), halves=2),
    Phase(until=0.7, text=0.35, lengths=(256,)),
    Phase(until=1.0, text=0.1, lengths=(512, 512, 512, 1024)),
)


@dataclass(frozen=True)
class Team:
    """The processes that train together: this one's place, and how many there are."""

    rank: int
    size: int

    def agree(self, model: Llama, seconds: float, stop: bool) -> tuple[float, bool]:
        """Add up the gradients of all; (seconds on the first one's clock, was anyone stopped)."""
        if self.size == 1:
            return seconds, stop
        grads = [parameter.grad for parameter in model.parameters()]
        flat = torch.cat([grad.flatten() for grad in grads])
        word = torch.tensor([seconds * (self.rank == 0), float(stop)], dtype=torch.float64)
        dist.all_reduce(flat)
        dist.all_reduce(word)
        for grad, total in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(total.view_as(grad))
        return word[0].item(), bool(word[1])


class Run:
    """All that a checkpoint holds."""

    def __init__(self, settings: dict, team: Team) -> None:
        torch.manual_seed(settings["seed"])
        self.settings = settings
        self._team = team
        self._take(Llama(self.shape(0)))
        self.steps = [0] * len(PHASES)
        self.tokens = 0
        self.seconds = 0.0
        self.losses: list[tuple[int, float, float]] = []  # (tokens, seconds, mean loss since)

    def shape(self, phase: int) -> Shape:
        full = Shape(**self.settings["shape"])
        return replace(full, layers=full.layers // PHASES[phase].halves)

    def enter(self, phase: int) -> None:
        """Make the model as deep as the phase wants it; the optimizers then start afresh."""
        shape = self.shape(phase)
        while len(self.model.model.layers) < shape.layers:
            self._take(self.model.deepened())

    def _take(self, model: Llama) -> None:
        self.model = model
        self.fresh = 0  # steps of these optimizers
        matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "layers." in n]
        held = {id(p) for p in matrices}
        others = [p for p in model.parameters() if id(p) not in held]
        self.optimizers: tuple[torch.optim.Optimizer, ...] = (
            Muon(matrices, lr=MATRIX_RATE, rank=self._team.rank, size=self._team.size),
            torch.optim.AdamW(others, lr=OTHER_RATE, betas=(0.9, 0.95), weight_decay=0.0),
        )

    def save(self, path: Path) -> None:
        staged = path.with_name(f"part-{path.name}")
        plain = {name: getattr(self, name) for name in _PLAIN}
        optimizers = [each.state_dict() for each in self.optimizers]
        torch.save(plain | {"model": self.model.state_dict(), "optimizers": optimizers}, staged)
        staged.replace(path)

    def load(self, path: Path) -> None:
        state = torch.load(path, weights_only=True)
        if state["settings"] != self.settings:
            raise SystemExit(
                f"{path} was trained with {state['settings']}, not {self.settings}: "
                "name another --checkpoint, or move this one away."
            )
        self.enter(max(place for place, drawn in enumerate([1, *state["steps"][1:]]) if drawn))
        self.model.load_state_dict(state["model"])
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        for name in _PLAIN:
            setattr(self, name, state[name])


_PLAIN = ("settings", "steps", "fresh", "tokens", "seconds", "losses")


def rate(done: float, fresh: int) -> float:
    """The learning rate as a share of its highest.

    `done` is the share of time spent, `fresh` the steps since the optimizers began.
    """
    return min(1.0, (fresh + 1) / WARM_UP, max(0.0, (1 - done) / (1 - DECAY_FROM)))


class Data:
    """The batches of each phase, going on where a run stopped."""

    def __init__(self, corpus: Path, cache: Path, run: Run) -> None:
        tokenizer = Tokenizer.from_file(str(OUT / "tokenizer.json"))
        sources = tokenized(corpus, tokenizer, cache)
        seed = run.settings["seed"]
        self._streams = [self._phase(sources, place, seed) for place in range(len(PHASES))]
        for stream, drawn in zip(self._streams, run.steps, strict=True):
            next(itertools.islice(stream, drawn, drawn), None)

    @staticmethod
    def _phase(sources: dict, place: int, seed: int) -> Iterator:
        phase = PHASES[place]
        mix = shares(phase.text)
        streams = {
            length: batches(sources, mix, length, TOKENS // length, [seed, place, length])
            for length in sorted(set(phase.lengths))
        }
        return (next(streams[length]) for length in itertools.cycle(phase.lengths))

    def take(self, phase: int) -> Tensor:
        return torch.from_numpy(next(self._streams[phase]))


def backward(model: Llama, rows: Tensor, team: Team) -> float:
    """This worker's part of the batch's mean loss; its gradients are added to the parameters'."""
    targets = rows[:, 1:]
    count = (targets != IGNORED).sum()
    mine = rows[team.rank :: team.size]
    total = 0.0
    for piece in mine.split(max(1, PIECE // targets.shape[1])):
        logits = model(piece[:, :-1].clamp(min=0))
        loss = cross_entropy(logits.flatten(0, 1), piece[:, 1:].flatten(), reduction="sum") / count
        loss.backward()
        total += loss.item()
    return total * team.size


def update(run: Run, share: float) -> None:
    for optimizer, highest in zip(run.optimizers, (MATRIX_RATE, OTHER_RATE), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = highest * share
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def train(run: Run, data: Data, args: argparse.Namespace, team: Team, report) -> None:
    budget = args.minutes * 60
    began, saved, losses = time.monotonic() - run.seconds, time.monotonic(), []
    stop = False
    while run.seconds < budget and not stop:
        done = run.seconds / budget
        phase = next(place for place, each in enumerate(PHASES) if done < each.until)
        run.enter(phase)
        rows = data.take(phase)
        losses.append(backward(run.model, rows, team))
        share = rate(done, run.fresh)
        run.seconds, stop = team.agree(run.model, time.monotonic() - began, bool(_stopped))
        update(run, share)
        run.steps[phase] += 1
        run.fresh += 1
        run.tokens += int((rows[:, 1:] != IGNORED).sum())
        if len(losses) == LOG_EVERY:
            run.losses.append((run.tokens, run.seconds, sum(losses) / len(losses)))
            report(run, share)
            losses.clear()
        if team.rank == 0 and time.monotonic() - saved > CHECKPOINT_EVERY:
            run.save(args.checkpoint)
            saved = time.monotonic()
    if team.rank == 0:
        run.save(args.checkpoint)


_stopped: list[int] = []


def line(run: Run, share: float) -> str:
    return (
        f"{run.seconds / 60:6.1f} min  step {sum(run.steps):5}  {run.tokens:>10,} tokens  "
        f"{run.tokens / run.seconds:5.0f}/s  loss {run.losses[-1][2]:.3f}  rate {share:.3f}"
    )


def watched(run: Run, data: Data, args: argparse.Namespace, team: Team) -> None:
    console = Console()
    if team.rank > 0:
        train(run, data, args, team, lambda *_: None)
        return
    if not console.is_terminal:
        train(run, data, args, team, lambda *now: print(line(*now), flush=True))
        return
    with Progress(console=console) as progress:
        task = progress.add_task("training", total=args.minutes * 60)

        def report(*now) -> None:
            progress.update(task, completed=run.seconds, description=line(*now))

        train(run, data, args, team, report)


def work(rank: int, args: argparse.Namespace, meeting: str) -> None:
    """One worker, from its start to its end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stopped.append(1))  # finish the step, then save
    torch.set_num_threads(1)
    team = Team(rank, args.workers)
    if team.size > 1:
        dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=team.size)
    run = Run({"shape": asdict(Shape()), "tokens": TOKENS, "seed": args.seed}, team)
    if args.checkpoint.is_file():
        run.load(args.checkpoint)
    cache = args.checkpoint.with_name("tokens.npz")
    watched(run, Data(args.corpus, cache, run), args, team)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=DEFAULT)
    parser.add_argument("--minutes", type=float, default=95)
    parser.add_argument("--checkpoint", type=Path, default=Path(".starter/checkpoint.pt"))
    parser.add_argument("--workers", type=int, choices=(1, 2, 4), default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        check(args.corpus)
    except CorpusError as error:
        raise SystemExit(str(error)) from error
    cache = args.checkpoint.with_name("tokens.npz")
    tokenized(args.corpus, Tokenizer.from_file(str(OUT / "tokenizer.json")), cache)
    os.environ |= MALLOC
    with TemporaryDirectory() as folder:
        team = mp.spawn(work, (args, f"{folder}/meeting"), nprocs=args.workers, join=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: [each.terminate() for each in team.processes])
        while not team.join():
            pass


if __name__ == "__main__":
    main()
