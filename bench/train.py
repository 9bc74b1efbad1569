"""Fine-tuning against TRL's SFTTrainer and against PEFT with a plain loop.

Same base, rows, rows a step, epochs, learning rate and LoRA (all linear layers); each contender in
a process of its own, in turn; medians. Timed: from the first step to the last, without loading,
each warmed up. A round's number is the seed of everybody's adapters and shuffle in it.

    tunewright
    trl          SFTTrainer as it comes: all tokens are learnt, checkpointing, bf16
    trl-float32  the same, but bf16 only where the processor has it
    trl-best     its best here: the answers alone, no checkpointing, float32 where bf16 is slow,
                 one row at a time, which pads nothing
    peft         PEFT and a plain loop: padded batches of 8, logits at every position

On request (--only), what may be somebody's best: trl-2 to trl-16 (so many rows at once),
trl-grouped (8 rows of like length), trl-free (4 rows end to end), peft-1 (a row at a time).

With --ablate: from peft to ours, one ingredient more at a time: own-lora, no-mask, few-logits (at
supervised positions only), lengths (like ones in a batch), sharing.

`trl` emulates bf16 on most processors and takes minutes, so it gets --trl-rows rows, once, and is
compared by the row; its loss is then not that of the others.

Data: reviews (a system prompt of some 200 tokens, the answer a word), gsm8k (one of some 60, worked
answers), apart (no shared prefixes). Bases: a directory, or `135m`: SmolLM2's shape, random.

    .venv/bin/python bench/train.py --data DIR --out FILE [--base DIR|135m] [--task reviews]
    .venv/bin/python bench/train.py --report FILE [--picture bench/training.png]

FILE gets a JSON object for each run. What it holds already is not run again.
"""

import argparse
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training.results import Result, append, read
from training.work import TASKS, Work, write_135m

from training import INGREDIENTS, LADDER, MAIN, TRIED
from tunewright import builtin

QUIET = {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
PACKAGES = ("torch", "transformers", "trl", "peft")


def main() -> None:
    options = _options()
    if options.report:
        _show(options)
        return
    os.environ |= QUIET
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)  # read when a child loads torch
    with tempfile.TemporaryDirectory() as directory:
        base = options.base
        if base == "135m":
            base = directory
            _in_child(write_135m, Path(directory))
        for task in options.task or TASKS:
            for name, work in _runs(task, Path(base), options):
                _run(task, name, work, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = dict.fromkeys([*MAIN, *TRIED, *LADDER])
    parser.add_argument("--data", type=Path, help="folder of reviews and gsm8k")
    parser.add_argument("--out", type=Path, help="file of results; printed alone if not given")
    parser.add_argument("--report", type=Path, metavar="FILE", help="only print its tables")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="with --report: draw it")
    parser.add_argument("--base", default=str(builtin.CHAT), help="a directory, or 135m")
    parser.add_argument("--task", choices=TASKS, action="append", help="default: all")
    parser.add_argument("--only", choices=names, action="append", help="default: the first five")
    parser.add_argument("--ablate", action="store_true", help="the ingredients, one by one")
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--trl-rows", type=int, default=8, help="for trl, one epoch")
    parser.add_argument("--valid", type=int, default=64, help="rows held out")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, help="of everybody; default: what each chooses")
    options = parser.parse_args()
    if not options.data and not options.report:
        parser.error("--data is needed, or --report")
    return options


def _runs(task: str, base: Path, options: argparse.Namespace) -> Iterator[tuple[str, Work]]:
    rows = TASKS[task](options.data)
    train, valid = rows[: options.rows], rows[options.rows : options.rows + options.valid]
    work = Work(base, train, valid, options.epochs, seed=0, threads=options.threads)
    for turn in range(options.rounds):
        for name in options.only or (LADDER if options.ablate else MAIN):
            now = replace(work, seed=turn)
            if name == "trl":
                now = replace(now, train=train[: options.trl_rows], valid=[], epochs=1)
            yield name, now


def _run(task: str, name: str, work: Work, options: argparse.Namespace) -> None:
    base = "built-in" if options.base == str(builtin.CHAT) else Path(options.base).name
    fields = {"base": base, "task": task, "contender": name, "round": work.seed}
    wanted = {**fields, "rows": len(work.train), "epochs": work.epochs}
    done = read(options.out) if options.out else []
    if any(wanted.items() <= vars(result).items() for result in done):
        return
    result = _in_child(_measured, name, work, fields)
    if options.out:
        append(options.out, result)
    loss = "" if result.loss is None else f"loss {result.loss:.4f}"
    print(
        f"{base} {task} {work.seed} {name:11} {result.cpu:7.1f} CPU s {result.wall:7.1f} s "
        f"{result.peak:6.0f} MiB, {result.share_of_peak:.0%} of peak {loss}",
        flush=True,
    )


def _in_child(call: Callable[..., Any], *given: Any) -> Any:
    """A process of its own: its peak memory and its threads are nobody else's."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(call, *given).result()


def _measured(name: str, work: Work, fields: dict[str, Any]) -> Result:
    import torch
    from training.contenders import validation_loss
    from training.meter import Meter, matmul_peak
    from training.work import samples

    if work.threads:
        torch.set_num_threads(work.threads)
    meter = Meter()
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        rows = samples(work.base, work.train, folder)
        _contender(name)(work, folder, meter)
        threads = torch.get_num_threads()
        return Result(
            **fields,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            rows=len(work.train),
            epochs=work.epochs,
            threads=threads,
            cpu=meter.cpu,
            wall=meter.wall,
            peak=meter.peak,
            loss=validation_loss(work, folder) if work.valid else None,
            tokens=sum(len(row.ids) for row in rows),
            supervised=sum(row.supervised for row in rows),
            computed=meter.tokens,
            operations=meter.operations,
            matmul=matmul_peak(_dtype(name)),
            forecast=meter.forecast,
            versions={package: version(package) for package in PACKAGES},
        )


def _dtype(name: str) -> Any:
    """What a contender's products are computed in."""
    import torch

    from tunewright.weights.base import compute_dtype

    plain = name in INGREDIENTS or name.startswith("peft")
    return torch.float32 if plain else torch.bfloat16 if name == "trl" else compute_dtype()


def _contender(name: str) -> Callable[..., None]:
    from training.ablation import ablated
    from training.contenders import CONTENDERS

    if name in INGREDIENTS:
        return partial(ablated, name)
    return CONTENDERS[name]


def _show(options: argparse.Namespace) -> None:
    from training.picture import draw
    from training.report import tables

    results = read(options.report)
    print("\n".join(tables(results)))
    if options.picture:
        draw(results, options.picture)


if __name__ == "__main__":
    main()
