"""Log-probabilities of rows, as `gate` compares them: float32, each row as if alone."""

from collections.abc import Iterator, Sequence

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
_BITS = {torch.bfloat16: 8, torch.float16: 11}  # of a significand, the hidden one included


def figures(
    model: PreTrainedModel, rows: Sequence[Row], change: Change | None = None
) -> list[Figures]:
    """change: what a module computes with instead of its weight (`in_float32`)."""
    samples = [_sample(row) for row in rows]
    with torch.inference_mode(), in_float32(model, change):
        return [found for batch in _batches(model, samples) for found in _of_batch(model, batch)]


def rounding(layers: Sequence[nn.Module], dtype: torch.dtype) -> Change | None:
    """Moves every weight of `layers` as rounding it to `dtype` might: by up to half a unit of its
    last place, at random. None where `dtype` rounds nothing."""
    if dtype not in _BITS:
        return None
    bits, moved = _BITS[dtype], set(layers)
    generator = torch.Generator().manual_seed(0)

    def change(module: nn.Module, weight: Tensor) -> Tensor:
        if module not in moved:
            return weight
        places = torch.exp2(torch.frexp(weight).exponent - bits)
        shift = torch.rand(weight.shape, generator=generator).to(weight.device) - 0.5
        return weight + shift * places

    return change


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
