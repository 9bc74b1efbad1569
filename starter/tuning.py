"""Tuning a starter for its own evaluation, by the trainer that the product uses."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import torch

from tunewright.dataset.examples import ChatExample
from tunewright.durable import write_bytes
from tunewright.rendering import Renderer, Row
from tunewright.training.recipe import Recipe
from tunewright.training.supervised import train
from tunewright.weights.base import load_base

Chat = list[dict[str, Any]]


def tune(base: Path, chats: Sequence[Chat], folder: Path, **hyperparameters: Any) -> Path:
    """The directory of `base` tuned on `chats`, all weights; `folder` is filled on the way."""
    rows = b"".join(orjson.dumps({"messages": chat}) + b"\n" for chat in chats)
    write_bytes(folder / "rows.jsonl", rows)
    recipe = Recipe(
        base=base,
        base_name="starter",
        kind="chat",
        training_file=folder / "rows.jsonl",
        adaptation="full",
        **hyperparameters,
    )
    train(recipe, folder, lambda _: None)
    return folder / "model"


class Scorer:
    """Natural-log probabilities that a model gives to answers, in float32."""

    def __init__(self, model: Path) -> None:
        self._renderer = Renderer.load(model, chat=True)
        self._network = load_base(model, dtype=torch.float32)

    def row(self, chat: Chat) -> Row:
        """The ids of a chat's last turn, an assistant's, as training takes them."""
        return self._renderer.rows(ChatExample(chat), 1)[-1]

    @torch.inference_mode()
    def logprobs(self, row: Row) -> list[float]:
        """One for each token of the row's answer."""
        ids = torch.tensor([[*row.prompt, *row.answer]])
        logits = self._network(input_ids=ids).logits[0, len(row.prompt) - 1 : -1]
        found = logits.log_softmax(-1)[range(len(row.answer)), row.answer]
        return found.tolist()
