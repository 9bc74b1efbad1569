"""How fast this machine computes what plans are made of, from a small model with random weights.

What is timed are real forward and backward passes of the same number of tokens, cut in different
ways: their differences are calls and attention, and what is left is the linear layers with all that
goes along with them. Only LoRA's weights learn: where all do, linear layers take half as long
again. Nothing random that a run depends on is touched. Of a processor only: on a GPU (an H200) the
launches of operations take longer than what is launched, and the differences are noise.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel

from tunewright.training.examples import Sample
from tunewright.training.loss import Objective
from tunewright.training.plans.costs import Costs, Rates
from tunewright.training.plans.planner import Piece
from tunewright.weights.base import compute_dtype
from tunewright.weights.lora import attach

ROUNDS = 5
_PARTS = 4  # what the rows of a batch are cut into, to see what a call takes
_VOCABULARY = 256


@dataclass(frozen=True)
class Size:
    """Of the model and its `rows` rows of `own` tokens. shared: tokens of their shared prefix."""

    hidden: int
    inner: int
    heads: int
    rows: int
    own: int
    shared: int

    @property
    def tokens(self) -> int:
        return self.rows * self.own


_SIZE = Size(256, 704, 4, 16, 32, 512)


def measure() -> Rates:
    """Takes some 4 s of one core. Of ROUNDS in turn the median of each rate: a rate is a difference
    of passes that take almost the same, and what disturbs one round leaves the others alone. (Of
    the least of two passes, in bfloat16 on a busy machine, one rate in forty was negative.) Where
    noise has spoilt most rounds, figures may still be negative."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng():
            model = _model(_SIZE)
            # One thread's own time is the same whatever else runs; the proportions are those of
            # several.
            torch.set_num_threads(1)
            costs, timed = Costs.of(model), _timer(model)
            rounds = [astuple(_rates(costs, _SIZE, timed)) for _ in range(ROUNDS)]
            return Rates(*map(statistics.median, zip(*rounds, strict=True)))
    finally:
        torch.set_num_threads(threads)


def _model(size: Size) -> PreTrainedModel:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=size.hidden,
        intermediate_size=size.inner,
        num_hidden_layers=2,
        num_attention_heads=size.heads,
        num_key_value_heads=size.heads,
        max_position_embeddings=size.shared + size.tokens,
    )
    model: PreTrainedModel = AutoModelForCausalLM.from_config(
        config, attn_implementation="sdpa", dtype=compute_dtype()
    )
    attach(model, 8, 8, seed=0)
    return model.eval()


def _timer(model: PreTrainedModel) -> Callable[[Sequence[Piece]], list[float]]:
    """Seconds for each piece."""
    objective = Objective(model, "head")
    objective.learn(Piece("rows", [_rows(_SIZE.rows, _SIZE.own)]), 1.0)  # warms up

    def seconds(piece: Piece) -> float:
        began = time.process_time()
        objective.learn(piece, 1.0)
        return time.process_time() - began

    def timed(pieces: Sequence[Piece]) -> list[float]:
        return list(map(seconds, pieces))

    return timed


def _rates(costs: Costs, size: Size, timed: Callable[[Sequence[Piece]], list[float]]) -> Rates:
    rows, shared = _rows(size.rows, size.own), _rows(size.rows, size.own, size.shared)
    half = shared[: size.rows // 2]
    whole, parts, long, trie, once, thrice = timed(
        [
            Piece("rows", [rows]),
            Piece("rows", [rows[at::_PARTS] for at in range(_PARTS)]),
            Piece("rows", [_rows(1, size.tokens)]),
            Piece("forest", [_rows(size.rows - 1, size.own, size.own)]),
            Piece("prefix", [half], size.shared),
            Piece("prefix", [half] * 3, size.shared),
        ]
    )
    call = (parts - whole) / (_PARTS - 1)
    squares, short = size.tokens**2, size.tokens * size.own
    causal = (long - whole) / (squares - short) * 2
    plain = whole - causal * short / 2  # one call and the tokens, without any attention
    tree = (trie - plain) / squares
    cached = (thrice - once - plain - call) / (size.tokens * (size.own + size.shared))
    return Rates(
        call=call / costs.layers,
        product=(plain - call) / (size.tokens * costs.token) * 1e9,
        causal=causal / costs.pair * 1e9,
        cached=cached / costs.pair * 1e9,
        tree=tree / costs.pair * 1e9,
    )


def _rows(count: int, own: int, shared: int = 0) -> list[Sample]:
    """Rows of `own` tokens after `shared` common ones, each of which supervises its last."""
    random = np.random.default_rng([count, own, shared])
    first = random.integers(0, _VOCABULARY, shared)
    # Their first own token tells them apart: what else they share by chance would be shared too.
    marks = [np.array([line % _VOCABULARY]) for line in range(count)]
    ends = [np.concatenate([mark, random.integers(0, _VOCABULARY, own - 1)]) for mark in marks]
    ids = [np.concatenate([first, end]).astype(np.int32) for end in ends]
    return [Sample(row, len(row) - 1, line, 0) for line, row in enumerate(ids)]
