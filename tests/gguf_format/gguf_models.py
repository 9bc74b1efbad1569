"""Tiny models of every architecture, and their GGUF files, written with the `gguf` package by the
rules of llama.cpp's converter: its names, its order of rows, its norms, its factors."""

import math
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from tokenizers import pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GraniteConfig,
    LlamaConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)

VOCABULARY = 264
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 257,
    "eos_token_id": 258,
    "pad_token_id": 259,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
LONGROPE = {
    "rope_type": "longrope",
    "long_factor": [1.5 + 0.25 * i for i in range(6)],
    "short_factor": [1.0 + 0.125 * i for i in range(6)],
    "original_max_position_embeddings": 64,
}
CONFIGS: dict[str, tuple[str, PreTrainedConfig]] = {
    "llama": ("llama", LlamaConfig(**SHAPE, rope_theta=50_000.0, rms_norm_eps=1e-5)),
    "llama, tied, biases, scaled": (
        "llama",
        LlamaConfig(
            **SHAPE | {"max_position_embeddings": 65_536},
            head_dim=32,
            tie_word_embeddings=True,
            attention_bias=True,
            mlp_bias=True,
            rope_theta=500_000.0,
            rope_scaling=dict(LLAMA3),
        ),
    ),
    "llama, another scale": (
        "llama",
        LlamaConfig(
            **SHAPE,
            head_dim=64,
            rope_theta=10_000.0,
            rope_scaling=LLAMA3 | {"low_freq_factor": 1.5, "high_freq_factor": 3.0,
                                   "original_max_position_embeddings": 4096},
        ),
    ),
    "granite": (
        "granite",
        GraniteConfig(
            **SHAPE,
            attention_multiplier=0.0625,
            embedding_multiplier=12.0,
            residual_multiplier=0.22,
            logits_scaling=6.0,
            tie_word_embeddings=True,
        ),
    ),
    "qwen2": ("qwen2", Qwen2Config(**SHAPE, tie_word_embeddings=True, rope_theta=1e6)),
    "qwen2, yarn": (
        "qwen2",
        Qwen2Config(
            **SHAPE,
            rope_scaling={"rope_type": "yarn", "factor": 4.0,
                          "original_max_position_embeddings": 128},
        ),
    ),
    "qwen3": ("qwen3", Qwen3Config(**SHAPE, head_dim=24, tie_word_embeddings=False)),
    "gemma2": (
        "gemma2",
        Gemma2Config(**SHAPE, head_dim=24, query_pre_attn_scalar=24, sliding_window=16,
                     attn_logit_softcapping=20.0, final_logit_softcapping=10.0),
    ),
    "gemma3": (
        "gemma3",
        Gemma3TextConfig(**SHAPE | {"num_hidden_layers": 7}, head_dim=24, query_pre_attn_scalar=24,
                         sliding_window=16, rope_scaling={"rope_type": "linear", "factor": 8.0}),
    ),
    "phi3": ("phi3", Phi3Config(**SHAPE, sliding_window=20)),
    "phi3, long": (
        "phi3",
        Phi3Config(**SHAPE, partial_rotary_factor=0.75, rope_scaling=dict(LONGROPE),
                   original_max_position_embeddings=64, tie_word_embeddings=True),
    ),
}  # fmt: skip


def model_of(name: str) -> PreTrainedModel:
    """Random weights that are bfloat16 numbers, norms among them, in float32."""
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(CONFIGS[name][1])
    with torch.no_grad():
        for parameter in made.parameters():
            mean, spread = (0.1, 0.3) if parameter.ndim == 1 else (0, 0.15)
            parameter.copy_((mean + spread * torch.randn(parameter.shape)).bfloat16())
    return made.eval()


def write(path: Path, name: str, model: PreTrainedModel, kind: str = "F32", **more: Any) -> Path:
    """`kind` of all matrices. `more`: metadata, or tensors by name, in place of the right ones;
    None leaves one out."""
    architecture, config = CONFIGS[name][0], model.config
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in (_metadata(architecture, config) | _tokens() | more).items():
        _add(writer, key, value)
    for key, tensor in (_tensors(architecture, config, model) | more).items():
        if isinstance(tensor, np.ndarray):
            quantised = gguf.GGMLQuantizationType[kind if tensor.ndim > 1 else "F32"]
            stored = gguf.quantize(tensor, quantised)
            writer.add_tensor(key, stored, raw_dtype=quantised)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)


