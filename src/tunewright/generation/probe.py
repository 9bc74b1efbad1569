"""Does sharing a batch change what a model computes? Tried on the model itself when it is loaded.

The kinds of its layers say what ought to work; whether an architecture minds the mask and the
positions that it is given, only its own code knows. A model that does is run a row at a time.
"""

import logging

import torch
from torch import Tensor

from tunewright.generation.cache import SlotCache
from tunewright.generation.resident import Resident
from tunewright.weights import lora

# Of the logits' own spread. A wrong mask is off by tenths of it; rounding by far less than these.
_TOLERANCE = {torch.float32: 2e-3}
_COARSE = 0.1
_LONG, _SHORT = 6, 3

log = logging.getLogger(__name__)


@torch.inference_mode()
def rows_may_share(resident: Resident) -> bool:
    """Whether two rows of unequal length give together what they give alone, prompts in parts too.

    Costs seven short forward passes.
    """
    try:
        return _agree(resident)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, AssertionError):
        log.warning("rows of this model cannot share a batch", exc_info=True)
        return False


def _agree(resident: Resident) -> bool:
    tokens = [7 * n % resident.vocabulary for n in range(1, _LONG + 2)]
    read, next = tokens[:_LONG], tokens[_LONG]
    whole, _ = resident.prefill(read, lora.NONE, None, 0)
    _, part = resident.prefill(read[:_SHORT], lora.NONE, None, 0)
    together = SlotCache()
    together.join(part, _SHORT)
    parts, full = resident.prefill(read[_SHORT:], lora.NONE, part, _SHORT)
    together.join(full, _LONG)
    shared = together.forward(resident, [read[_SHORT], next], [lora.NONE] * 2)
    short, _ = resident.prefill(read[: _SHORT + 1], lora.NONE, None, 0)
    long, _ = resident.prefill(tokens, lora.NONE, None, 0)
    return _near(parts, whole) and _near(shared, torch.cat([short, long]))


def _near(found: Tensor, expected: Tensor) -> bool:
    tolerance = _TOLERANCE.get(expected.dtype, _COARSE)
    return bool((found - expected).abs().max() <= tolerance * expected.float().std())
