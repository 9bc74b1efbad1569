"""Embedding models with random weights, as sentence-transformers saves them; made without torch."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from tunewright import durable
from tunewright.embedding.chosen import Chosen

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
_TEXT = """the a an cat kitten dog bird sat is sitting on under mat rug house central bank raised
cut interest rates money word question passage about and to of in . , : ?"""
WORDS = _TEXT.split()
PACKAGE = "sentence_transformers.models."
CONTEXT = 64
_INNER = 64
_SIZES = {
    "vocab_size": len(SPECIAL + WORDS),
    "intermediate_size": _INNER,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "hidden_act": "gelu",
    "pad_token_id": 0,
}


def tokenizer() -> Tokenizer:
    """Of whole words, with a special token at either end, and a truncation that nobody wants."""
    made = Tokenizer(WordLevel({word: id for id, word in enumerate(SPECIAL + WORDS)}, "[UNK]"))
    made.normalizer = BertNormalizer(lowercase=True)
    made.pre_tokenizer = BertPreTokenizer()
    made.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.enable_truncation(8)
    made.enable_padding(length=16)
    return made


def write(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value), "utf-8")


def bert(directory: Path, pooling: str = "mean", *, layers: int = 2, wide: int = 64) -> Path:
    """A bidirectional one. Its words count more than what its layers do, so that texts of the same
    words are near each other."""
    config = {**_SIZES, "model_type": "bert", "hidden_size": wide, "num_hidden_layers": layers}
    shapes = {
        "embeddings.word_embeddings.weight": (len(SPECIAL + WORDS), wide),
        "embeddings.position_embeddings.weight": (CONTEXT, wide),
        "embeddings.token_type_embeddings.weight": (2, wide),
        **_norm("embeddings.LayerNorm", wide),
    }
    for layer in (f"encoder.layer.{n}" for n in range(layers)):
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            shapes |= _linear(f"{layer}.attention.{name}", wide, wide)
        shapes |= _norm(f"{layer}.attention.output.LayerNorm", wide)
        shapes |= _linear(f"{layer}.intermediate.dense", _INNER, wide)
        shapes |= _linear(f"{layer}.output.dense", wide, _INNER)
        shapes |= _norm(f"{layer}.output.LayerNorm", wide)
    return sentence_model(directory, config, shapes, "embeddings.word_embeddings", pooling)


def qwen(directory: Path, *, layers: int = 2, wide: int = 32) -> Path:
    """A causal one, whose last token is the vector."""
    config = {**_SIZES, "model_type": "qwen3", "hidden_size": wide, "num_hidden_layers": layers}
    shapes = {"embed_tokens.weight": (len(SPECIAL + WORDS), wide), "norm.weight": (wide,)}
    for layer in (f"layers.{n}" for n in range(layers)):
        for name, size in (("q", 32), ("k", 16), ("v", 16)):
            shapes[f"{layer}.self_attn.{name}_proj.weight"] = (size, wide)
        shapes[f"{layer}.self_attn.o_proj.weight"] = (wide, 32)
        shapes |= {f"{layer}.self_attn.{name}_norm.weight": (8,) for name in "qk"}
        shapes |= {f"{layer}.mlp.{name}_proj.weight": (_INNER, wide) for name in ("gate", "up")}
        shapes[f"{layer}.mlp.down_proj.weight"] = (wide, _INNER)
        for name in ("input", "post_attention"):
            shapes[f"{layer}.{name}_layernorm.weight"] = (wide,)
    config |= {"num_key_value_heads": 2, "head_dim": 8, "rms_norm_eps": 1e-6}
    return sentence_model(directory, config, shapes, "embed_tokens", "lasttoken")


def for_torch(directory: Path, **made: Any) -> Path:
    """A `bert` as it is kept when no ONNX graph of it can be had."""
    bert(directory, **made)
    durable.write_manifest(directory, about=Chosen("torch").about)
    return directory


def _linear(name: str, outer: int, inner: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outer, inner), f"{name}.bias": (outer,)}


def _norm(name: str, wide: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (wide,), f"{name}.bias": (wide,)}


def sentence_model(
    directory: Path,
    config: dict[str, Any],
    shapes: dict[str, tuple[int, ...]],
    words: str,
    pooling: str,
) -> Path:
    chosen = np.random.default_rng(7)
    tensors = {}
    for name, shape in shapes.items():
        spread = 1.0 if name.startswith(words) else 0.05
        middle = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        tensors[name] = (middle + spread * chosen.standard_normal(shape)).astype(np.float32)
    write(directory / "config.json", config)
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})
    tokenizer().save(str(directory / "tokenizer.json"))
    modules(directory, "Transformer", "Pooling", "Normalize")
    write(directory / "sentence_bert_config.json", {"max_seq_length": CONTEXT})
    settings = {"embedding_dimension": config["hidden_size"], "pooling_mode": pooling}
    write(directory / "1_Pooling" / "config.json", settings)
    return directory


def modules(directory: Path, *names: str) -> None:
    listed: Sequence[dict[str, Any]] = [
        {
            "idx": place,
            "name": str(place),
            "path": f"{place}_{name}" if place else "",
            "type": f"{PACKAGE}{name}",
        }
        for place, name in enumerate(names)
    ]
    write(directory / "modules.json", listed)
