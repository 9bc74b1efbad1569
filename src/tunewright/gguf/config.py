"""config.json from the metadata of a file. The table of keys serves both directions."""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from tunewright.gguf.reading import Reader
from tunewright.gguf.rope import rope
from tunewright.gguf.tensors import LAYERS, Sizes

_Key = tuple[str, str, type[int] | type[float]]


@dataclass(frozen=True)
class Architecture:
    """What transformers calls one. `keys`: its own, beside `KEYS`, as (in config.json, in GGUF
    behind the architecture's name and a dot, type)."""

    model_type: str
    model_class: str
    keys: tuple[_Key, ...] = ()
    activation: str = "silu"


KEYS: Final[tuple[_Key, ...]] = (
    ("num_hidden_layers", "block_count", int),
    ("max_position_embeddings", "context_length", int),
    ("hidden_size", "embedding_length", int),
    ("intermediate_size", "feed_forward_length", int),
    ("num_attention_heads", "attention.head_count", int),
    ("num_key_value_heads", "attention.head_count_kv", int),
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon", float),
)
_MULTIPLIERS: Final[tuple[_Key, ...]] = (
    ("attention_multiplier", "attention.scale", float),
    ("embedding_multiplier", "embedding_scale", float),
    ("residual_multiplier", "residual_scale", float),
    ("logits_scaling", "logit_scale", float),
)
_WINDOW: Final[_Key] = ("sliding_window", "attention.sliding_window", int)
_LOGIT_CAP: Final[_Key] = ("final_logit_softcapping", "final_logit_softcapping", float)
_ATTENTION_CAP: Final[_Key] = ("attn_logit_softcapping", "attn_logit_softcapping", float)
_GELU: Final = "gelu_pytorch_tanh"
ARCHITECTURES: Final = {
    "llama": Architecture("llama", "LlamaForCausalLM"),
    "granite": Architecture("granite", "GraniteForCausalLM", _MULTIPLIERS),
    "qwen2": Architecture("qwen2", "Qwen2ForCausalLM"),
    "qwen3": Architecture("qwen3", "Qwen3ForCausalLM"),
    "gemma2": Architecture(
        "gemma2", "Gemma2ForCausalLM", (_WINDOW, _LOGIT_CAP, _ATTENTION_CAP), _GELU
    ),
    "gemma3": Architecture("gemma3_text", "Gemma3ForCausalLM", (_WINDOW, _LOGIT_CAP), _GELU),
    "phi3": Architecture("phi3", "Phi3ForCausalLM", (_WINDOW,)),
}
"""By `general.architecture`."""
GEMMA3_PERIOD: Final = 6  # one layer of so many sees everything, the others a window
_WIDE_GEMMAS: Final = {"gemma2": 46, "gemma3": 62}
"""Layers of the 27B models, whose scale of attention follows from their width instead of the size
of a head. No key says it; llama.cpp tells them by their layers as well."""


def architecture(reader: Reader) -> str:
    """Raises BadRequest where the file is no language model of an architecture that is read."""
    if (parts := reader.get("split.count", int) or 1) > 1:
        raise reader.refuse(
            f"it is one of {parts} parts of a model. Join them first: llama-gguf-split --merge "
            "FIRST_PART.gguf WHOLE.gguf"
        )
    kind = reader.get("general.type", str) or "model"
    if kind != "model":
        raise reader.refuse(f"it holds no language model, but what GGUF calls {kind[:40]}")
    name = reader.need("general.architecture", str)
    if name not in ARCHITECTURES:
        raise reader.refuse(
            f"its architecture is {name[:40]}. These are read: {', '.join(ARCHITECTURES)}. Add the "
            "safetensors weights that the file was made of instead"
        )
    if reader.get(f"{name}.expert_count", int):
        raise reader.refuse(f"it is a mixture of experts ({name}.expert_count), which is not read")
    if reader.get(f"{name}.pooling_type", int):
        raise reader.refuse(
            f"it is an embedding model or a ranker ({name}.pooling_type). Of these, this version "
            "runs its built-in ones only"
        )
    return name


def number(reader: Reader, key: str, kind: type[int] | type[float]) -> int | float | None:
    """A key's value. A float as it was before it was stored with 32 bits: 1e-05 instead of
    9.999999747378752e-06. Of a list, which has an item for each layer, the one that all are."""
    listed = reader.metadata.get(key)
    if isinstance(listed, np.ndarray):
        return _of_all_layers(reader, key, listed, kind)
    found = reader.get(key, kind)
    if kind is int or found is None:
        return found
    if not math.isfinite(found):
        raise reader.refuse(f"its key {key} is {found}")
    return float(str(np.float32(found))) if float(np.float32(found)) == found else found


def _of_all_layers(
    reader: Reader, key: str, listed: np.ndarray, kind: type[int] | type[float]
) -> int | float:
    if len(set(listed.tolist())) != 1 or not np.isfinite(listed[0]):
        raise reader.refuse(f"its key {key} differs from layer to layer")
    if kind is int and listed.dtype.kind not in "iu":
        raise reader.refuse(f"its key {key} is not a whole number")
    return kind(listed[0])


def _positive(reader: Reader, key: str, kind: type[int] | type[float]) -> int | float:
    found = number(reader, key, kind)
    if found is None:
        raise reader.refuse(f"its key {key} is missing")
    if not 0 < found < 2**31:
        raise reader.refuse(f"its key {key} is {found}")
    return found


