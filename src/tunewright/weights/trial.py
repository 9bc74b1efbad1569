"""Tries a base's weights: ``python -m tunewright.weights.trial DIR TOKENS``, in a limited child.

What a header cannot tell: a layout that transformers does not know, a missing weight, figures that
are not finite. Five ids go through the model, the highest of TOKENS among them.
"""

import sys
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tunewright.errors import TunewrightError
from tunewright.weights.base import load_base


def trial(directory: Path, tokens: int) -> None:
    """Raises BadRequest or Corrupt as `load_base` does; ArithmeticError for logits that are not
    finite."""
    with torch.inference_mode():
        refuse_unusable(load_base(directory), tokens)


@torch.inference_mode()
def refuse_unusable(model: PreTrainedModel, tokens: int) -> None:
    """Raises ArithmeticError for logits that are not finite, IndexError for an id out of reach."""
    ids = torch.linspace(0, tokens - 1, 5).long().unsqueeze(0)
    logits = model(input_ids=ids.to(model.device)).logits
    if not torch.isfinite(logits).all():
        raise ArithmeticError("its answers are not finite numbers (NaN or infinite)")


if __name__ == "__main__":
    try:
        trial(Path(sys.argv[1]), int(sys.argv[2]))
    except (TunewrightError, ArithmeticError, IndexError, MemoryError, RuntimeError) as error:
        sys.exit(" ".join(str(error).split())[:500] or type(error).__name__)
