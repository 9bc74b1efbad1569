"""Bases with random weights and a real one's shape: ``python -m gpu.bases SHAPE DIRECTORY``.

Their tokenizer is the built-in base's, whose ids are all below 8,192: the head computes its whole
vocabulary all the same.
"""

import shutil
import sys
from pathlib import Path

from tunewright import builtin

SHAPES = ("tiny", "smollm2-135m", "qwen3-0.6b")
_TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def write(shape: str, directory: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = AutoModelForCausalLM.fromconfig_of(config_of(shape), dtype=torch.bfloat16)
    model.save_pretrained(directory)
    for name in _TOKENIZER:
        shutil.copy(builtin.CHAT / name, directory)


def config_of(shape: str):
    from transformers import LlamaConfig, Qwen3Config

    if shape == "qwen3-0.6b":
        return Qwen3Config(
            hidden_size=1024,
            intermediate_size=3072,
            num_hidden_layers=28,
            num_attention_heads=16,
            num_key_value_heads=8,
            head_dim=128,
            vocab_size=151936,
            max_position_embeddings=40960,
            tie_word_embeddings=True,
        )
    small = shape == "tiny"
    return LlamaConfig(
        hidden_size=64 if small else 576,
        intermediate_size=128 if small else 1536,
        num_hidden_layers=2 if small else 30,
        num_attention_heads=4 if small else 9,
        num_key_value_heads=2 if small else 3,
        vocab_size=8192 if small else 49152,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
    )


if __name__ == "__main__":
    write(sys.argv[1], Path(sys.argv[2]))
