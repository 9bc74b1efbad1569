"""Tokens a second of the embedded engine and of `generate`: ``python -m gpu.engines BASE``.

The same prompts, greedy, 64 tokens each, by turns; medians. `generate` gets 32 prompts as one
padded batch, its best case: in a server they would come one after the other.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from generation import engine, transformers
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec
from tunewright.rendering import Renderer
from tunewright.weights.base import load_base

ROUNDS = 2


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
