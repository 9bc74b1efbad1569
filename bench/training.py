"""Tokens per second of a training step against the plain loop that most tutorials show.

Same base, same 60 chats, same LoRA shape, same optimizer; the two take turns, medians are printed.
The rival: PEFT's LoRA, padded batches of 8 in file order, logits at every position, the loss of the
Hugging Face model (labels -100 outside the answers, so the objective is the same).

    .venv/bin/python bench/training.py [--base DIR] [--rounds 7]
"""

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model

from tunewright import builtin, samples
from tunewright.rendering import Renderer
from tunewright.training.batches import BUDGETS, plan
from tunewright.training.examples import Sample, read
from tunewright.training.loss import Objective
from tunewright.weights.base import load_base
from tunewright.weights.lora import attach

RANK, BATCH = 8, 8
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def ours(base: Path, data: list[Sample]) -> Callable[[], None]:
    model = load_base(base, dtype=torch.float32)
    objective = Objective(model, data)
    attach(model, RANK, 32, seed=0)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], fused=True)

    def epoch() -> None:
        for start in range(0, len(data), BATCH):
            step = data[start : start + BATCH]
            supervised = sum(sample.supervised for sample in step)
            for rows in plan(step, BUDGETS["cpu"]):
                (objective.sums(rows).loss / supervised).backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def plain(base: Path, data: list[Sample]) -> Callable[[], None]:
    config = LoraConfig(r=RANK, lora_alpha=32, target_modules=TARGETS)
    model = get_peft_model(copy.deepcopy(load_base(base, dtype=torch.float32)), config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])

    def epoch() -> None:
        for start in range(0, len(data), BATCH):
            step = data[start : start + BATCH]
            width = max(len(sample.ids) for sample in step)
            ids = torch.zeros(len(step), width, dtype=torch.long)
            labels = torch.full((len(step), width), -100)
            mask = torch.zeros(len(step), width, dtype=torch.long)
            for row, sample in enumerate(step):
                length = len(sample.ids)
                ids[row, :length] = torch.tensor(sample.ids)
                mask[row, :length] = 1
                answer = slice(length - sample.supervised, length)
                labels[row, answer] = ids[row, answer]
            model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=builtin.ROOT / "chat")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    data = read(samples.CHATS, Renderer.load(options.base, chat=True), "chat").all
    tokens = sum(len(sample.ids) for sample in data)
    loops = {"tunewright": ours(options.base, data), "plain": plain(options.base, data)}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(options.rounds + 1):
        for name, epoch in loops.items():
            began = time.perf_counter()
            epoch()
            if turn:  # the first warms up
                seconds[name].append(time.perf_counter() - began)
    speed = {name: tokens / statistics.median(times) for name, times in seconds.items()}
    for name, rate in speed.items():
        print(f"{name:12s}{rate:9,.0f} tokens/s")
    print(f"ratio {speed['tunewright'] / speed['plain']:.2f}  ({torch.get_num_threads()} threads)")


if __name__ == "__main__":
    main()
