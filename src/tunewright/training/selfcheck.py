"""Which plans hold for a base: what its configuration rules out, and then two rows of the data.

Packing and shared prefixes go wrong silently (a mask that is taken for another kind, a rotation
that depends on the batch), so no plan is believed: its logits are compared with those of the plain
forward pass. In the dtype that training computes in, and in float32 too, where rounding hides
nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
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
from tunewright.weights.attention import by_sdpa
from tunewright.weights.base import compute_dtype
from tunewright.weights.exact import in_float32

# Of the largest logit. Rounding alone reaches 1e-6 in float32 and 1e-2 in bfloat16.
_TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 5e-2}
_LOOKED_AT = 256
# Tokens that are compared: of a shared prefix, and of a row's own on both sides of its answer's
# beginning. A mistake shows in any; whole rows of 290 tokens took nine times as long.
_SHARED, _OWN, _AFTER = 24, 16, 16
_RAISED = (RuntimeError, IndexError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True)
class Verdict:
    """way: how logits may be computed. kinds: the plans that hold. refused: why others do not, for
    the user."""

    way: Way
    kinds: frozenset[Kind]
    refused: tuple[str, ...] = ()


@dataclass
class _Plain:
    """The plain forward pass's logits, each row's computed once in each dtype.

    wide: whether the model can be computed in float32, when that is known."""

    model: PreTrainedModel
    found: dict[tuple[torch.dtype, bytes], Tensor] = field(default_factory=dict)
    wide: bool | None = None

    def logits(self, row: Sample) -> Tensor:
        """float32 [length, vocabulary]."""
        key = compute_dtype(), row.ids.tobytes()
        if key not in self.found:
            ids = torch.from_numpy(row.ids).long().to(self.model.device)
            with by_sdpa(self.model):
                self.found[key] = plain_logits(self.model, ids)
        return self.found[key]


Compare: TypeAlias = Callable[[_Plain, Sequence[Sample]], tuple[Tensor, Tensor]]


def examine(model: PreTrainedModel, samples: Sequence[Sample]) -> Verdict:
    """The plans that give the plain forward pass's logits, tried on the two of the first rows that
    share the largest part of their tokens."""
    plain = _Plain(model)
    way = _way(plain, samples)
    if way == "rows":
        return Verdict(way, frozenset({"rows"}))
    pair, shared = _closest(samples[:_LOOKED_AT], whole=not _may_be_cut(model))
    if shared < 1:
        return Verdict(way, frozenset({"rows"}))
    deepest = max(len(sample.ids) for sample in samples)
    kinds, refused = set[Kind]({"rows"}), list[str]()
    others: dict[Kind, Compare] = {"prefix": _as_prefix, "forest": _as_forest}
    for kind, compare in others.items():
        if reason := _ruled_out(model, kind, deepest):
            refused.append(reason)
        elif _agree(plain, compare, pair):
            kinds.add(kind)
        else:
            refused.append(
                f"on this base the plan '{kind}' gave other numbers than rows computed alone"
            )
    return Verdict(way, frozenset(kinds), tuple(refused))


def way_of(model: PreTrainedModel, samples: Sequence[Sample]) -> Way:
    """The cheapest way to the logits that gives what the plain forward does."""
    return _way(_Plain(model), samples)


def still(way: Way, model: PreTrainedModel, samples: Sequence[Sample]) -> Way:
    """`way`, which was found for a base, if it gives what the plain forward does with the weights
    that `model` has now; else the one that does. Cheaper than `way_of`: the masks and positions of
    an architecture do not change with its weights, so float32 need not be asked again."""
    plain, pair = _Plain(model), _two_lengths(model, samples)
    compare = {"head": _by_head, "model": _as_rows}.get(way)
    if compare is None:
        return "rows"
    ends = way == "model" or _ends_with_its_head(plain, pair[0])
    return way if ends and _near(plain, compare, pair) else way_of(model, samples)


def _way(plain: _Plain, samples: Sequence[Sample]) -> Way:
    pair = _two_lengths(plain.model, samples)
    if plain.model.get_output_embeddings() is None:
        return "rows"
    if _ends_with_its_head(plain, pair[0]) and _agree(plain, _by_head, pair):
        return "head"
    return "model" if _agree(plain, _as_rows, pair) else "rows"


def _ruled_out(model: PreTrainedModel, kind: Kind, deepest: int) -> str | None:
    if caching.argument(model) is None:
        return "this base keeps no cache of keys and values"
    if not caching.by_position(model):
        return "this base's rotation of positions or its layers do not allow it"
    window = caching.reach(model)
    if kind == "forest" and window is not None and window < deepest:
        return f"rows of {deepest} tokens reach beyond this base's window of {window}"
    return None


def _may_be_cut(model: PreTrainedModel) -> bool:
    """Whether what holds for short rows holds for long ones: not where a window hides what is far
    away, nor where positions are more than that."""
    return caching.by_position(model) and caching.reach(model) is None


def _ends_with_its_head(plain: _Plain, row: Sample) -> bool:
    """Whether the model's logits are exactly its head's output. A soft cap far above an untrained
    base's logits changes them by less than rounding, and a trained one's by much."""
    seen: list[Tensor] = []

    def see(_module: torch.nn.Module, _inputs: object, output: Tensor) -> None:
        seen.append(output)

    head = plain.model.get_output_embeddings()
    assert head is not None
    handle = head.register_forward_hook(see)
    try:
        with torch.no_grad():
            logits = plain.logits(row)
    finally:
        handle.remove()
    return len(seen) == 1 and torch.equal(seen[0].flatten(0, -2).float(), logits)


def _agree(plain: _Plain, compare: Compare, pair: Sequence[Sample]) -> bool:
    """compare: the logits of a plan and the expected ones, both [supervised, vocabulary]."""
    if not _near(plain, compare, pair):
        return False
    if compute_dtype() == torch.float32 or plain.wide is False:
        return True
    with in_float32(plain.model):
        if plain.wide is None:
            plain.wide = _computes(plain, pair)
        return not plain.wide or _near(plain, compare, pair)


def _computes(plain: _Plain, pair: Sequence[Sample]) -> bool:
    """Not where a module uses another one's weights, or memory has no room for a wide module."""
    try:
        with torch.no_grad():
            plain.logits(pair[0])
    except (*_RAISED, MemoryError):
        return False
    return True


