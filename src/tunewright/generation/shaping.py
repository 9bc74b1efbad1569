"""What a request changes about the model's logits before a token is drawn.

OpenAI's formula: from the logit of token j, which this row has made c times so far, go
``frequency_penalty * c + presence_penalty * (c > 0)``; then `logit_bias` is added. What a grammar
forbids is left out last, so no bias can bring it back.
"""

from collections import Counter

from torch import Tensor

from tunewright.errors import BadRequest
from tunewright.generation.generator import Request
from tunewright.generation.grammar import Grammar


class Shape:
    """One row's changes; it counts the tokens that the row makes."""

    def __init__(self, request: Request, grammar: Grammar | None = None) -> None:
        self._presence = request.presence_penalty
        self._frequency = request.frequency_penalty
        self._bias = request.logit_bias
        self._grammar = grammar
        self._counts: Counter[int] = Counter()

    def apply(self, logits: Tensor) -> None:
        """Change the row's `logits` [vocabulary], float32, in place."""
        if self._counts and (self._presence or self._frequency):
            penalties = [self._frequency * n + self._presence for n in self._counts.values()]
            _add(logits, list(self._counts), [-penalty for penalty in penalties])
        if self._bias:
            _add(logits, list(self._bias), list(self._bias.values()))
        if self._grammar is not None:
            logits.masked_fill_(~self._grammar.allowed(logits), float("-inf"))

    def take(self, token: int) -> None:
        """The row has made `token`. Raises BadRequest where the grammar cannot go on."""
        self._counts[token] += 1
        if self._grammar is not None:
            self._grammar.take(token)


def shape(request: Request, grammar: Grammar | None = None) -> Shape | None:
    """None where the model's logits are taken as they are, as with most requests."""
    penalties = request.presence_penalty or request.frequency_penalty
    if request.forced is not None or not (penalties or request.logit_bias or request.grammar):
        return None
    return Shape(request, grammar)


def check_bias(request: Request, vocabulary: int) -> None:
    """Raises BadRequest for an id that the model does not have."""
    for token in request.logit_bias:
        if not 0 <= token < vocabulary:
            raise BadRequest(
                f"Invalid 'logit_bias': there is no token {token}; this model's vocabulary has "
                f"{vocabulary} tokens, so ids lie between 0 and {vocabulary - 1}.",
                param="logit_bias",
            )


def _add(logits: Tensor, ids: list[int], values: list[float]) -> None:
    logits[logits.new_tensor(ids).long()] += logits.new_tensor(values)