def sizes(reader: Reader, name: str) -> Sizes:
    """Raises BadRequest naming the key that is missing, or does not go with the others."""

    def whole(key: str) -> int:
        return int(_positive(reader, f"{name}.{key}", int))

    heads, hidden = whole("attention.head_count"), whole("embedding_length")
    few = f"{name}.attention.head_count_kv" in reader.metadata
    kv_heads = whole("attention.head_count_kv") if few else heads
    if heads % kv_heads:
        raise reader.refuse(
            f"its {heads} heads ({name}.attention.head_count) cannot share {kv_heads} "
            f"({name}.attention.head_count_kv)"
        )
    embedding = reader.tensors.get("token_embd.weight")
    if embedding is None:
        raise reader.refuse("its tensor token_embd.weight is missing")
    return Sizes(
        layers=whole("block_count"),
        hidden=hidden,
        inner=whole("feed_forward_length"),
        heads=heads,
        kv_heads=kv_heads,
        head=_head(reader, name, hidden // heads),
        vocabulary=embedding.shape[0],
    )


def _head(reader: Reader, name: str, usual: int) -> int:
    head = reader.get(f"{name}.attention.key_length", int) or usual
    value = reader.get(f"{name}.attention.value_length", int) or head
    if head % 2 or head < 2 or value != head:
        raise reader.refuse(
            f"its heads have {head} numbers ({name}.attention.key_length), and {value} of each "
            "value"
        )
    return head


def config(reader: Reader, name: str, sizes: Sizes) -> dict[str, Any]:
    """The contents of config.json, but for the ids of special tokens and the dtype.

    Rotary embeddings are written in the older form (`rope_theta`, `rope_scaling`), which
    transformers 4 and 5 and other programs read.
    """
    about = ARCHITECTURES[name]
    found: dict[str, Any] = {
        "architectures": [about.model_class],
        "model_type": about.model_type,
        "hidden_act": about.activation,
        "head_dim": sizes.head,
        "num_key_value_heads": sizes.kv_heads,
        "vocab_size": sizes.vocabulary,
        "tie_word_embeddings": "output.weight" not in reader.tensors,
    }
    for ours, theirs, kind in KEYS:
        if ours != "num_key_value_heads":
            found[ours] = _positive(reader, f"{name}.{theirs}", kind)
    for ours, theirs, kind in about.keys:
        found[ours] = number(reader, f"{name}.{theirs}", kind)
    found |= _own(reader, name, sizes, found)
    return {key: value for key, value in found.items() if value is not None} | rope(
        reader, name, sizes
    )


def _own(reader: Reader, name: str, sizes: Sizes, found: dict[str, Any]) -> dict[str, Any]:
    """What only some architectures have."""
    if name.startswith("gemma"):
        return _gemma(reader, name, sizes)
    if name == "phi3":
        return {"sliding_window": found["sliding_window"] or None}
    window = reader.get(f"{name}.attention.sliding_window", int) or 0
    if 0 < window < found["max_position_embeddings"]:
        raise reader.refuse(
            f"its attention sees {window:,} tokens only ({name}.attention.sliding_window), which "
            f"is not read of the architecture {name}"
        )
    biased: dict[str, Any] = {"attention_bias": "blk.0.attn_output.bias" in reader.tensors}
    if name in ("llama", "granite"):
        biased["mlp_bias"] = "blk.0.ffn_down.bias" in reader.tensors
    if reader.get(f"{name}.rope.scaling.finetuned", bool) is False and name == "granite":
        raise reader.refuse(
            "its attention knows no positions (granite.rope.scaling.finetuned is false), which "
            "transformers' Granite does not compute"
        )
    if name == "granite" and found["attention_multiplier"] is None:
        biased["attention_multiplier"] = sizes.head**-0.5  # as llama.cpp takes it
    return {} if name == "qwen2" else biased


def gemma_scale(name: str, sizes: Sizes) -> int:
    """`query_pre_attn_scalar`, for which there is no key."""
    return sizes.hidden // sizes.heads if sizes.layers == _WIDE_GEMMAS[name] else sizes.head


def _gemma(reader: Reader, name: str, sizes: Sizes) -> dict[str, Any]:
    period = 2 if name == "gemma2" else GEMMA3_PERIOD
    windows = [bool((layer + 1) % period) for layer in range(sizes.layers)]
    pattern = np.asarray(reader.metadata.get(f"{name}.attention.sliding_window_pattern", period))
    if not np.array_equal(pattern, period) and not np.array_equal(pattern, windows):
        raise reader.refuse(
            f"its key {name}.attention.sliding_window_pattern is not {period}, as it is in every "
            "model of the architecture"
        )
    return {
        "hidden_act": None,
        "hidden_activation": ARCHITECTURES[name].activation,
        "query_pre_attn_scalar": gemma_scale(name, sizes),
        "sliding_window": _positive(reader, f"{name}.attention.sliding_window", int),
        "layer_types": ["sliding_attention" if w else "full_attention" for w in windows],
        "attention_bias": "blk.0.attn_output.bias" in reader.tensors,
    }


assert ARCHITECTURES.keys() == LAYERS.keys()
