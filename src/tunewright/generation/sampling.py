"""From logits to the next token: greedy, or drawn at a temperature from those that `min_p` and the
nucleus `top_p` leave. And what the model itself thinks of the tokens, whatever chose them.

Everything is computed in float32, and each row brings its own uniform number, so what a row draws
does not depend on which rows share its batch.
"""

import random
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tunewright.generation.generator import LEAST_LOGPROB, Logprob, SamplingParams

# The nucleus is nearly always among so many tokens; sorting all of a vocabulary of 150,000 costs
# more than a step of a small model.
_LIKELY = (64, 1024)


def source(seed: int | None) -> random.Random:
    """A row's numbers. Seeded by text, because `Random` takes -1 and 1 for the same seed."""
    return random.Random() if seed is None else random.Random(str(seed))


def draw(logits: Tensor, rows: Sequence[SamplingParams], uniform: Sequence[float]) -> list[int]:
    """One token for every row of `logits` [rows, vocabulary]; every temperature is above 0.
    `uniform`: the next number in [0, 1) of each row.

    The inverse distribution is taken in the order of token ids: sorted by probability, two tokens
    that are nearly equal could change places by a rounding error and change the draw.
    """
    logits = logits.float()
    logits = logits - logits.amax(-1, keepdim=True)
    logits = logits / _column([row.temperature for row in rows], logits)
    if any(row.min_p for row in rows):  # before the nucleus, as vLLM does
        logits = _likely_enough(logits, _column([row.min_p for row in rows], logits))
    probabilities = logits.softmax(-1)
    if any(row.top_p < 1 for row in rows):
        probabilities = _nucleus(probabilities, _column([row.top_p for row in rows], logits))
    reach = probabilities.double().cumsum(-1)
    wanted = _column(uniform, reach) * reach[:, -1:]
    found = torch.searchsorted(reach, wanted, right=True).squeeze(1)
    return found.clamp_(max=logits.shape[-1] - 1).tolist()


def _likely_enough(logits: Tensor, min_p: Tensor) -> Tensor:
    """Without the tokens whose share of the largest probability is below `min_p`. Where the largest
    logit is 0, the exponential of a logit is that share."""
    return logits.masked_fill(logits < min_p.log(), float("-inf"))


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).unsqueeze(1)


def _nucleus(probabilities: Tensor, top_p: Tensor) -> Tensor:
    """Zero but for the fewest most likely tokens that reach `top_p`; at least one stays."""
    least = torch.zeros_like(top_p)
    left = (top_p.squeeze(-1) < 1).nonzero().squeeze(-1)
    for count in (*_LIKELY, probabilities.shape[-1]):
        if not len(left):
            break
        # Of those alone that fewer did not suffice for: a flat row costs its neighbours nothing.
        likely, wanted = _likely(probabilities[left], count), top_p[left]
        enough = likely.sum(-1) >= wanted.squeeze(-1)
        if count >= probabilities.shape[-1]:
            enough = torch.ones_like(enough)  # its sum is 1 but for rounding
        least[left[enough]] = _least(likely[enough], wanted[enough])
        left = left[~enough]
    return probabilities.masked_fill(probabilities < least, 0.0)


def _likely(probabilities: Tensor, count: int) -> Tensor:
    """The `count` largest probabilities of each row, falling."""
    if count < probabilities.shape[-1]:
        return probabilities.topk(count).values
    return _sorted(probabilities)


def _sorted(probabilities: Tensor) -> Tensor:
    """Falling. NumPy, which keeps no order beside, takes a quarter of the time."""
    if probabilities.device.type == "cpu":
        return torch.from_numpy(-np.sort(-probabilities.numpy(), axis=-1))
    return probabilities.sort(-1, descending=True).values


def _least(likely: Tensor, top_p: Tensor) -> Tensor:
    before = likely.cumsum(-1) - likely
    return likely.masked_fill(before >= top_p.clamp(min=1e-9), 2.0).amin(-1, keepdim=True)


def logprobs(logits: Tensor, tokens: Sequence[int], tops: Sequence[int]) -> list[Logprob]:
    """For each row of `logits` [rows, vocabulary]: its token, and as many alternatives as `tops`.

    Of every row alone, so that a row's numbers do not depend on its neighbours.
    """
    if not tokens:
        return []
    found = logits.float().log_softmax(-1).clamp_(min=LEAST_LOGPROB)  # [rows, vocabulary]
    chosen = (
        found.gather(-1, found.new_tensor(tokens).long().unsqueeze(-1)).squeeze(-1).tolist()
    )  # [rows]
    values, ids = found.topk(min(max(tops), found.shape[-1]))  # [rows, most alternatives]
    return [
        Logprob(token, value, list(zip(ids, values, strict=True))[:top])
        for token, value, ids, values, top in zip(
            tokens, chosen, ids.tolist(), values.tolist(), tops, strict=True
        )
    ]