def _metadata(architecture: str, config: Any) -> dict[str, Any]:
    heads = config.num_attention_heads
    found = {
        "general.type": "model",
        "general.name": "tiny",
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": config.rms_norm_eps,
    }
    head = getattr(config, "head_dim", None) or config.hidden_size // heads
    rope = config.rope_parameters
    rope = rope.get("full_attention", rope)
    found["rope.freq_base"] = rope["rope_theta"]
    if head != config.hidden_size // heads:
        found |= {"attention.key_length": head, "attention.value_length": head}
    turned = int(rope.get("partial_rotary_factor", 1.0) * head)
    if architecture in ("llama", "granite", "phi3"):
        found["rope.dimension_count"] = turned
    found |= _scaling(config, rope) | _own(architecture, config)
    general = {k: v for k, v in found.items() if k.startswith("general.")}
    return general | {f"{architecture}.{k}": v for k, v in found.items() if k not in general}


def _scaling(config: Any, rope: dict[str, Any]) -> dict[str, Any]:
    prefix, kind = "rope.scaling.", rope["rope_type"]
    if kind in ("linear", "yarn"):
        found = {prefix + "type": kind, prefix + "factor": rope["factor"]}
        if kind == "yarn":
            found[prefix + "original_context_length"] = rope["original_max_position_embeddings"]
        return found
    if kind == "longrope":
        original = rope["original_max_position_embeddings"]
        scale = config.max_position_embeddings / original
        return {
            prefix + "original_context_length": original,
            prefix + "attn_factor": math.sqrt(1 + math.log(scale) / math.log(original)),
        }
    return {}


def _own(architecture: str, config: Any) -> dict[str, Any]:
    if architecture == "granite":
        layers = [config.num_key_value_heads] * config.num_hidden_layers
        return {
            "attention.head_count_kv": layers,  # as of Granite 4
            "rope.scaling.finetuned": True,
            "attention.scale": config.attention_multiplier,
            "embedding_scale": config.embedding_multiplier,
            "residual_scale": config.residual_multiplier,
            "logit_scale": config.logits_scaling,
        }
    if architecture.startswith("gemma"):
        caps = {
            "attn_logit_softcapping": config.attn_logit_softcapping,
            "final_logit_softcapping": config.final_logit_softcapping,
        }
        return {"attention.sliding_window": config.sliding_window} | caps
    if architecture == "phi3":
        return {"attention.sliding_window": config.sliding_window or 0}
    return {}


def _tokens() -> dict[str, Any]:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|start|>", "<|im_end|>", "<|pad|>", "<|unknown|>", "<think>"]
    unused = [f"[PAD{id}]" for id in range(len(alphabet) + 1 + len(special), VOCABULARY)]
    types = [1] * (len(alphabet) + 1) + [3] * 4 + [4] + [5] * len(unused)
    prefix = "tokenizer.ggml."
    return {
        prefix + "model": "gpt2",
        prefix + "pre": "smollm",
        prefix + "tokens": [*alphabet, "he", *special, *unused],
        prefix + "token_type": types,
        prefix + "merges": ["h e"],
        prefix + "bos_token_id": 257,
        prefix + "eos_token_id": 258,
        prefix + "padding_token_id": 259,
        prefix + "unknown_token_id": 260,
        "tokenizer.chat_template": "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}",
    }


def _tensors(architecture: str, config: Any, model: PreTrainedModel) -> dict[str, np.ndarray]:
    kind = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == architecture)
    names = gguf.get_tensor_name_map(kind, config.num_hidden_layers)
    found = dict(model.state_dict())
    if config.tie_word_embeddings:
        found.pop("lm_head.weight", None)
    made: dict[str, np.ndarray] = {}
    for name, tensor in found.items():
        heads = config.num_attention_heads if "q_proj" in name else config.num_key_value_heads
        if architecture in ("llama", "granite") and ("q_proj" in name or "k_proj" in name):
            tensor = _interleaved(tensor, heads)
        if architecture.startswith("gemma") and name.endswith("norm.weight"):
            tensor = tensor + 1
        theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
        assert theirs is not None, name
        made[theirs] = tensor.numpy()
    return made | _factors(config)


def _interleaved(tensor: torch.Tensor, heads: int) -> torch.Tensor:
    rows = tensor.shape[0]
    halves = tensor.reshape(heads, 2, rows // heads // 2, *tensor.shape[1:])
    return halves.swapaxes(1, 2).reshape(tensor.shape)


def _factors(config: Any) -> dict[str, np.ndarray]:
    rope = config.rope_parameters
    if rope.get("rope_type") == "longrope":
        names = ("long", "short")
        return {
            f"rope_factors_{name}.weight": np.array(rope[f"{name}_factor"], np.float32)
            for name in names
        }
    if rope.get("rope_type") != "llama3":
        return {}
    size = config.head_dim
    context, factor = rope["original_max_position_embeddings"], rope["factor"]
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    found = []
    for place in range(0, size, 2):
        wave = 2 * math.pi * rope["rope_theta"] ** (place / size)
        if wave < context / high:
            found.append(1.0)
        elif wave > context / low:
            found.append(factor)
        else:
            smooth = (context / wave - low) / (high - low)
            found.append(1 / ((1 - smooth) / factor + smooth))
    return {"rope_freqs.weight": np.array(found, np.float32)}
