"""Tokens a second of the embedded engine and of `generate`: ``python -m gpu.engines BASE``.

The same prompts, greedy, 64 tokens each, by turns; medians. `generate` gets 32 prompts as one
padded batch, its best case: in a server they would come one after the other.
"""

import json
import statistics
import sys
import time
from pathlib import Path

import torch

from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Request
from tunewright.rendering import Renderer
from tunewright.weights.base import load_base

TOKENS, ROUNDS = 64, 2


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
    made = model.generate(
        ids.to(model.device),
        attention_mask=mask.to(model.device),
        do_sample=False,
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,
        pad_token_id=0,
    )
    return (made.shape[1] - width) * len(prompts)


def main() -> None:
    base = Path(sys.argv[1])
    renderer = Renderer.load(base, chat=True)
    questions = [f"Tell me what you know about the number {n}." for n in range(32)]
    prompts = [renderer.prompt([{"role": "user", "content": text}]) for text in questions]
    generator, spec = EmbeddedGenerator(), ModelSpec("bench", str(base))
    model = load_base(base)
    found: dict[str, object] = {}
    for rows in (1, 32):
        speed: dict[str, list[float]] = {"tunewright": [], "transformers": []}
        for turn in range(ROUNDS + 1):
            for name in speed:
                began = time.perf_counter()
                ours = name == "tunewright"
                some = prompts[:rows]
                made = engine(generator, spec, some) if ours else transformers(model, some)
                if turn:
                    speed[name].append(made / (time.perf_counter() - began))
        found[str(rows)] = {name: round(statistics.median(got)) for name, got in speed.items()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
