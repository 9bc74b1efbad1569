"""Train `builtin-mini`, a small transformer distilled from all-MiniLM-L6-v2. By the clock:

    pip install 'tunewright[bench]'                # the teacher
    python -m starter.mini --minutes 60
    python -m starter.mini_export                  # int8, ONNX, card, manifest
    python -m starter.embedders --reviews FILE     # judge it

Seeded and resumable: run it again after an interruption and it goes on from its checkpoint.

The student starts as its teacher with a third of the heads and more than half of the inner neurons
cut out (`starter.pruning`), and reads fresh passages beside it, step by step. It learns each
token's last hidden state, which says 384 things a token where a vector says 384 a text; the place
of each vector; and the cosines within a batch. The teacher's space is turned by a PCA, the
strongest components first, and the last two losses hold for every prefix that `dimensions` may
ask for.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from starter.passages import passages
from starter.pretrain import MALLOC
from starter.pruning import fit
from starter.student import POSITIONS, Student
from starter.teacher import (
    Floats,
    Teacher,
    add_sources,
    by_length,
    check_sources,
    padded,
    pooled,
    spearman,
)
from torch import Tensor
from torch.nn import functional

SIZES = {f"{part}{layer}": 8 if part == "a" else 640 for layer in range(6) for part in "af"}
TURNED = 2000  # passages whose strongest components come first
FITTED = 400  # passages that the cut student is fitted to
PREFIXES = (64, 128, 256, 384)
SENTENCES = (1, 1, 2, 2, 3, 4, 5, 6, 8, 12)  # how many make a passage, drawn at random
LONGEST = 2400  # characters of a passage
PIECE = 768  # tokens of like length
PIECES = 2  # in a step, so that its pairs are of short and long texts
POOL = 1000  # passages that are sorted by length together
READS = 2  # of each, soon after one another: what the teacher said, dear to compute, is kept
WARM_UP = 40  # steps
DECAY_FROM = 0.2  # share of the time; then linear to zero
RATE = 1.5e-4  # 6e-4 learned in 140,000 tokens what a tenth of them taught at this one
EACH = 0.3  # weight of the hidden states of each token
PAIRS = 30.0  # weight of the cosines within a batch against the place of each vector
LOG_EVERY = 20  # steps
SAVE_EVERY = 180  # seconds
JUDGE_EVERY = 360  # seconds
HELD = 400  # passages to judge by on the way


class Run:
    """All that a checkpoint holds."""

    def __init__(self, student: Student, settings: dict) -> None:
        self.student, self.settings = student, settings
        parameters = student.parameters()
        self.optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.0)
        self.steps, self.tokens, self.seconds = 0, 0, 0.0
        self.scores: list[tuple[int, float, float]] = []  # (tokens, seconds, Spearman held out)

    def save(self, path: Path) -> None:
        staged = path.with_name(f"part-{path.name}")
        plain = {name: getattr(self, name) for name in _PLAIN}
        state = {"student": self.student.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(plain | state, staged)
        staged.replace(path)

    def load(self, path: Path) -> None:
        state = read(path)
        if state["settings"] != self.settings:
            raise SystemExit(
                f"{path} was trained with {state['settings']}, not {self.settings}: "
                "name another --checkpoint, or move this one away."
            )
        self.student.load_state_dict(state["student"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name in _PLAIN:
            setattr(self, name, state[name])

    def step(self, share: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * share
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


_PLAIN = ("settings", "steps", "tokens", "seconds", "scores")


def read(path: Path) -> dict:
    if not path.is_file():
        raise SystemExit(f"{path} is missing: python -m starter.mini makes it.")
    return torch.load(path, weights_only=True)


def rate(done: float, steps: int) -> float:
    """The learning rate as a share of its highest; `done` is the share of time spent."""
    return min(1.0, (steps + 1) / WARM_UP, max(0.0, (1 - done) / (1 - DECAY_FROM)))


class Piece:
    """Passages of like length, and what the teacher makes of them."""

    def __init__(self, ids: list[list[int]]) -> None:
        self.rows, self.mask = padded(ids)
        self._said: Tensor | None = None

    def said(self, teacher: Teacher) -> Tensor:
        """The teacher's last hidden states; computed once."""
        if self._said is None:
            with torch.inference_mode():
                found = teacher.model(input_ids=self.rows, attention_mask=self.mask)
            self._said = found.last_hidden_state.clone()
        return self._said.clone()


def pieces(teacher: Teacher, texts: list[str], seed: int) -> Iterator[Piece]:
    """Passages, about PIECE tokens at a time, for as long as one asks."""
    rng = np.random.default_rng(seed)
    while True:
        order = rng.permutation(len(texts))
        for start in range(0, len(order), POOL):
            ids = teacher.encode([texts[i] for i in order[start : start + POOL]])
            pool = [Piece([ids[i] for i in batch]) for batch in by_length(ids, PIECE)]
            for _ in range(READS):
                yield from (pool[place] for place in rng.permutation(len(pool)))


def losses(student: Student, teacher: Teacher, batch: list[Piece]) -> Tensor:
    """[3]: token by token, the place of each vector, the cosines of each pair."""
    apart, found, wanted = [], [], []
    for piece in batch:
        hidden, target = student(piece.rows, piece.mask), piece.said(teacher)
        apart.append((hidden - target).square().mean(-1)[piece.mask.bool()])
        found.append(pooled(hidden, piece.mask))
        wanted.append(pooled(target, piece.mask))
    theirs = torch.cat(wanted)
    scale = theirs.square().mean()  # of what the vectors are made of, so that losses are shares
    vectors, places = torch.cat(found) @ student.turn, theirs @ student.start
    cosines = functional.normalize(theirs, dim=1) @ functional.normalize(theirs, dim=1).T
    terms = []
    for size in PREFIXES:
        mine = functional.normalize(vectors[:, :size], dim=1)
        place = 1 - (mine * functional.normalize(places[:, :size], dim=1)).sum(1).mean()
        terms.append(torch.stack([place, PAIRS * (mine @ mine.T - cosines).square().mean()]))
    each = EACH * torch.cat(apart).mean() / scale
    return torch.cat([each[None], torch.stack(terms).mean(0)])


