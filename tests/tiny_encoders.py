"""Embedding models with random weights, as sentence-transformers saves them; made in a moment."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel, PreTrainedModel, Qwen3Config, Qwen3Model

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
_TEXT = """the a an cat kitten dog bird sat is sitting on under mat rug house central bank raised
cut interest rates money word question passage about and to of in . , : ?"""
WORDS = _TEXT.split()
PACKAGE = "sentence_transformers.models."
CONTEXT = 64


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


def bert(directory: Path, pooling: str = "mean", *, layers: int = 2, wide: int = 32) -> Path:
    """A bidirectional one. Its words count more than what its layers do, so that texts of the same
    words are near each other."""
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(SPECIAL + WORDS),
        hidden_size=wide,
        intermediate_size=2 * wide,
        num_hidden_layers=layers,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
    )
    model = BertModel(config)
    torch.nn.init.normal_(model.embeddings.word_embeddings.weight, std=1.0)
    return sentence_model(directory, model, pooling)


def qwen(directory: Path, *, layers: int = 2, wide: int = 32) -> Path:
    """A causal one, whose last token is the vector."""
    torch.manual_seed(7)
    config = Qwen3Config(
        vocab_size=len(SPECIAL + WORDS),
        hidden_size=wide,
        intermediate_size=2 * wide,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=CONTEXT,
    )
    return sentence_model(directory, Qwen3Model(config), "lasttoken")


def sentence_model(directory: Path, model: PreTrainedModel, pooling: str) -> Path:
    model.save_pretrained(directory)
    tokenizer().save(str(directory / "tokenizer.json"))
    modules(directory, "Transformer", "Pooling", "Normalize")
    write(directory / "sentence_bert_config.json", {"max_seq_length": CONTEXT})
    settings = {"embedding_dimension": model.config.hidden_size, "pooling_mode": pooling}
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
