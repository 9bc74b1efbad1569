"""The loss of supervised tokens, with the head computed for those alone."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from tunewright.training.batches import Batch, collate
from tunewright.training.examples import Sample
from tunewright.weights.base import compute_dtype

# Of the largest logit. Rounding alone reaches 1e-6 in float32 and 1e-2 in bfloat16.
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}


@contextmanager
def _gathered(head: torch.nn.Module, at: Tensor) -> Iterator[None]:
    """Inside, `head` sees only the hidden states at the flattened positions `at`.

    Taking the others away just before the head, and not calling the head ourselves, leaves what
    architectures do after it in place: scaling (Granite, Cohere), soft caps (Gemma).
    """

    def gather(_: torch.nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor]:
        return (inputs[0].flatten(0, 1).index_select(0, at),)

    handle = head.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        handle.remove()


def logits_of(model: PreTrainedModel, batch: Batch) -> Tensor:
    """float32 [supervised, vocabulary]: what `model` expects in the place of each target."""
    head = model.get_output_embeddings()
    assert head is not None
    with _mixed_precision(model), _gathered(head, batch.at):
        return model(input_ids=batch.ids, use_cache=False).logits.float()


def full_logits_of(model: PreTrainedModel, batch: Batch) -> Tensor:
    """The same by the plain forward, each row alone and unpadded: slow, and the reference."""
    longest = batch.ids.shape[1]
    rows: list[Tensor] = []
    for row, ids in enumerate(batch.ids):
        own = batch.at[batch.at // longest == row] % longest
        with _mixed_precision(model):
            logits = model(input_ids=ids[None, : int(own.max()) + 1], use_cache=False).logits
        rows.append(logits[0, own].float())
    return torch.cat(rows)


def _mixed_precision(model: PreTrainedModel) -> torch.autocast:
    fast = compute_dtype()
    return torch.autocast(model.device.type, dtype=fast, enabled=fast != torch.float32)


@dataclass(frozen=True)
class Sums:
    """loss: nats, summed over `supervised` tokens, of which `correct` were the likeliest."""

    loss: Tensor
    correct: Tensor
    supervised: int

    @property
    def mean_loss(self) -> float:
        return self.loss.item() / self.supervised

    @property
    def accuracy(self) -> float:
        return self.correct.item() / self.supervised


class Objective:
    """Next-token prediction of the supervised tokens of a model.

    Chooses the gathered head if it computes what the plain forward does on two rows of the data;
    `exact` says whether it does. Else every row goes through the plain forward alone.
    """

    def __init__(self, model: PreTrainedModel, samples: Sequence[Sample]) -> None:
        self._model = model
        self.exact = _agrees(model, _two_of(samples))
        self._logits = logits_of if self.exact else full_logits_of

    def sums(self, samples: Sequence[Sample]) -> Sums:
        """Of one micro-batch. Differentiable in `loss`."""
        batch = collate(samples, self._model.device)
        logits = self._logits(self._model, batch)
        loss = functional.cross_entropy(logits, batch.targets, reduction="sum")
        correct = (logits.detach().argmax(-1) == batch.targets).sum()
        return Sums(loss, correct, batch.supervised)

    def logprobs(self, sample: Sample) -> tuple[Tensor, Tensor]:
        """log-probabilities [supervised, vocabulary] and targets of one row, without gradients."""
        batch = collate([sample], self._model.device)
        with torch.no_grad():
            return self._logits(self._model, batch).log_softmax(-1), batch.targets


def _two_of(samples: Sequence[Sample]) -> list[Sample]:
    """Two short rows of different length where there are such: then one is padded."""
    some = sorted(samples[:256], key=lambda s: len(s.ids))
    other = next((s for s in some if len(s.ids) > len(some[0].ids)), some[0])
    return [some[0], other]


def _agrees(model: PreTrainedModel, samples: list[Sample]) -> bool:
    if model.get_output_embeddings() is None:
        return False
    batch = collate(samples, model.device)
    with torch.no_grad():
        expected = full_logits_of(model, batch)
        try:
            found = logits_of(model, batch)
        except (RuntimeError, IndexError, TypeError):  # something after the head wants [rows, time]
            return False
    if found.shape != expected.shape:
        return False
    worst = (found - expected).abs().max() / expected.abs().max()
    return worst.item() <= _TOLERANCE[compute_dtype()]