def _near(plain: _Plain, compare: Compare, pair: Sequence[Sample]) -> bool:
    try:
        with torch.no_grad():
            found, expected = compare(plain, pair)
    except _RAISED:  # something after the head wants [rows, time], or the mask has another form
        return False
    if found.shape != expected.shape:
        return False
    worst = (found - expected).abs().max() / expected.abs().max()
    return worst.item() <= _TOLERANCE[compute_dtype()]


def _by_head(plain: _Plain, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    model = plain.model
    hidden = hidden_of(model, layouts.rows(pair, model.device))
    return head_logits(model, hidden), _alone(plain, pair)


def _as_rows(plain: _Plain, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    model = plain.model
    return logits_of(model, layouts.rows(pair, model.device)), _alone(plain, pair)


def _as_prefix(plain: _Plain, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    model = plain.model
    shared = max(1, min(Sorted.of(pair).common, *(row.start - 1 for row in pair)))
    prefix = Prefix(model, pair[0].ids[:shared])
    layout = layouts.rows(pair, model.device, shared)
    return logits_of(model, layout, prefix), _alone(plain, pair)


def _as_forest(plain: _Plain, pair: Sequence[Sample]) -> tuple[Tensor, Tensor]:
    layout = layouts.trie(pair, plain.model.device, compute_dtype())
    return logits_of(plain.model, layout), _in_trie(plain, pair, layout)


def _alone(plain: _Plain, pair: Sequence[Sample]) -> Tensor:
    """[supervised, vocabulary]: each row by itself."""
    return torch.cat([plain.logits(row)[row.start - 1 : -1] for row in pair])


def _in_trie(plain: _Plain, pair: Sequence[Sample], layout: Layout) -> Tensor:
    """The plain forward pass's logits [supervised, vocabulary] for the nodes of `layout`: each row
    that has a node gives it the same, so the first one in order is taken."""
    ordered = Sorted.of(pair)
    first, second = map(plain.logits, ordered.rows)  # [length, vocabulary] each
    assert layout.positions is not None
    own = len(ordered.rows[0].ids)
    depths = layout.positions[0, layout.at].tolist()
    places = zip(layout.at.tolist(), depths, strict=True)
    return torch.stack([(first if at < own else second)[depth] for at, depth in places])


def _two_lengths(model: PreTrainedModel, samples: Sequence[Sample]) -> list[Sample]:
    """Two short rows of different length where there are such: then one is padded."""
    some = sorted(samples[:_LOOKED_AT], key=lambda s: len(s.ids))
    other = next((s for s in some if len(s.ids) > len(some[0].ids)), some[0])
    if not _may_be_cut(model):
        return [some[0], other]
    return [_cut(some[0], 0, _OWN), _cut(other, 0, 2 * _OWN)]


def _cut(row: Sample, shared: int, own: int) -> Sample:
    """Of the prefix of `shared` tokens the last, then `own` tokens at most, then the last of the
    prompt and the first of the answer. A trie's rows still part where they did."""
    ends = min(row.start, shared + own)
    parts = (
        row.ids[max(0, shared - _SHARED) : ends],
        row.ids[max(ends, row.start - _OWN) : row.start],
    )
    prompt = np.concatenate(parts)
    answer = row.ids[row.start : row.start + _AFTER]
    return replace(row, ids=np.concatenate([prompt, answer]), start=len(prompt))


def _closest(samples: Sequence[Sample], *, whole: bool) -> tuple[list[Sample], int]:
    """Of the pairs with a shared prefix, the one that shares the largest part of its tokens, and
    the length of the prefix, which ends before the answers."""
    found = Sorted.of(samples)
    best, common, most = list(samples[:2]), 0, 0.0
    for at in range(1, len(found.rows)):
        pair = found.rows[at - 1 : at + 1]
        shared = min(int(found.shared[at]), *(row.start - 1 for row in pair))
        part = shared / sum(len(row.ids) for row in pair)
        if part > most:
            best, common, most = pair, shared, part
    if not common:
        return best, 0
    if not whole:
        best = [_cut(row, common, own) for row, own in zip(best, (_OWN, 2 * _OWN), strict=True)]
    return _branching(best), common


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
