"""Tiny bases with a tokenizer of bytes and a chat template, tiny tasks, and a Report."""

import json
import multiprocessing
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GraniteConfig,
    LlamaConfig,
    PreTrainedConfig,
    Qwen3Config,
)

from tunewright.training.recipe import Recipe
from tunewright.training.report import Said

# Forked from a process that has imported torch: a fresh one needs 4-8 s for that.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tunewright.training.supervised"])

SPECIAL = ["<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
TEMPLATE = """
{%- for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor -%}
{%- if add_generation_prompt %}{{ '<|assistant|>' }}{% endif -%}"""

_SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 300,
    "max_position_embeddings": 512,
    "eos_token_id": 256,
    "bos_token_id": None,
    "pad_token_id": None,
}

CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**_SHAPE, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**_SHAPE, head_dim=16, tie_word_embeddings=False),
    "gpt2": GPT2Config(
        n_embd=64, n_layer=2, n_head=4, n_positions=512, vocab_size=300, eos_token_id=256
    ),
    # What they do after the head is easily lost: a soft cap, a scale.
    "gemma2": Gemma2Config(**_SHAPE, head_dim=16, sliding_window=16, final_logit_softcapping=2.0),
    "granite": GraniteConfig(**_SHAPE, logits_scaling=3.0),
}


def write_base(directory: Path, name: str, dtype: torch.dtype = torch.float32) -> Path:
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(CONFIGS[name]).to(dtype).save_pretrained(directory)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|end|>"}))
    (directory / "chat_template.jinja").write_text(TEMPLATE)
    return directory


def chat(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer, **more},
        ]
    }


def colours(count: int) -> list[dict[str, Any]]:
    """A task that a tiny model learns: the colour follows from the letter."""
    names = ("red", "green", "blue")
    return [chat(f"{'xyz'[i % 3]}{'!' * (i % 7)}", names[i % 3]) for i in range(count)]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


class Heard(list[Said]):
    """A Report that remembers."""

    def __call__(self, said: Said, /) -> None:
        self.append(said)

    def of(self, kind: type[Any]) -> list[Any]:
        return [said for said in self if isinstance(said, kind)]


def rates_as_follower(recipe: Recipe, folder: Path, meeting: Path, connection: Any) -> None:
    from tunewright.training.ranks import Ranks, joined
    from tunewright.training.speed import rates_of

    with joined(Ranks(1, 2), meeting) as ranks:
        connection.send(rates_of(recipe, folder, ranks, 1e9, torch.device("cpu"), Heard()))


def train_and_send(recipe: Recipe, folder: Path, connection: Any) -> None:
    from tunewright.training.supervised import train  # loaded already where this runs

    train(recipe, folder, connection.send)


def follow_without_memory(recipe: Recipe, folder: Path, meeting: Path, tokens: int) -> None:
    """Compute the other process's part; there, more than `tokens` do not fit."""
    from tunewright.training.loss import Objective
    from tunewright.training.ranks import Ranks, joined
    from tunewright.training.steps import follow

    real = Objective.run

    def run(self: Any, layout: Any, *given: Any) -> Any:
        if layout.ids.numel() > tokens:
            raise MemoryError
        return real(self, layout, *given)

    Objective.run = run
    with joined(Ranks(1, 2), meeting) as ranks:
        follow(recipe, folder, ranks)
