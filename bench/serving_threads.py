"""How many threads serve best, and whether the engine's own choice keeps up, quiet and loaded.

Tokens per second of one stream on a base of SmolLM2-135M's shape (random weights): with one thread,
with two, and with the number that the engine chooses; then the same with busy loops beside it. All
in one process that is set up as the engine's; the three take turns, loaded twice as often.

    .venv/bin/python bench/serving_threads.py [--seconds 3.5] [--rounds 2] [--loops 4]
"""

import argparse
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
        self.count = count

    def took(self, rows: int, seconds: float, now: float) -> None: ...


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


def compare(resident: Any, policies: dict[str, Any], rounds: int, seconds: float) -> list[float]:
    speeds: dict[str, list[float]] = {name: [] for name in policies}
    for _ in range(rounds):
        for name, policy in policies.items():
            resident.threads = policy
            speeds[name].append(speed(resident, seconds))
    return [statistics.mean(found) for found in speeds.values()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--loops", type=int, default=4)
    options = parser.parse_args()
    prepare_for_torch()  # before torch is imported
    with tempfile.TemporaryDirectory() as directory:
        make_base(Path(directory))
        from tunewright.generation.resident import Resident

        resident: Any = Resident(Path(directory))
    policies = {"1 thread": Fixed(1), "2 threads": Fixed(2), "chosen": resident.threads}
    speed(resident, 1.0)
    quiet = compare(resident, policies, options.rounds, options.seconds)
    with busy(options.loops):
        loaded = compare(resident, policies, 2 * options.rounds, options.seconds)
    print(f"{described()}; {resident.model.dtype}; tokens per second\n")
    print(f"| | {' | '.join(policies)} | chosen against the better | chosen against 1 thread |")
    print("|---|" + "---|" * (len(policies) + 2))
    for name, found in (("quiet", quiet), (f"{options.loops} busy loops", loaded)):
        one, two, chosen = found
        figures = " | ".join(f"{value:.1f}" for value in found)
        print(f"| {name} | {figures} | {chosen / max(one, two):.2f} | {chosen / one:.2f} |")


if __name__ == "__main__":
    main()