@torch.inference_mode()
def vectors(student: Student, ids: list[list[int]]) -> Floats:
    found = np.zeros((len(ids), student.turn.shape[1]), np.float32)
    for batch in by_length(ids):
        rows, mask = padded([ids[i] for i in batch])
        turned = pooled(student(rows, mask), mask) @ student.turn
        found[batch] = functional.normalize(turned, dim=1).numpy()
    return found


class Judge:
    """Spearman of the cosines of all pairs of some held-out passages with the teacher's."""

    def __init__(self, teacher: Teacher, corpus: Path) -> None:
        texts = passages(corpus, 4000, 2, SENTENCES, LONGEST, heldout=True)[:HELD]
        self.ids = teacher.encode(texts)
        self.wanted = teacher.rows(self.ids)

    def score(self, student: Student) -> float:
        return spearman(vectors(student, self.ids), self.wanted)


def train(run: Run, teacher: Teacher, texts: list[str], judge: Judge, args, report) -> None:
    stream = pieces(teacher, texts, args.seed)
    for _ in range(run.steps * PIECES):
        next(stream)
    budget = args.minutes * 60
    began = saved = time.monotonic()
    began -= run.seconds
    judged, recent = -JUDGE_EVERY if not run.scores else run.seconds, []
    while run.seconds < budget and not _stopped:
        if run.seconds - judged > JUDGE_EVERY:
            judged = run.seconds
            run.scores.append((run.tokens, run.seconds, judge.score(run.student)))
        batch = [next(stream) for _ in range(PIECES)]
        parts = losses(run.student, teacher, batch)
        parts.sum().backward()
        share = rate(run.seconds / budget, run.steps)
        run.step(share)
        run.steps += 1
        run.tokens += sum(int(piece.mask.sum()) for piece in batch)
        run.seconds = time.monotonic() - began
        recent.append(parts.detach())
        if len(recent) == LOG_EVERY:
            report(torch.stack(recent).mean(0), share)
            recent.clear()
        if time.monotonic() - saved > SAVE_EVERY:
            run.save(args.checkpoint)
            saved = time.monotonic()
    run.scores.append((run.tokens, run.seconds, judge.score(run.student)))
    run.save(args.checkpoint)


_stopped: list[int] = []


def watched(run: Run, teacher: Teacher, texts: list[str], judge: Judge, args) -> None:
    def line(parts: Tensor, share: float) -> str:
        tokens, place, pairs = parts.tolist()
        return (
            f"{run.seconds / 60:5.1f} min  step {run.steps}  {run.tokens:,} tokens  "
            f"token {tokens:.3f}  place {place:.3f}  pairs {pairs:.3f}  rate {share:.2f}  "
            f"Spearman {run.scores[-1][2]:.4f}"
        )

    console = Console()
    if not console.is_terminal:
        train(run, teacher, texts, judge, args, lambda *now: print(line(*now), flush=True))
        return
    with Progress(console=console) as progress:
        task = progress.add_task("training", total=args.minutes * 60)

        def report(*now) -> None:
            progress.update(task, completed=run.seconds, description=line(*now))

        train(run, teacher, texts, judge, args, report)


def turned(teacher: Teacher, texts: list[str]) -> Tensor:
    """The rotation [width, width] that puts the strongest components of the teacher first."""
    rows = teacher.embed(texts)
    return torch.from_numpy(np.linalg.svd(rows, full_matrices=True)[2].T.copy())


def resumed(teacher: Teacher, settings: dict, checkpoint: Path) -> Run:
    turn = torch.eye(teacher.model.config.hidden_size)
    run = Run(Student(teacher.model.config, SIZES, turn), settings)
    run.load(checkpoint)
    return run


def begun(teacher: Teacher, settings: dict, texts: list[str]) -> Run:
    student = Student.whole(teacher.model, SIZES, turned(teacher, texts[:TURNED]))
    fit(student, teacher, teacher.encode(texts[:FITTED]), SIZES)
    return Run(student, settings)


def begin(args: argparse.Namespace) -> None:
    teacher = Teacher(args.teacher, POSITIONS - 2)
    settings = {"sizes": SIZES, "seed": args.seed, "passages": args.passages}
    kept = args.checkpoint.is_file()
    run = resumed(teacher, settings, args.checkpoint) if kept else None
    texts = passages(args.corpus, args.passages, args.seed, SENTENCES, LONGEST)
    run = run or begun(teacher, settings, texts)
    watched(run, teacher, texts, Judge(teacher, args.corpus), args)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_sources(parser)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--checkpoint", type=Path, default=Path(".starter/mini.pt"))
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    check_sources(args)
    if not MALLOC.items() <= os.environ.items():  # glibc reads them when a process starts
        os.execve(sys.executable, [sys.executable, "-m", "starter.mini", *sys.argv[1:]],
                  os.environ | MALLOC)  # fmt: skip
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _stopped.append(1))  # finish the step, then save
    args.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    torch.set_num_threads(1)
    begin(args)


if __name__ == "__main__":
    main()
