"""Whether the GPU computes what the CPU does: ``python -m gpu.checked BASE``.

The gradients of a step of 4 rows, and the log-probabilities of 8 answers of 24 tokens that the
engine made on the GPU: on the GPU in bfloat16 and in float32, on the CPU in float32. A bfloat16
product is right to some 1e-2, a float32 one to 1e-3 and better.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

QUESTIONS = [f"What is {n} times {n + 1}?" for n in range(8)]
ANSWER = 24
ROWS = 4


def gradients(base: Path, folder: Path, dtype: str) -> None:
    """Of the second half of the adapter: of a new one the first half has none."""
    from safetensors.torch import save_file

    from gpu.rows import write
    from tunewright.training.ranks import ALONE
    from tunewright.training.recipe import Recipe
    from tunewright.training.run import prepare
    from tunewright.training.steps import gradients as learn
    from tunewright.training.supervised import METHOD
    from tunewright.weights.base import DTYPES, computing_in

    file = folder / "rows.jsonl"
    write("shared", ROWS, file)
    recipe = Recipe(
        base=base,
        base_name="bench",
        kind="chat",
        training_file=file,
        rank=8,
        n_epochs=1,
        batch_size=ROWS,
        compute_dtype=dtype,
    )
    with computing_in(DTYPES[dtype]):
        run = prepare(METHOD, recipe, folder, lambda _: None, ALONE)
        samples = run.training.all
        learn(run, samples, sum(s.supervised for s in samples), lambda _: None)
    found = {n: p.grad.float().cpu() for n, p in run.trained.items() if p.grad is not None}
    save_file(found, folder / "gradients.safetensors")


def answers(base: Path, folder: Path, dtype: str) -> None:
    """Made greedily where `made.json` is not there yet, else its tokens scored."""
    from tunewright.generation.embedded import EmbeddedGenerator
    from tunewright.generation.generator import ModelSpec, Request
    from tunewright.rendering import Renderer
    from tunewright.weights.base import DTYPES, computing_in

    renderer = Renderer.load(base, chat=True)
    prompts = [renderer.prompt([{"role": "user", "content": text}]) for text in QUESTIONS]
    made = folder.parent / "made.json"
    forced = json.loads(made.read_text()) if made.exists() else None
    with computing_in(DTYPES[dtype]):
        generator, spec = EmbeddedGenerator(), ModelSpec("bench", str(base))
        for id, prompt in enumerate(prompts):
            given = {"forced": forced[id]} if forced else {"max_tokens": ANSWER, "temperature": 0}
            generator.submit(Request(id, spec, prompt, logprobs=0, **given))
        ids: dict[int, list[int]] = {id: [] for id in range(len(prompts))}
        scores: dict[int, list[float]] = {id: [] for id in ids}
        while generator.busy:
            for piece in generator.step():
                if piece.error:
                    raise piece.error
                ids[piece.id] += piece.ids
                if piece.scores:
                    scores[piece.id] = piece.scores.logprobs
                elif piece.logprobs:
                    scores[piece.id] += [each.logprob for each in piece.logprobs]
    if not forced:
        made.write_text(json.dumps([ids[id] for id in sorted(ids)]))
    (folder / "scores.json").write_text(json.dumps([scores[id] for id in sorted(scores)]))


def main() -> None:
    base = Path(sys.argv[1])
    if len(sys.argv) > 2:
        folder, dtype = Path(sys.argv[2]), sys.argv[3]
        answers(base, folder, dtype)
        return gradients(base, folder, dtype)
    with tempfile.TemporaryDirectory() as root:
        ways = {"gpu-bfloat16": {}, "gpu-float32": {}, "cpu-float32": {"CUDA_VISIBLE_DEVICES": ""}}
        for way, environment in ways.items():
            (folder := Path(root) / way).mkdir()
            command = [sys.executable, "-m", "gpu.checked", base, folder, way.split("-")[1]]
            subprocess.run(command, check=True, stdout=2, env={**os.environ, **environment})
        print(json.dumps(_compared(Path(root))))
    return None


def _compared(root: Path) -> dict[str, object]:
    """Of gradients: the length of the difference over that of the CPU's. Of log-probabilities: the
    largest and the mean difference, in nats."""
    import numpy as np
    from safetensors.torch import load_file

    said: dict[str, object] = {}
    right = load_file(root / "cpu-float32/gradients.safetensors")
    length = sum(float(g.square().sum()) for g in right.values()) ** 0.5
    scores = _flat(root / "cpu-float32/scores.json")
    for way in ("gpu-bfloat16", "gpu-float32"):
        found = load_file(root / way / "gradients.safetensors")
        apart = sum(float((found[n] - g).square().sum()) for n, g in right.items()) ** 0.5
        differences = np.abs(np.array(_flat(root / way / "scores.json")) - np.array(scores))
        said[way] = {
            "gradients": float(f"{apart / length:.2e}"),
            "logprobs_max": float(f"{differences.max():.2e}"),
            "logprobs_mean": float(f"{differences.mean():.2e}"),
        }
    return {**said, "tokens": len(scores)}


def _flat(file: Path) -> list[float]:
    return [score for row in json.loads(file.read_text()) for score in row]


if __name__ == "__main__":
    main()
