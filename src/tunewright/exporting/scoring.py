"""Log-probabilities of rows, as `gate` compares them: float32, each row as if alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from tunewright.exporting.gate import Figures
from tunewright.exporting.recipe import Row
from tunewright.training.examples import Sample
from tunewright.training.plans import layouts
from tunewright.weights.exact import Change, in_float32

_LOGITS = 1 << 27  # numbers that are computed at once: 512 MiB
_BITS: dict[Any, int] = {
    torch.bfloat16: 8,
    torch.float16: 11,
}  # of a significand, the hidden one included
_LEVELS = {"q8_0": 127, "q4_0": 8}  # on either side of zero
_BLOCK = 32
Rounded: TypeAlias = torch.dtype | Literal["q8_0", "q4_0"]


def figures(
    model: PreTrainedModel, rows: Sequence[Row], change: Change | None = None
) -> list[Figures]:
    """change: what a module computes with instead of its weight (`in_float32`)."""
    samples = [_sample(row) for row in rows]
    with torch.inference_mode(), in_float32(model, change):
        return [found for batch in _batches(model, samples) for found in _of_batch(model, batch)]


def rounding(layers: Mapping[nn.Module, Rounded]) -> Change | None:
    """Moves every weight of `layers` as rounding it might to what each is written in: by up to half
    a unit of its last place, at random; of a quantised matrix, by half a step of its block. None
    where nothing is rounded."""
    moved: dict[nn.Module, Rounded] = {
        layer: d for layer, d in layers.items() if d in _BITS or d in _LEVELS
    }
    if not moved:
        return None
    generator = torch.Generator().manual_seed(0)

    def change(module: nn.Module, weight: Tensor) -> Tensor:
        if module not in moved:
            return weight
        shift = torch.rand(weight.shape, generator=generator).to(weight.device) - 0.5
        return weight + shift * _places(weight, moved[module])

    return change


def _places(weight: Tensor, dtype: Rounded) -> Tensor | float:
    """The distance between a weight's neighbours in `dtype`."""
    if isinstance(dtype, torch.dtype):
        return torch.exp2(torch.frexp(weight).exponent - _BITS[dtype])
    if weight.dim() < 2 or weight.shape[-1] % _BLOCK:
        return 0.0
    largest = weight.unflatten(-1, (-1, _BLOCK)).abs().amax(-1)  # [..., blocks]
    return (largest / _LEVELS[dtype]).repeat_interleave(_BLOCK, -1)


def _sample(row: Row) -> Sample:
    ids = np.array([*row.prompt, *row.answer], dtype=np.int32)
    return Sample(ids, len(row.prompt), line=0, turn=0)


def _batches(model: PreTrainedModel, samples: list[Sample]) -> Iterator[list[Sample]]:
    """In order, each padded to its longest."""
    most = _LOGITS // model.config.get_text_config().vocab_size  # tokens
    batch: list[Sample] = []
    for sample in samples:
        longest = max(len(each.ids) for each in [*batch, sample])
        if batch and longest * (len(batch) + 1) > most:
            yield batch
            batch = []
        batch.append(sample)
    if batch:
        yield batch


def _of_batch(model: PreTrainedModel, batch: list[Sample]) -> Iterator[Figures]:
    layout = layouts.rows(batch, model.device)
    logits = model(input_ids=layout.ids, use_cache=False).logits  # [rows, time, vocabulary]
    logprobs = logits.flatten(0, 1)[layout.at].float().log_softmax(-1)  # [supervised, vocabulary]
    own = logprobs.gather(1, layout.targets[:, None])[:, 0].tolist()
    best = logprobs.topk(2, dim=-1)
    pairs = zip(best.indices[:, 0].tolist(), best.values.tolist(), strict=True)
    top = [(token, first, second) for token, (first, second) in pairs]
    at = 0
    for sample in batch:
        yield Figures(own[at : at + sample.supervised], top[at : at + sample.supervised])
        at += sample.supervised
