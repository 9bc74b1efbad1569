"""Tries a base's weights as serving uses them: ``python -m tunewright.generation.measuring DIR
TOKENS``, in a limited child.

What `weights.trial` looks at, and then an answer of at most two seconds. One line of JSON: tokens a
second of one answer, peak memory in bytes, the dtype that was computed in, threads, and why rows do
not share prefixes (null: they do).
"""

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from tunewright.errors import TunewrightError
from tunewright.generation.batch import Batch
from tunewright.generation.generator import ModelSpec, Request
from tunewright.generation.probe import ordinary_tokens, refusal
from tunewright.generation.resident import Resident
from tunewright.weights.trial import refuse_unusable

SECONDS, TOKENS = 2.0, 64  # whichever comes first
_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


def measure(directory: Path, tokens: int) -> dict[str, Any]:
    """Raises as `weights.trial.trial` does."""
    resident = Resident(directory)
    refuse_unusable(resident.model, tokens)
    batch = Batch(resident)
    rate = _rate(batch)
    shares = None if resident.merges else resident.unmergeable or refusal(resident)
    return {
        "tokens_per_second": rate,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT,
        "dtype": str(resident.model.dtype).removeprefix("torch."),
        "threads": resident.threads.kept,
        "shares": shares,
    }


def _rate(batch: Batch) -> float | None:
    """Tokens a second after the first; None where the context has no room for two."""
    resident = batch.resident
    prompt = ordinary_tokens(resident.directory, resident.vocabulary, resident.context)
    most = min(TOKENS, resident.context - len(prompt))
    if most < 2:
        return None
    spec = ModelSpec(key="measured", base=str(resident.directory))
    batch.add(Request(id=1, model=spec, prompt=prompt, max_tokens=most, temperature=0.0))
    began, count = 0.0, 0
    while batch.rows and (not count or time.perf_counter() - began < SECONDS):
        for piece in batch.step():
            if piece.error is not None:
                raise piece.error
            began = began or time.perf_counter()  # the first token waits for the prompt
            count += len(piece.ids)
    return (count - 1) / (time.perf_counter() - began) if count > 1 else None


if __name__ == "__main__":
    try:
        sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]))) + "\n")
    except (TunewrightError, ArithmeticError, IndexError, MemoryError, RuntimeError) as error:
        sys.exit(" ".join(str(error).split())[:500] or type(error).__name__)
