"""Which plans hold for a base: what its configuration rules out, and then two rows of the data.

Packing and shared prefixes go wrong silently (a mask that is taken for another kind, a rotation
that depends on the batch), so no plan is believed: its logits are compared with those of the plain
forward pass. In the dtype that training computes in, and in float32 too, where rounding hides
nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tunewright.training.examples import Sample
from tunewright.training.loss import Way, plain_logits
from tunewright.training.plans import layouts
from tunewright.training.plans.layouts import Layout
from tunewright.training.plans.passes import Prefix, head_logits, hidden_of, logits_of
from tunewright.training.plans.planner import Kind
from tunewright.training.plans.tries import Sorted
from tunewright.weights import caching
from tunewright.weights.base import compute_dtype
from tunewright.weights.exact import in_float32

# Of the largest logit. Rounding alone reaches 1e-6 in float32 and 1e-2 in bfloat16.
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
_LOOKED_AT = 256
Compare: TypeAlias = Callable[[PreTrainedModel, Sequence[Sample]], tuple[Tensor, Tensor]]
_RAISED = (RuntimeError, IndexError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Verdict:
    """way: how logits may be computed. kinds: the plans that hold. refused: why others do not, for
    the user."""

    way: Way
    kinds: frozenset[Kind]
    refused: tuple[str, ...] = ()


def examine(model: PreTrainedModel, samples: Sequence[Sample]) -> Verdict:
    """The plans that give the plain forward pass's logits, tried on the two of the first rows that
    share the largest part of their tokens."""
    way = way_of(model, samples)
    if way == "rows":
        return Verdict(way, frozenset({"rows"}))
    pair, shared = _closest(samples[:_LOOKED_AT])
    if shared < 1:
        return Verdict(way, frozenset({"rows"}))
    deepest = max(len(sample.ids) for sample in samples)
    kinds, refused = set[Kind]({"rows"}), list[str]()
    others: dict[Kind, Compare] = {"prefix": _as_prefix, "forest": _as_forest}
    for kind, compare in others.items():
        if reason := _ruled_out(model, kind, deepest):
            refused.append(reason)
        elif _agree(model, compare, pair):
            kinds.add(kind)
        else:
            refused.append(
                f"on this base the plan '{kind}' gave other numbers than rows computed alone"
            )
    return Verdict(way, frozenset(kinds), tuple(refused))


def way_of(model: PreTrainedModel, samples: Sequence[Sample]) -> Way:
    """The cheapest way to the logits that gives what the plain forward does."""
    pair = _two_lengths(samples[:_LOOKED_AT])
    if model.get_output_embeddings() is None:
        return "rows"
    if _ends_with_its_head(model, pair[0]) and _agree(model, _by_head, pair):
        return "head"
    return "model" if _agree(model, _as_rows, pair) else "rows"


def _ruled_out(model: PreTrainedModel, kind: Kind, deepest: int) -> str | None:
    if caching.argument(model) is None:
        return "this base keeps no cache of keys and values"
    if not caching.by_position(model):
        return "this base's rotation of positions or its layers do not allow it"
    window = caching.reach(model)
    if kind == "forest" and window is not None and window < deepest:
        return f"rows of {deepest} tokens reach beyond this base's window of {window}"
    return None


def _ends_with_its_head(model: PreTrainedModel, row: Sample) -> bool:
    """Whether the model's logits are exactly its head's output. A soft cap far above an untrained
    base's logits changes them by less than rounding, and a trained one's by much."""
    seen: list[Tensor] = []

    def see(_module: torch.nn.Module, _inputs: object, output: Tensor) -> None:
        seen.append(output)

    head = model.get_output_embeddings()
    assert head is not None
    handle = head.register_forward_hook(see)
    try:
        with torch.no_grad():
            logits = _plain(model, row)
    finally:
        handle.remove()
    return len(seen) == 1 and torch.equal(seen[0].flatten(0, -2).float(), logits)


def _agree(model: PreTrainedModel, compare: Compare, pair: Sequence[Sample]) -> bool:
    """compare: the logits of a plan and the expected ones, both [supervised, vocabulary]."""
    if not _near(model, compare, pair):
        return False
    if compute_dtype() == torch.float32 or not _goes_in_float32(model, pair):
        return True
    with in_float32(model):
        return _near(model, compare, pair)


def _goes_in_float32(model: PreTrainedModel, pair: Sequence[Sample]) -> bool:
    """Not where a module uses another one's weights, or memory has no room for a wide module."""
    try:
        with torch.no_grad(), in_float32(model):
            _plain(model, pair[0])
    except (*_RAISED, MemoryError):
        return False
    return True


