"""Tokens per second of the embedded engine against `generate` of transformers.

Same base, same prompts, greedy, 64 tokens each; one row, then eight at once. The two take turns,
medians are printed. `generate` gets the eight as one padded batch, which is its best case: in a
server they would come one after the other.

    .venv/bin/python bench/generation.py [--base DIR] [--rounds 5]
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from tunewright import builtin
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Request
from tunewright.rendering import Renderer
from tunewright.weights.base import load_base

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
        ids,
        attention_mask=mask,
        do_sample=False,
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,
        pad_token_id=0,
    )
    return (made.shape[1] - width) * len(prompts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=builtin.ROOT / "chat")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    renderer = Renderer.load(options.base, chat=True)
    questions = [f"Tell me what you know about the number {n}." for n in range(8)]
    prompts = [renderer.prompt([{"role": "user", "content": text}]) for text in questions]
    generator, spec = EmbeddedGenerator(), ModelSpec("bench", str(options.base))
    model = load_base(options.base)
    for rows in (1, 8):
        some = prompts[:rows]
        speed: dict[str, list[float]] = {"tunewright": [], "transformers": []}
        for turn in range(options.rounds + 1):
            for name in speed:
                began = time.perf_counter()
                ours = name == "tunewright"
                made = engine(generator, spec, some) if ours else transformers(model, some)
                if turn:
                    speed[name].append(made / (time.perf_counter() - began))
        ours, theirs = (statistics.median(values) for values in speed.values())
        print(f"{rows} row(s): {ours:,.0f} against {theirs:,.0f} tokens/s, {ours / theirs:.2f}x")


if __name__ == "__main__":
    main()
