"""From the hidden states of a batch to a vector for each text, where they are: no copy of [rows,
time, h] leaves the GPU. The same in numpy, and what comes after: `embedding.pooling`."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tunewright.embedding.modules import Pooling


def pooled(hidden: Tensor, mask: Tensor, pooling: Pooling, skips: Sequence[int] = ()) -> Tensor:
    """float32 [rows, h x modes] of hidden [rows, time, h] and mask [rows, time] (1 for a token),
    padded on the right.

    skips: how many tokens at the beginning of each are a prompt, which some models leave out;
    empty: none.
    """
    place = torch.arange(mask.shape[1], device=mask.device)  # [time]
    seen = mask.bool()
    if skips and not pooling.include_prompt:
        seen = seen & (place >= torch.tensor(skips, device=mask.device)[:, None])
    return torch.cat([_MODES[mode](hidden.float(), seen) for mode in pooling.modes], dim=1)


def _first(hidden: Tensor, seen: Tensor) -> Tensor:
    return hidden[torch.arange(len(hidden)), seen.int().argmax(1)]


def _last(hidden: Tensor, seen: Tensor) -> Tensor:
    place = torch.arange(seen.shape[1], device=seen.device)
    last = torch.where(seen, place, 0).amax(1)  # [rows]
    return hidden[torch.arange(len(hidden)), last] * seen.any(1, keepdim=True)


def _max(hidden: Tensor, seen: Tensor) -> Tensor:
    return hidden.masked_fill(~seen[..., None], -torch.inf).amax(1)


def _sum(hidden: Tensor, weights: Tensor) -> Tensor:
    """[rows, h]: hidden [rows, time, h] summed by weights [rows, time]. What is padded may be no
    number, and times 0 would still be none."""
    kept = hidden.masked_fill(weights[..., None] == 0, 0.0)
    return torch.einsum("rth,rt->rh", kept, weights.float())


def _mean(hidden: Tensor, seen: Tensor) -> Tensor:
    return _sum(hidden, seen) / seen.sum(1, keepdim=True).clamp(min=1)


def _mean_sqrt(hidden: Tensor, seen: Tensor) -> Tensor:
    return _sum(hidden, seen) / seen.sum(1, keepdim=True).clamp(min=1).sqrt()


def _weighted(hidden: Tensor, seen: Tensor) -> Tensor:
    """Later tokens count more: the n-th n times. A prompt that is left out keeps its places."""
    place = torch.arange(1, seen.shape[1] + 1, device=seen.device)
    weights = torch.where(seen, place, 0)  # [rows, time]
    return _sum(hidden, weights) / weights.sum(1, keepdim=True).clamp(min=1)


_MODES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cls": _first,
    "max": _max,
    "mean": _mean,
    "mean_sqrt_len_tokens": _mean_sqrt,
    "weightedmean": _weighted,
    "lasttoken": _last,
}
