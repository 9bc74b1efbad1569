"""How many threads serve best, and whether the engine's own choice keeps up, quiet and loaded.

Tokens per second of one stream on a base of SmolLM2-135M's shape (random weights): with one thread,
with two, and with the number that the engine chooses; then the same with busy loops beside it. All
in one process that is set up as the engine's. The three take turns, in another order each round;
medians of the rounds, and of the quotients within a round, for what else runs changes meanwhile.

    .venv/bin/python bench/serving_threads.py [--seconds 2] [--rounds 5] [--loops 4]
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from machine import described

from tunewright.serving.__main__ import prepare_for_torch

SHAPE = {
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "vocab_size": 49152,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
PROMPT, ANSWER = 8, 150  # tokens; then the next prompt


class Fixed:
    """In place of the engine's choice."""

    def __init__(self, count: int) -> None:
        self.count = self.kept = count

    def took(self, rows: int, seconds: float, now: float, work: int = 1) -> None: ...


def make_base(directory: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    LlamaForCausalLM(LlamaConfig(**SHAPE)).to(torch.bfloat16).save_pretrained(directory)


def speed(resident: Any, seconds: float) -> float:
    """Tokens per second of one row after another, their prompts not counted."""
    import torch

    from tunewright.weights import lora

    made, spent = 0, 0.0
    with torch.inference_mode():
        while spent < seconds:
            _, cache = resident.prefill(list(range(5, 5 + PROMPT)), lora.NONE, None, 0)
            began = time.perf_counter()
            for length in range(PROMPT, PROMPT + ANSWER):
                _, cache = resident.prefill([length], lora.NONE, cache, length)
                made += 1
                if spent + time.perf_counter() - began > seconds:
                    break
            spent += time.perf_counter() - began
    return made / spent


@contextmanager
def busy(loops: int) -> Iterator[None]:
    processes = [subprocess.Popen([sys.executable, "-c", "while 1: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def compare(resident: Any, policies: dict[str, Any], rounds: int, seconds: float) -> str:
    """The row of the table: each policy's median, and what the choice makes of the others'."""
    order, found = list(policies), []
    for _ in range(rounds):
        speeds: dict[str, float] = {}
        random.shuffle(order)
        for name in order:
            resident.threads = policies[name]
            speeds[name] = speed(resident, seconds)
        found.append([speeds[name] for name in policies])
    better = statistics.median(chosen / max(one, two) for one, two, chosen in found)
    alone = statistics.median(chosen / one for one, _, chosen in found)
    figures = [f"{statistics.median(each):.1f}" for each in zip(*found, strict=True)]
    return f"{' | '.join(figures)} | {better:.2f} | {alone:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, default=4)
    options = parser.parse_args()
    prepare_for_torch()  # before torch is imported
    with tempfile.TemporaryDirectory() as directory:
        make_base(Path(directory))
        from tunewright.generation.resident import Resident

        resident: Any = Resident(Path(directory))
    policies = {"1 thread": Fixed(1), "2 threads": Fixed(2), "chosen": resident.threads}
    speed(resident, 1.0)
    load = os.getloadavg()[0]
    quiet = compare(resident, policies, options.rounds, options.seconds)
    with busy(options.loops):
        loaded = compare(resident, policies, options.rounds, options.seconds)
    print(f"{described()}; {resident.model.dtype}; load before: {load:.1f}; tokens per second\n")
    print(f"| | {' | '.join(policies)} | chosen against the better | chosen against 1 thread |")
    print("|---|" + "---|" * (len(policies) + 2))
    print(f"| nothing of ours beside it | {quiet}\n| {options.loops} busy loops | {loaded}")


if __name__ == "__main__":
    main()
