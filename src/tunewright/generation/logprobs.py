"""What the model itself thinks of the tokens that were chosen, and of the prompt's."""

from collections.abc import Sequence

from torch import Tensor

from tunewright.generation.generator import LEAST_LOGPROB, Logprob


def logprobs(logits: Tensor, tokens: Sequence[int], tops: Sequence[int]) -> list[Logprob]:
    """For each row of `logits` [rows, vocabulary]: its token, and as many alternatives as `tops`.

    Of every row alone, so that a row's numbers do not depend on its neighbours.
    """
    if not tokens:
        return []
    found = logits.float().log_softmax(-1).clamp_(min=LEAST_LOGPROB)  # [rows, vocabulary]
    chosen = found.gather(-1, _column(tokens, like=found)).squeeze(-1).tolist()  # [rows]
    values, ids = found.topk(min(max(tops), found.shape[-1]))  # [rows, most alternatives]
    return [
        Logprob(token, value, list(zip(ids, values, strict=True))[:top])
        for token, value, ids, values, top in zip(
            tokens, chosen, ids.tolist(), values.tolist(), tops, strict=True
        )
    ]


def _column(tokens: Sequence[int], like: Tensor) -> Tensor:
    """int64 [rows, 1]."""
    return like.new_tensor(tokens).long().unsqueeze(-1)
