"""What every contender is given: a base, rows to learn, rows held out."""

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright import builtin

SYSTEM = """\
You read reviews that customers of a shop for food and drink have written. Decide whether the writer
of the review was pleased with what was bought. Answer with one word: positive or negative. Pleased
means that the writer would buy it again or tells others to buy it. Not pleased means that the
writer is sorry to have bought it, sends it back or warns others. Judge only what the writer says
about the product itself: how it tastes, how fresh it is, how it is packed, what it costs and
whether it is what was promised. Leave aside what the writer says about the post, about the shop or
about other products. Where the writer praises one thing and complains about another, decide by what
the writer would do the next time. Do not explain the answer, do not ask questions, do not repeat
the review and do not write anything but the one word, in small letters and without a full stop."""
TUTOR = """\
You are a patient teacher of arithmetic for children. Work the problem out step by step, write each
step on a line of its own, and end with a line that has four number signs and the result alone. Use
plain words, and check each step before you write the next one."""


@dataclass(frozen=True)
class Work:
    """seed: of adapters and shuffle. threads: that torch may use, or None for the trainer's own
    choice."""

    base: Path
    train: list[dict[str, Any]]
    valid: list[dict[str, Any]]
    epochs: int
    seed: int
    threads: int | None


def _chat(system: str, question: str, answer: str) -> dict[str, Any]:
    said = [("user", question), ("assistant", answer)]
    first = [("system", system)] if system else []
    return {"messages": [{"role": role, "content": text} for role, text in [*first, *said]]}


def reviews(data: Path) -> list[dict[str, Any]]:
    with (data / "fine_food_reviews_1k.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["Score"] != "3"]
    mood = ("negative", "positive")
    return [_chat(SYSTEM, r["Text"][:400], mood[int(r["Score"]) > 3]) for r in rows]


def gsm8k(data: Path) -> list[dict[str, Any]]:
    return _worked(data, TUTOR)


def apart(data: Path) -> list[dict[str, Any]]:
    return _worked(data, "")


def _worked(data: Path, system: str) -> list[dict[str, Any]]:
    rows = map(json.loads, (data / "gsm8k_train.jsonl").read_text().splitlines())
    return [_chat(system, row["question"], row["answer"]) for row in rows]


TASKS = {"reviews": reviews, "gsm8k": gsm8k, "apart": apart}


def samples(base: Path, rows: list[dict[str, Any]], folder: Path) -> list[Any]:
    from tunewright.rendering import Renderer
    from tunewright.training.examples import read

    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read(file, Renderer.load(base, chat=True), "chat").all


def write_135m(directory: Path) -> None:
    """SmolLM2-135M's shape with random weights, and the built-in base's tokenizer and template."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        vocab_size=49152,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        rope_theta=1e5,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(builtin.CHAT / name, directory)
