"""Tiny models of many architectures, and the gradients of rows computed one by one."""

from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, PreTrainedModel

from tunewright.training.examples import Sample
from tunewright.training.loss import Objective
from tunewright.training.plans.planner import Kind, Piece
from tunewright.training.plans.tries import Sorted

_SIZE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 256,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,  # so large that what a row sees decides what it says
}
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", {**_SIZE, "head_dim": 16, "tie_word_embeddings": True}),
    "qwen2": ("Qwen2Config", _SIZE),
    "qwen3": ("Qwen3Config", {**_SIZE, "head_dim": 8}),
    "gemma2": ("Gemma2Config", {**_SIZE, "head_dim": 8, "sliding_window": 128}),
    "gemma3": ("Gemma3TextConfig", {**_SIZE, "head_dim": 8, "sliding_window": 11}),
    "mistral": ("MistralConfig", {**_SIZE, "sliding_window": 11}),
    "gpt2": (
        "GPT2Config",
        {
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 4,
            "n_positions": 512,
            "vocab_size": 256,
            "initializer_range": 0.3,
        },
    ),
    "phi": ("PhiConfig", _SIZE),
    "olmo2": ("Olmo2Config", _SIZE),
}


def tiny(architecture: str, **changes: Any) -> PreTrainedModel:
    """In eval mode: dropout, which GPT-2 has by default, would make every pass another."""
    name, fields = ARCHITECTURES[architecture]
    config = getattr(transformers, name)(**{**fields, **changes})
    attention = "eager" if architecture == "gemma2" else "sdpa"
    torch.manual_seed(5)
    return AutoModelForCausalLM.from_config(config, attn_implementation=attention).eval()


def sample(ids: NDArray[Any], supervised: int, line: int) -> Sample:
    return Sample(ids.astype(np.int32), len(ids) - supervised, line, 0)


def piece_of(kind: Kind, rows: list[Sample]) -> Piece:
    if kind != "prefix":
        return Piece(kind, [rows])
    shared = min(Sorted.of(rows).common, *(row.start - 1 for row in rows))
    return Piece(kind, [rows[:2], rows[2:]] if len(rows) > 2 else [rows], shared)


def reference(model: PreTrainedModel, rows: list[Sample]) -> tuple[float, dict[str, Tensor]]:
    """Each row alone through the plain forward: the sum of the losses, each times its row's
    weight, and the gradients of it."""
    total = 0.0
    model.zero_grad()
    for row in rows:
        ids = torch.from_numpy(row.ids.astype(np.int64))
        logits = model(input_ids=ids[None], use_cache=False).logits[0]
        loss = functional.cross_entropy(
            logits[row.start - 1 : -1], ids[row.start :], reduction="sum"
        )
        (loss * row.weight).backward()
        total += loss.item() * row.weight
    return total, _taken(model)


def gradients(
    model: PreTrainedModel, objective: Objective, pieces: list[Piece]
) -> tuple[float, dict[str, Tensor]]:
    model.zero_grad()
    loss = sum(objective.learn(piece, 1.0).loss.item() for piece in pieces)
    return loss, _taken(model)


def _taken(model: PreTrainedModel) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def close(ours: dict[str, Tensor], theirs: dict[str, Tensor], tolerance: float) -> None:
    """Relative to the largest number of each gradient, but for eight roundings of the largest of
    all: where tokens are alike, attention has next to no gradient but the rounding of others."""
    assert ours.keys() == theirs.keys()
    largest = max(gradient.abs().max() for gradient in theirs.values())
    least = 8 * torch.finfo(torch.float32).eps * largest / tolerance
    for name, gradient in ours.items():
        scale = max(theirs[name].abs().max(), least)
        assert (gradient - theirs[name]).abs().max() <= tolerance * scale, name
