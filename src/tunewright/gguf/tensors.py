"""The tensors of each architecture: what transformers calls them, what GGUF does, and what lies
between the two. Used in both directions."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

Change = Literal["none", "q", "k", "norm"]
"""What a tensor undergoes on its way into a GGUF file: nothing; a new order of its rows, head by
head (`q` and `k` differ in the number of heads); or 1 is added to it."""

Axis = Literal["hidden", "q", "kv", "qkv", "head", "inner", "gate_up", "vocabulary"]


@dataclass(frozen=True)
class Pair:
    """One tensor. `axes` name its shape, rows first. An `optional` one is absent in many models of
    the architecture."""

    ours: str
    theirs: str
    axes: tuple[Axis, ...]
    change: Change = "none"
    optional: bool = False


@dataclass(frozen=True)
class Sizes:
    """What the axes are of one model. `head`: of one attention head."""

    layers: int
    hidden: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int

    def of(self, axis: Axis) -> int:
        q, kv = self.heads * self.head, self.kv_heads * self.head
        more = {"q": q, "kv": kv, "qkv": q + 2 * kv, "gate_up": 2 * self.inner}
        return more[axis] if axis in more else getattr(self, axis)

    def shape(self, pair: Pair) -> tuple[int, ...]:
        return tuple(self.of(axis) for axis in pair.axes)


# In a layer: (transformers' name, GGUF's name, axes).
_Row = tuple[str, str, tuple[Axis, ...]]
_SEPARATE: Final[tuple[_Row, ...]] = (
    ("self_attn.q_proj", "attn_q", ("q", "hidden")),
    ("self_attn.k_proj", "attn_k", ("kv", "hidden")),
    ("self_attn.v_proj", "attn_v", ("kv", "hidden")),
    ("mlp.gate_proj", "ffn_gate", ("inner", "hidden")),
    ("mlp.up_proj", "ffn_up", ("inner", "hidden")),
)
_FUSED: Final[tuple[_Row, ...]] = (
    ("self_attn.qkv_proj", "attn_qkv", ("qkv", "hidden")),
    ("mlp.gate_up_proj", "ffn_up", ("gate_up", "hidden")),
)
_OUTPUTS: Final[tuple[_Row, ...]] = (
    ("self_attn.o_proj", "attn_output", ("hidden", "q")),
    ("mlp.down_proj", "ffn_down", ("hidden", "inner")),
)
_TWO_NORMS: Final[tuple[_Row, ...]] = (
    ("input_layernorm", "attn_norm", ("hidden",)),
    ("post_attention_layernorm", "ffn_norm", ("hidden",)),
)
_FOUR_NORMS: Final[tuple[_Row, ...]] = (
    ("input_layernorm", "attn_norm", ("hidden",)),
    ("post_attention_layernorm", "post_attention_norm", ("hidden",)),
    ("pre_feedforward_layernorm", "ffn_norm", ("hidden",)),
    ("post_feedforward_layernorm", "post_ffw_norm", ("hidden",)),
)
_HEAD_NORMS: Final[tuple[_Row, ...]] = (
    ("self_attn.q_norm", "attn_q_norm", ("head",)),
    ("self_attn.k_norm", "attn_k_norm", ("head",)),
)

LAYERS: Final[dict[str, tuple[_Row, ...]]] = {
    "llama": _SEPARATE + _OUTPUTS + _TWO_NORMS,
    "granite": _SEPARATE + _OUTPUTS + _TWO_NORMS,
    "qwen2": _SEPARATE + _OUTPUTS + _TWO_NORMS,
    "qwen3": _SEPARATE + _OUTPUTS + _TWO_NORMS + _HEAD_NORMS,
    "gemma2": _SEPARATE + _OUTPUTS + _FOUR_NORMS,
    "gemma3": _SEPARATE + _OUTPUTS + _FOUR_NORMS + _HEAD_NORMS,
    "phi3": _FUSED + _OUTPUTS + _TWO_NORMS,
}
"""By `general.architecture`."""

_TURNED: Final = ("llama", "granite")
"""llama.cpp computes their rotary embedding on neighbouring numbers, transformers on halves of a
head: the rows of q and k are stored in another order. The others are computed as stored."""
_SHIFTED: Final = ("gemma2", "gemma3")
"""transformers multiplies by 1 + weight, llama.cpp by the weight."""
_BIASES: Final = {
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    "granite": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
    "qwen2": ("q_proj", "k_proj", "v_proj"),
    "qwen3": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "gemma3": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "gemma2": ("q_proj", "k_proj", "v_proj", "o_proj"),
}
ROPE_FACTORS: Final = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Of scaled rotary embeddings. transformers has them in config.json."""


def pairs(architecture: str, layers: int) -> Iterator[Pair]:
    """Every tensor that a model of the architecture has or may have, in the order of transformers'.

    The head (`lm_head.weight`) is optional: without one the embedding is the head, too.
    """
    norm: Change = "norm" if architecture in _SHIFTED else "none"
    yield Pair("model.embed_tokens.weight", "token_embd.weight", ("vocabulary", "hidden"))
    for layer in range(layers):
        for row in LAYERS[architecture]:
            yield from _of_layer(architecture, layer, row)
    yield Pair("model.norm.weight", "output_norm.weight", ("hidden",), norm)
    yield Pair("lm_head.weight", "output.weight", ("vocabulary", "hidden"), optional=True)


def _of_layer(architecture: str, layer: int, row: _Row) -> Iterator[Pair]:
    ours, theirs, axes = row
    last = ours.rpartition(".")[2]
    change = _change(architecture, last, axes)
    ours, theirs = f"model.layers.{layer}.{ours}", f"blk.{layer}.{theirs}"
    yield Pair(f"{ours}.weight", f"{theirs}.weight", axes, change)
    if last in _BIASES.get(architecture, ()):
        optional = architecture != "qwen2"  # it always has these three
        yield Pair(f"{ours}.bias", f"{theirs}.bias", axes[:1], change, optional)


def _change(architecture: str, last: str, axes: tuple[Axis, ...]) -> Change:
    if architecture in _SHIFTED and len(axes) == 1:
        return "norm"
    if architecture in _TURNED and last in ("q_proj", "k_proj"):
        return "q" if last == "q_proj" else "k"
    return "none"


def order_in_gguf(rows: int, heads: int) -> np.ndarray:
    """Of the rows of q or k: row i of the GGUF tensor is row `order[i]` of transformers'."""
    return np.arange(rows).reshape(heads, 2, rows // heads // 2).swapaxes(1, 2).ravel()


def order_in_transformers(rows: int, heads: int) -> np.ndarray:
    """The other way round: row i of transformers' tensor is row `order[i]` of the GGUF one."""
    return np.arange(rows).reshape(heads, rows // heads // 2, 2).swapaxes(1, 2).ravel()
