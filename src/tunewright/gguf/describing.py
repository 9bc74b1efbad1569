"""The keys of a model from its config.json: the way back from `config` and `rope`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tunewright.errors import BadRequest
from tunewright.gguf.config import ARCHITECTURES, GEMMA3_PERIOD, KEYS, gemma_scale
from tunewright.gguf.rope import llama3_factors
from tunewright.gguf.tensors import Sizes
from tunewright.gguf.writing import Float, Item

Config = Mapping[str, Any]
_UNREAD = ("num_local_experts", "num_experts", "quantization_config")


def refuse(what: str) -> BadRequest:
    """For `what` the model cannot be written, the end of a sentence."""
    return BadRequest(
        f"This model cannot be written as GGUF: {what}. Export it with 'to': 'merged'.",
        param="to",
        code="not_expressible",
    )


def architecture(config: Config) -> str:
    """What GGUF calls it. Raises BadRequest where it is none that is written."""
    kind = config.get("model_type")
    found = next((name for name, a in ARCHITECTURES.items() if a.model_type == kind), None)
    if found is None:
        raise refuse(
            f"its architecture is {kind}, and these are written: {', '.join(ARCHITECTURES)}"
        )
    if odd := next((key for key in _UNREAD if config.get(key)), None):
        raise refuse(f"its config.json has {odd}")
    return found


def sizes(config: Config, vocabulary: int) -> Sizes:
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    return Sizes(
        layers=config["num_hidden_layers"],
        hidden=hidden,
        inner=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head=config.get("head_dim") or hidden // heads,
        vocabulary=vocabulary,
    )


def described(name: str, config: Config, size: Sizes) -> dict[str, Item]:
    """Raises BadRequest for what has no key: then the file would be read as another model."""
    about = ARCHITECTURES[name]
    found: dict[str, Item] = {"general.architecture": name}
    for ours, theirs, kind in (*KEYS, *about.keys):
        value = size.kv_heads if ours == "num_key_value_heads" else config.get(ours)
        if value is not None:
            found[f"{name}.{theirs}"] = Float(value) if kind is float else int(value)
    found[f"{name}.attention.key_length"] = size.head
    found[f"{name}.attention.value_length"] = size.head
    found[f"{name}.vocab_size"] = size.vocabulary
    _refuse_other_computations(name, config, size)
    if name != "phi3":
        found[f"{name}.rope.dimension_count"] = size.head
    return found | _rope(name, config)


def _refuse_other_computations(name: str, config: Config, size: Sizes) -> None:
    wanted = ARCHITECTURES[name].activation
    activation = config.get("hidden_activation") or config.get("hidden_act") or wanted
    if activation != wanted and not (name.startswith("gemma") and activation == "gelu"):
        raise refuse(f"its activation is {activation}, and llama.cpp computes {wanted}")
    kinds = config.get("layer_types")
    windows = [kind == "sliding_attention" for kind in kinds] if kinds else []
    if name.startswith("gemma"):
        scale = config.get("query_pre_attn_scalar", size.head)
        if scale != gemma_scale(name, size):
            raise refuse(f"its query_pre_attn_scalar is {scale}, for which GGUF has no key")
        period = 2 if name == "gemma2" else GEMMA3_PERIOD
        if windows and windows != [bool((layer + 1) % period) for layer in range(size.layers)]:
            raise refuse("its layers with a window of attention stand in another order")
    elif any(windows) or (config.get("use_sliding_window") and config.get("sliding_window")):
        raise refuse("some of its layers see a window only (sliding_window)")


def scaling(config: Config) -> Mapping[str, Any]:
    """Of the rotary embedding of all layers; empty where it is not scaled."""
    found = _parameters(config)
    kind = found.get("rope_type", found.get("type", "default"))
    return {} if kind in ("default", None) else {**found, "rope_type": kind}


def _parameters(config: Config, layers: str = "full_attention") -> Mapping[str, Any]:
    """transformers 5's `rope_parameters`, by kind of layer or not, or what came before it."""
    new = config.get("rope_parameters") or {}
    new = new.get(layers, new)
    return {**(config.get("rope_scaling") or {}), **new}


def theta(config: Config) -> float:
    return float(_parameters(config).get("rope_theta") or config.get("rope_theta") or 10_000.0)


def _rope(name: str, config: Config) -> dict[str, Item]:
    found: dict[str, Item] = {f"{name}.rope.freq_base": Float(theta(config))}
    if name == "gemma3":
        local = _parameters(config, "sliding_attention").get("rope_theta")
        found[f"{name}.rope.freq_base_swa"] = Float(
            float(local or config.get("rope_local_base_freq") or 10_000.0)
        )
    scaled, prefix = scaling(config), f"{name}.rope.scaling."
    kind = scaled.get("rope_type")
    if name == "phi3":
        raise refuse("its architecture is phi3, whose rotary embedding is not written yet")
    if kind in (None, "llama3"):  # the latter is a tensor (`factors`)
        return found
    if kind == "linear":
        return found | {f"{prefix}type": "linear", f"{prefix}factor": Float(scaled["factor"])}
    if kind == "yarn":
        betas: dict[str, Item] = {
            f"{prefix}yarn_{beta}": Float(scaled[beta])
            for beta in ("beta_fast", "beta_slow")
            if scaled.get(beta) is not None
        }
        original = scaled.get("original_max_position_embeddings")
        if original is None or scaled.get("attention_factor") is not None:
            raise refuse("its rotary embedding is scaled in a way of its own (yarn)")
        yarn: dict[str, Item] = {
            f"{prefix}type": "yarn",
            f"{prefix}factor": Float(scaled["factor"]),
            f"{prefix}original_context_length": int(original),
        }
        return found | yarn | betas
    raise refuse(f"its rotary embedding is scaled by {kind}")


def factors(config: Config, size: Sizes) -> np.ndarray | None:
    """The tensor ``rope_freqs.weight`` of Llama 3's scaling, float32 [head / 2]."""
    scaled = scaling(config)
    if scaled.get("rope_type") != "llama3":
        return None
    return llama3_factors(
        size.head,
        theta(config),
        scaled["factor"],
        scaled["low_freq_factor"],
        scaled["high_freq_factor"],
        scaled["original_max_position_embeddings"],
    ).astype(np.float32)
