"""A chat's stream while the engine embeds 2,048 inputs, and the reverse: what each costs the other.

One engine process. The stream is of a base of SmolLM2-135M's shape, the embeddings of a model of
all-MiniLM-L6-v2's shape (both with random weights, which take as long as trained ones). Rounds of:
the stream alone, the embeddings alone, both; medians of the rounds. What counts are the quotients.

    .venv/bin/python bench/streams_beside_embeddings.py [--inputs 2048] [--tokens 30] [--rounds 3]
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from machine import described
from serving_threads import make_base

from tunewright.embedding.encoder import Source
from tunewright.generation.generator import ModelSpec, Request
from tunewright.serving.client import Delta, EngineClient
from tunewright.serving.remote import EngineEncoder

MINILM = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 12,
    "max_position_embeddings": 512,
}


def make_encoder(directory: Path) -> None:
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    BertModel(BertConfig(**MINILM)).save_pretrained(directory)
    names = ("Transformer", "Pooling", "Normalize")
    listed = [
        {"path": f"{i}_{name}" if i else "", "type": f"sentence_transformers.models.{name}"}
        for i, name in enumerate(names)
    ]
    (directory / "modules.json").write_text(json.dumps(listed))
    (directory / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(pooling))


@dataclass
class Stream:
    """Tokens one after another until it is told to stop."""

    client: EngineClient
    model: ModelSpec
    gaps: list[float] = field(default_factory=list)  # seconds between two tokens
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, seconds: float | None = None) -> "Stream":
        end = time.monotonic() + (seconds or 1e9)
        while time.monotonic() < end and not self.stop.is_set():
            before = None
            request = Request(1, self.model, [1, 2, 3], 400, temperature=1.0)
            for event in self.client.generate(request):
                now = time.monotonic()
                if isinstance(event, Delta) and before is not None:
                    self.gaps.append(now - before)
                before = now
                if now > end or self.stop.is_set():
                    break
        return self


@dataclass(frozen=True)
class Round:
    alone: Sequence[float]  # gaps of the stream
    embedding: float  # seconds
    beside: Sequence[float]
    embedding_beside: float


def measured(
    client: EngineClient, model: ModelSpec, source: Source, inputs: list[list[int]]
) -> Round:
    encoder = EngineEncoder(client)

    def embed() -> float:
        began = time.monotonic()
        encoder.encode(source, inputs)
        return time.monotonic() - began

    alone = Stream(client, model).run(6).gaps
    embedding = embed()
    beside = Stream(client, model)
    thread = threading.Thread(target=beside.run)
    thread.start()
    time.sleep(1)
    beside.gaps.clear()
    embedding_beside = embed()
    beside.stop.set()
    thread.join()
    return Round(alone, embedding, beside.gaps, embedding_beside)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=2048)
    parser.add_argument("--tokens", type=int, default=30, help="of an input, on average")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    chosen = random.Random(1)
    inputs = [
        [chosen.randrange(1000, 30000) for _ in range(chosen.randint(4, 2 * options.tokens - 4))]
        for _ in range(options.inputs)
    ]
    with tempfile.TemporaryDirectory() as folder:
        base, encoder = Path(folder, "base"), Path(folder, "encoder")
        make_base(base)
        make_encoder(encoder)
        socket = Path(folder, "engine.sock")
        command = [sys.executable, "-m", "tunewright.serving", "--socket", str(socket)]
        with subprocess.Popen(
            [*command, "--watch-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as engine:
            assert engine.stdout is not None
            engine.stdout.readline()
            client = EngineClient(socket)
            model, source = ModelSpec("m", str(base)), Source(str(encoder))
            EngineEncoder(client).encode(source, inputs[:64])
            Stream(client, model).run(8)
            rounds = [measured(client, model, source, inputs) for _ in range(options.rounds)]
            client.close()
            engine.kill()
    report(rounds, sum(map(len, inputs)))


def report(rounds: Sequence[Round], tokens: int) -> None:
    def middle(values: Sequence[float]) -> float:
        return statistics.median(values)

    def late(gaps: Sequence[float]) -> float:
        return statistics.quantiles(gaps, n=20)[-1]

    alone, beside = (
        middle([middle(r.alone) for r in rounds]),
        middle([middle(r.beside) for r in rounds]),
    )
    print(f"{len(rounds)} rounds, {tokens:,} tokens in inputs. {described()}")
    print(
        f"stream alone:  a token in {1000 * alone:.0f} ms, 95 % within "
        f"{1000 * middle([late(r.alone) for r in rounds]):.0f} ms"
    )
    print(
        f"stream beside: a token in {1000 * beside:.0f} ms, 95 % within "
        f"{1000 * middle([late(r.beside) for r in rounds]):.0f} ms, the longest "
        f"{1000 * max(max(r.beside) for r in rounds):.0f} ms; "
        f"{middle([middle(r.beside) / middle(r.alone) for r in rounds]):.2f} times as long"
    )
    print(
        f"embeddings alone: {middle([r.embedding for r in rounds]):.1f} s, "
        f"beside: {middle([r.embedding_beside for r in rounds]):.1f} s; "
        f"{middle([r.embedding_beside / r.embedding for r in rounds]):.2f} times as long"
    )


if __name__ == "__main__":
    main()
