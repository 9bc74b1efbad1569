"""In what numbers a model is computed: float32 on a CPU, half as wide on a GPU where it holds."""

import logging
import random
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from tunewright.embedding.modules import Pipeline
from tunewright.encoders import backbone
from tunewright.encoders.pooling import pooled
from tunewright.weights.memory import out_of_memory

# float16 first: it has three more bits than bfloat16, and what is too large for it shows.
NARROW = (torch.float16, torch.bfloat16)
LEAST_COSINE = 0.9999  # as any two ways to the same vector here
_LENGTHS = (1, 2, 5, 9, 17, 40, 100, 250)  # tokens of the inputs that are tried

log = logging.getLogger(__name__)


def load(pipeline: Pipeline, device: torch.device, *, narrow_cpu: bool = False) -> PreTrainedModel:
    """The transformer of `pipeline` on `device`. Raises as `backbone.load_backbone`.

    On a GPU the first of NARROW is taken in which the vectors of some inputs are those of float32
    within LEAST_COSINE; with none, or without memory for float32 to compare with, see below.
    narrow_cpu: bfloat16 on a CPU.
    """
    if device.type == "cpu":
        dtype = torch.bfloat16 if narrow_cpu else torch.float32
        return backbone.load_backbone(pipeline.transformer, dtype=dtype)
    return narrowed(pipeline, device)


def narrowed(pipeline: Pipeline, device: torch.device) -> PreTrainedModel:
    """On `device`, in the first of NARROW that holds, else in float32; where float32 is too large
    for it, in bfloat16, which holds every number that float32 does."""
    try:
        model = backbone.load_backbone(pipeline.transformer, device=device)
        inputs = _tried(model, pipeline.length)
        exact = _vectors(model, inputs, pipeline)  # [inputs, d]
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        log.warning("no memory for %s in float32: it is not compared", pipeline.directory.name)
        return backbone.load_backbone(pipeline.transformer, dtype=NARROW[-1], device=device)
    kept = [weight.data for weight in model.parameters()]
    for dtype in NARROW:
        _change(model, [weight.to(dtype) for weight in kept])
        least = _least_cosine(exact, _vectors(model, inputs, pipeline))
        log.info("%s in %s: cosine %.6f to float32", pipeline.directory.name, dtype, least)
        if least >= LEAST_COSINE:
            return model
    _change(model, kept)
    return model


def _change(model: PreTrainedModel, weights: Sequence[Tensor]) -> None:
    """Weights only: what positions are computed from is a buffer, and needs its float32."""
    for weight, data in zip(model.parameters(), weights, strict=True):
        weight.data = data


def _tried(model: PreTrainedModel, most: int | None) -> list[list[int]]:
    """Random inputs: harder to compute than real ones, and no tokenizer is needed for them."""
    chosen, size = random.Random(1), backbone.vocabulary(model)
    limits = [limit for limit in (most, backbone.positions(model)) if limit]
    lengths = {min([length, *limits]) for length in _LENGTHS}
    return [[chosen.randrange(size) for _ in range(length)] for length in sorted(lengths)]


@torch.inference_mode()
def _vectors(model: PreTrainedModel, inputs: Sequence[Sequence[int]], pipeline: Pipeline) -> Tensor:
    """float32 [inputs, h x modes], each of its input alone."""
    rows = []
    for ids in inputs:
        tokens, mask = backbone.padded(model, [ids])
        hidden = backbone.hidden_states(model, tokens, mask)
        rows.append(pooled(hidden, mask, pipeline.pooling))
    return torch.cat(rows)


def _least_cosine(one: Tensor, other: Tensor) -> float:
    found = torch.nn.functional.cosine_similarity(one, other, dim=1).min().item()
    return found if found == found else -1.0  # NaN: too large for this dtype
