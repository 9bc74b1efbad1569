"""The loss of supervised tokens, summed, however a plan lays their rows out."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from tunewright.training.examples import Sample
from tunewright.training.plans import layouts
from tunewright.training.plans.layouts import Layout
from tunewright.training.plans.passes import Prefix, head_logits, hidden_of, logits_of
from tunewright.training.plans.planner import Piece
from tunewright.weights.base import compute_dtype, mixed_precision


def full_logits_of(model: PreTrainedModel, layout: Layout) -> Tensor:
    """float32 [supervised, vocabulary], as `logits_of`, by the plain forward of each row alone and
    unpadded: slow."""
    longest = layout.ids.shape[1]
    rows: list[Tensor] = []
    for row, ids in enumerate(layout.ids):
        own = layout.at[layout.at // longest == row] % longest  # [its supervised]
        rows.append(plain_logits(model, ids[: int(own.max()) + 1])[own])
    return torch.cat(rows)  # [supervised, vocabulary]


def plain_logits(model: PreTrainedModel, ids: Tensor) -> Tensor:
    """float32 [time, vocabulary] of one row `ids` [time], by the model alone: the reference."""
    with mixed_precision(model):
        return model(input_ids=ids[None], use_cache=False).logits[0].float()


@dataclass(frozen=True)
class Sums:
    """loss: nats, summed over `supervised` tokens, each times the weight of its row; `correct` of
    them were the likeliest."""

    loss: Tensor  # []
    correct: Tensor  # []
    supervised: int

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.loss + other.loss,
            self.correct + other.correct,
            self.supervised + other.supervised,
        )

    @property
    def mean_loss(self) -> float:
        return self.loss.item() / self.supervised

    @property
    def accuracy(self) -> float:
        return self.correct.item() / self.supervised


Way: TypeAlias = Literal["head", "model", "rows"]
# Numbers in the logits that are computed at once: 32 MiB of float32. With a vocabulary of 150,000,
# those of 2,000 supervised tokens would be 1.2 GB, three times over with their gradients.
LOGITS = 1 << 23


class Objective:
    """Next-token prediction of the supervised tokens of a model.

    way: how the logits are computed, as `selfcheck` finds. head: by the head alone, in parts, after
    a forward pass without it. model: by the whole model, whose head sees supervised positions only,
    where something follows the head. rows: every row by itself through the plain forward.
    """

    def __init__(self, model: PreTrainedModel, way: Way = "model") -> None:
        self._model = model
        self.way: Way = way

    def learn(self, piece: Piece, share: float) -> Sums:
        """Add the gradients of `share` times the summed loss of `piece` to the parameters'.

        With 1 / (supervised tokens of the whole step) as `share`, the pieces of a step add up to
        its mean loss. The sums that are returned are without `share` and without gradients.
        """

        def backward(sums: Sums) -> Sums:
            (sums.loss * share).backward()
            return Sums(sums.loss.detach(), sums.correct, sums.supervised)

        return self._through(piece, backward)

    def judge(self, piece: Piece) -> Sums:
        """The loss of `piece`, without gradients."""
        with torch.no_grad():
            return self._through(piece, lambda sums: sums)

    def logprobs(self, samples: Sequence[Sample], shared: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Of each row, computed by itself after the `shared` first tokens of all, which are
        computed once: log-probabilities float32 [supervised, vocabulary] and targets [supervised],
        without gradients."""
        with torch.no_grad():
            prefix = Prefix(self._model, samples[0].ids[:shared]) if shared else None
        for sample in samples:
            layout = layouts.rows([sample], self._model.device, shared)
            with torch.no_grad():
                logprobs = self._logits(layout, prefix).log_softmax(-1)
            yield logprobs, layout.targets

    def _through(self, piece: Piece, then: Callable[[Sums], Sums]) -> Sums:
        """The sum of what `then` makes of each micro-batch's loss."""
        model, prefix = self._model, None
        if piece.kind == "prefix":
            prefix = Prefix(model, piece.batches[0][0].ids[: piece.shared])
        total: Sums | None = None
        for batch in piece.batches:
            if piece.kind == "forest":
                layout = layouts.trie(batch, model.device, compute_dtype())
            else:
                layout = layouts.rows(batch, model.device, piece.shared)
            found = self.run(layout, prefix, then)
            total = found if total is None else total + found
        if prefix is not None:
            prefix.backward()
        assert total is not None, "a piece has a batch"
        return total

    def run(self, layout: Layout, prefix: Prefix | None, then: Callable[[Sums], Sums]) -> Sums:
        """One forward pass: what `then` makes of its loss, or the sum of that over its parts, whose
        logits are not in memory at the same time."""
        if self.way != "head":
            return then(_sums(self._logits(layout, prefix), layout))
        hidden = hidden_of(self._model, layout, prefix)  # [supervised, hidden]
        leaf = hidden.detach().requires_grad_(hidden.requires_grad)  # gradients of all parts add up
        parts = layout.parts(max(1, LOGITS // self._model.config.get_text_config().vocab_size))
        found = [then(_sums(head_logits(self._model, leaf[at]), part)) for at, part in parts]
        if leaf.grad is not None:
            hidden.backward(leaf.grad)  # [supervised, hidden], through the model once
        return functools.reduce(Sums.__add__, found)

    def _logits(self, layout: Layout, prefix: Prefix | None) -> Tensor:
        """float32 [supervised, vocabulary]."""
        if self.way == "rows":
            return full_logits_of(self._model, layout)
        return logits_of(self._model, layout, prefix)


def _sums(logits: Tensor, layout: Layout) -> Sums:
    """logits: [supervised, vocabulary]."""
    right = logits.detach().argmax(-1) == layout.targets  # [supervised]
    counts = layout.counts
    correct = right.sum() if counts is None else right.to(counts.dtype) @ counts
    weights = counts if layout.weights is None else layout.weights
    if weights is None:
        loss = functional.cross_entropy(logits, layout.targets, reduction="sum")
    else:
        each = functional.cross_entropy(logits, layout.targets, reduction="none")  # [supervised]
        loss = each @ weights
    return Sums(loss, correct, layout.supervised)
