"""Tokens per second of the embedded engine against `generate` of transformers.

Same base, same prompts, greedy, 64 tokens each; one row, then eight at once; in each dtype. The two
take turns with as many threads each, medians are printed: by the clock, and by seconds of the
processor, which say more on a busy machine. `generate` gets the eight as one padded batch, which is
its best case: in a server they would come one after the other.

    .venv/bin/python bench/generation.py [--base DIR ...] [--rounds 5] [--dtype bfloat16 ...]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch

from tunewright import builtin
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Request
from tunewright.rendering import Renderer
from tunewright.weights.base import DTYPES, computing_in, load_base

TOKENS = 64


def engine(generator: EmbeddedGenerator, spec: ModelSpec, prompts: list[list[int]]) -> int:
    for id, prompt in enumerate(prompts):
        generator.submit(Request(id, spec, prompt, max_tokens=TOKENS, temperature=0))
    made = 0
    while generator.busy:
        made += sum(len(piece.ids) for piece in generator.step())
    return made


@torch.inference_mode()
def transformers(model: torch.nn.Module, prompts: list[list[int]]) -> int:
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    made = model.generate(  # pyright: ignore[reportCallIssue]
        ids.to(model.device),
        attention_mask=mask.to(model.device),
        do_sample=False,
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,
        pad_token_id=0,
    )
    return (made.shape[1] - width) * len(prompts)


@dataclass
class Took:
    """Seconds for each token made, in each round."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, run: Callable[[], int]) -> None:
        began = time.perf_counter(), time.process_time()
        made = run()
        self.wall.append((time.perf_counter() - began[0]) / made)
        self.cpu.append((time.process_time() - began[1]) / made)


def compare(base: Path, rounds: int, dtype: str) -> None:
    renderer = Renderer.load(base, chat=True)
    questions = [f"Tell me what you know about the number {n}." for n in range(8)]
    prompts = [renderer.prompt([{"role": "user", "content": text}]) for text in questions]
    generator, spec = EmbeddedGenerator(), ModelSpec("bench", str(base))
    model = load_base(base)
    for rows in (1, 8):
        some, ours, theirs = prompts[:rows], Took(), Took()
        engine(generator, spec, some)  # loads, and warms up
        for _ in range(rounds):
            ours.add(lambda some=some: engine(generator, spec, some))
            theirs.add(lambda some=some: transformers(model, some))
        wall, cpu = (
            [statistics.median(getattr(took, of)) for took in (ours, theirs)]
            for of in ("wall", "cpu")
        )
        print(
            f"{base.name} {dtype} {rows} row(s): {1 / wall[0]:,.0f} against {1 / wall[1]:,.0f} "
            f"tokens/s, {wall[1] / wall[0]:.2f}x; by the processor {cpu[1] / cpu[0]:.2f}x",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, action="append", help="default: the built-in one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", choices=DTYPES, action="append", help="default: each")
    options = parser.parse_args()
    for base in options.base or [builtin.CHAT]:
        for dtype in options.dtype or DTYPES:
            with computing_in(DTYPES[dtype]):
                compare(base, options.rounds, dtype)


if __name__ == "__main__":
    main()
