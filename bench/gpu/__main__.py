"""Runs the measurements one after the other; one that fails is said and leaves the others.

served     `tunewright serve`: a LoRA job, killed on its way and resumed; then 1 and 32 streams
           of the tuned model, and embeddings (of the built-in embedder, which has no GPU part)
embeddings vectors of Qwen3-Embedding-0.6B's and all-MiniLM-L6-v2's shapes against the CPU's
checked    gradients and log-probabilities on the GPU against those of the CPU in float32
trainers   a step of LoRA, beside TRL as it comes, at its best, and with Liger's kernels
engines    tokens a second of 1 and 32 rows, beside `generate` of transformers
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gpu.bases import SHAPES

PARTS = ("machine", "served", "checked", "embeddings", "trainers", "engines")
EMBEDDERS = ("tiny", "minilm", "qwen3-embedding-0.6b")
TRAINERS = ("tunewright", "trl", "trl-best", "trl-liger")
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


def main() -> None:
    options = _options()
    os.environ |= QUIET
    with tempfile.TemporaryDirectory() as folder:
        bases = [_written(shape, Path(folder)) for shape in options.shape] + options.base
        for part in options.part or PARTS:
            for arguments in _runs(part, bases, options):
                _say(_run(part, arguments, options.limit), options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, action="append", default=[], help="a model directory")
    parser.add_argument(
        "--shape",
        action="append",
        choices=SHAPES,
        default=[],
        help="of a base with random weights",
    )
    parser.add_argument(
        "--embedder", action="append", choices=EMBEDDERS, help="only these; without: the real ones"
    )
    parser.add_argument("--part", action="append", choices=PARTS, help="only these")
    parser.add_argument("--trainer", action="append", choices=TRAINERS, help="only these")
    parser.add_argument("--steps", type=int, default=10, help="of each trainer, 16 rows each")
    parser.add_argument("--limit", type=float, default=240, help="seconds of one measurement")
    parser.add_argument("--out", type=Path, help="file that gets a JSON object for each")
    return parser.parse_args()


def _written(shape: str, folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "gpu.bases", shape, folder / shape], check=True)
    return folder / shape


def _runs(part: str, bases: list[Path], options: argparse.Namespace) -> list[list[str]]:
    if part == "machine":
        return [[]]
    if part == "embeddings":
        return [[shape] for shape in options.embedder or EMBEDDERS[1:]]
    if part != "trainers":
        return [[str(base)] for base in bases]
    return [
        [str(base), task, name, str(options.steps)]
        for base in bases
        for task in ("shared", "apart")
        for name in options.trainer or TRAINERS
    ]


def _run(part: str, arguments: list[str], limit: float) -> dict[str, object]:
    """What the measurement prints last, as JSON; what else it says goes to standard error."""
    began = time.perf_counter()
    about = {"part": part, "of": [Path(a).name if os.sep in a else a for a in arguments]}
    try:
        done = subprocess.run(
            [sys.executable, "-m", f"gpu.{part}", *arguments],
            capture_output=True,
            timeout=limit + 10,
            check=False,
            env={**os.environ, "LIMIT": str(int(limit))},
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode(errors="replace")[-2000:]
        return {**about, "failed": f"took more than {limit:.0f} s", "said": said}
    about["seconds"] = round(time.perf_counter() - began, 1)
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    if done.returncode or not lines:
        return {**about, "failed": done.returncode, "said": done.stderr.decode()[-3000:]}
    return {**about, **json.loads(lines[-1])}


def _say(result: dict[str, object], out: Path | None) -> None:
    said = result.pop("said", None)
    print(json.dumps(result), flush=True)
    if said:
        print(said, flush=True)
    if out:
        with out.open("a") as file:
            file.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
