"""Whether an ONNX graph gives the vectors that torch gives, and tokenizer.json the tokens that
transformers' own tokenizer gives."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel

from tunewright.converting.exporting import export
from tunewright.converting.texts import texts
from tunewright.embedding.onnx import OnnxEmbedder
from tunewright.embedding.piped import OfPipeline
from tunewright.embedding.pooling import pooled
from tunewright.encoders.backbone import hidden_states, load_backbone
from tunewright.errors import Corrupt, TunewrightError

_BATCH = 8  # texts of a batch of the graph's: padded, as when it is served


class TorchEmbedder(OfPipeline):
    """By torch, each text alone: what others are measured by."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.model = load_backbone(self.pipeline.transformer)
        self.declare(self.computed([[*self.first, self.vocabulary - 1, *self.last]], [0]).shape[1])

    @torch.no_grad()
    def computed(self, rows: list[list[int]], skips: list[int]) -> NDArray[np.float32]:
        return np.concatenate(list(map(self._one, rows, skips)))

    def _one(self, ids: list[int], skip: int) -> NDArray[np.float32]:
        rows = torch.tensor([ids])  # [1, time]
        mask = torch.ones_like(rows)
        try:
            hidden = hidden_states(self.model, rows, mask).float()
        except IndexError as error:
            raise Corrupt(
                f"{self.pipeline.directory}: tokenizer.json has ids up to {self.vocabulary - 1:,}, "
                "and the weights have no row for them. Use the tokenizer and the weights of the "
                "same model."
            ) from error
        return pooled(hidden.numpy(), mask.numpy(), self.pipeline, skip)


def compared(directory: Path, graph: str) -> dict[str, Any]:
    """`cosine`: the least of the texts; None, with `reason`, where there is no graph to be had.
    `tokens`: whether transformers gives the same ids. Raises Corrupt or BadRequest for a model that
    torch cannot load, or whose vectors are no numbers."""
    reference = TorchEmbedder(directory)
    sentences = texts(reference.declared.context)
    found: dict[str, Any] = {
        "dimensions": reference.dimensions,
        "context": reference.declared.context,
        "sentences": len(sentences),
        "tokens": _same_tokens(reference, sentences),
        "exported": not (directory / graph).exists(),
    }
    vectors = _vectors(reference, sentences)
    if not np.isfinite(vectors).all():
        raise Corrupt(f"{directory} gives vectors that are not numbers (NaN or infinite).")
    try:
        if found["exported"]:
            _exported(reference.model, directory / graph)
        others = _vectors(OnnxEmbedder(directory), sentences)
    except Exception as error:  # what ONNX Runtime raises has no common root
        return found | {"cosine": None, "reason": _reason(error)}
    if others.shape != vectors.shape:
        return found | {"cosine": None, "reason": f"it gives {others.shape[1]} components"}
    least = float(np.einsum("ij,ij->i", vectors, others).min())
    return found | {"cosine": least if np.isfinite(least) else 0.0}


def _reason(error: Exception) -> str:
    if isinstance(error, TunewrightError):
        return " ".join(error.message.split())
    return " ".join(f"it cannot be run ({type(error).__name__}: {error}".split())[:300] + ")"


def _exported(model: PreTrainedModel, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    export(model, file)


def _vectors(embedder: OfPipeline, sentences: list[str]) -> NDArray[np.float32]:
    """[texts, d], the long beside the short."""
    ids = embedder.tokenize(sentences)
    most = embedder.declared.context
    batches = [[each[:most] for each in ids[at : at + _BATCH]] for at in range(0, len(ids), _BATCH)]
    return np.concatenate([embedder.embed_tokens(batch) for batch in batches])


def _same_tokens(embedder: OfPipeline, sentences: list[str]) -> bool | None:
    """None where transformers cannot open the tokenizer."""
    try:
        theirs = AutoTokenizer.from_pretrained(embedder.pipeline.transformer, local_files_only=True)
        found = [theirs(text, truncation=False)["input_ids"] for text in sentences]
    except Exception:  # somebody else's files, by somebody else's code
        return None
    ours = embedder.tokenize(sentences)
    return found == [[*embedder.first, *ids, *embedder.last] for ids in ours]