def _near(model: PreTrainedModel, compare: Compare, pair: Sequence[Sample]) -> bool:
    try:
        with torch.no_grad():
            found, expected = compare(model, pair)
    except _RAISED:  # something after the head wants [rows, time], or the mask has another form
        return False
    if found.shape != expected.shape:
        return False
    worst = (found - expected).abs().max() / expected.abs().max()
    return worst.item() <= _TOLERANCE[compute_dtype()]


def _by_head(model: PreTrainedModel, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    hidden = hidden_of(model, layouts.rows(pair, model.device))
    return head_logits(model, hidden), _alone(model, pair)


def _as_rows(model: PreTrainedModel, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    return logits_of(model, layouts.rows(pair, model.device)), _alone(model, pair)


def _as_prefix(model: PreTrainedModel, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    shared = max(1, min(Sorted.of(pair).common, *(row.start - 1 for row in pair)))
    prefix = Prefix(model, pair[0].ids[:shared])
    layout = layouts.rows(pair, model.device, shared)
    return logits_of(model, layout, prefix), _alone(model, pair)


def _as_forest(model: PreTrainedModel, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    layout = layouts.trie(pair, model.device, compute_dtype())
    return logits_of(model, layout), _in_trie(model, pair, layout)


def _alone(model: PreTrainedModel, pair: Sequence[Sample]) -> Tensor:
    """[supervised, vocabulary]: each row by itself."""
    return torch.cat([_plain(model, row)[row.start - 1 : -1] for row in pair])


def _in_trie(model: PreTrainedModel, pair: Sequence[Sample], layout: Layout) -> Tensor:
    """The plain forward pass's logits [supervised, vocabulary] for the nodes of `layout`: each row
    that has a node gives it the same, so the first one in order is taken."""
    ordered = Sorted.of(pair)
    first, second = (_plain(model, row) for row in ordered.rows)  # [length, vocabulary] each
    assert layout.positions is not None
    own = len(ordered.rows[0].ids)
    depths = layout.positions[0, layout.at].tolist()
    places = zip(layout.at.tolist(), depths, strict=True)
    return torch.stack([(first if at < own else second)[depth] for at, depth in places])


def _plain(model: PreTrainedModel, row: Sample) -> Tensor:
    """float32 [length, vocabulary]."""
    return plain_logits(model, torch.from_numpy(row.ids).long().to(model.device))


def _two_lengths(samples: Sequence[Sample]) -> list[Sample]:
    """Two short rows of different length where there are such: then one is padded."""
    some = sorted(samples, key=lambda s: len(s.ids))
    other = next((s for s in some if len(s.ids) > len(some[0].ids)), some[0])
    return [some[0], other]


def _closest(samples: Sequence[Sample]) -> tuple[list[Sample], int]:
    """Of the pairs with a shared prefix, the one that shares the largest part of its tokens, and
    the length of the prefix, which ends before the answers."""
    found = Sorted.of(samples)
    best, most = (list(samples[:2]), 0), 0.0
    for at in range(1, len(found.rows)):
        pair = found.rows[at - 1 : at + 1]
        shared = min(int(found.shared[at]), *(row.start - 1 for row in pair))
        part = shared / sum(len(row.ids) for row in pair)
        if part > most:
            best, most = (_branching(pair), shared), part
    return best


def _branching(pair: Sequence[Sample]) -> list[Sample]:
    """`pair`, changed so that both differ in their last two tokens at least. Equal rows, and the
    turns of one conversation, would make a trie without a branch, which does not test the mask."""
    shorter, longer = sorted(pair, key=lambda row: len(row.ids))
    at = len(shorter.ids) - 2
    if not np.array_equal(shorter.ids[: at + 1], longer.ids[: at + 1]):
        return list(pair)
    ids = shorter.ids.copy()
    ids[at] = next((token for token in longer.ids if token != ids[at]), ids[at] ^ 1)
    return [replace(shorter, ids=ids), longer]
