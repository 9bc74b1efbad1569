"""Vectors on the GPU: as fast as what, and are they the CPU's: ``python -m gpu.embeddings SHAPE``.

Random weights of a real model's shape, random inputs of 8 to 250 tokens. Said are: in what numbers
the engine chose to compute; tokens a second on the GPU (and of the CPU, of fewer inputs); the least
cosine similarity of the GPU's vectors with the CPU's in float32, and of an input alone with the
same input in a batch (both should be at least 0.9999); bytes of GPU memory at the most.
"""

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tunewright.encoders.encoder import Encoder
from tunewright.generation.progress import Progress

INPUTS, COMPARED = 2048, 32


def make(shape: str, directory: Path) -> None:
    """As sentence-transformers saves it."""
    from transformers import AutoModel

    torch.manual_seed(0)
    config, pooling = _config(shape)
    dtype = torch.bfloat16 if config.model_type == "qwen3" else torch.float32
    AutoModel.from_config(config, dtype=dtype).save_pretrained(directory)
    names = ("Transformer", "Pooling", "Normalize")
    listed = [
        {"path": f"{n}_{name}" if n else "", "type": f"sentence_transformers.models.{name}"}
        for n, name in enumerate(names)
    ]
    (directory / "modules.json").write_text(json.dumps(listed))
    (directory / "1_Pooling").mkdir()
    settings = {"word_embedding_dimension": config.hidden_size, "pooling_mode": pooling}
    (directory / "1_Pooling" / "config.json").write_text(json.dumps(settings))


def _config(shape: str) -> tuple[Any, str]:
    from transformers import BertConfig

    from gpu.bases import config_of

    if shape == "qwen3-embedding-0.6b":
        config = config_of("qwen3-0.6b")
        config.vocab_size = 151_669
        return config, "lasttoken"
    small = shape == "tiny"
    config = BertConfig(
        hidden_size=64 if small else 384,
        intermediate_size=128 if small else 1536,
        num_hidden_layers=2 if small else 6,
        num_attention_heads=4 if small else 12,
        vocab_size=1000 if small else 30522,
        max_position_embeddings=512,
    )
    return config, "mean"


def inputs(count: int, vocabulary: int) -> list[list[int]]:
    chosen = random.Random(1)
    return [
        [chosen.randrange(5, vocabulary) for _ in range(chosen.randint(8, 250))]
        for _ in range(count)
    ]


def computed(encoder: Encoder, asked: list[list[int]]) -> tuple[np.ndarray, float]:
    """Vectors [asked, d] and seconds."""
    rows: dict[int, np.ndarray] = {}
    began = time.perf_counter()
    for places in encoder.batches(asked):
        found = encoder.encode([asked[place] for place in places])
        rows |= dict(zip(places, found, strict=True))
    return np.stack([rows[place] for place in range(len(asked))]), time.perf_counter() - began


def least(one: np.ndarray, other: np.ndarray) -> float:
    return round(float(np.einsum("ij,ij->i", one, other).min()), 6)


def main() -> None:
    shape = sys.argv[1]
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        make(shape, directory)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        began = time.perf_counter()
        encoder = Encoder(directory, Progress(), device)
        found |= {"device": device.type, "dtype": str(encoder.dtype).removeprefix("torch.")}
        found["load_s"] = round(time.perf_counter() - began, 1)
        asked = inputs(INPUTS if device.type == "cuda" else COMPARED, encoder.vocabulary)
        computed(encoder, asked[: len(asked) // 4])  # kernels are chosen
        vectors, seconds = computed(encoder, asked)
        found["tokens_s"] = round(sum(map(len, asked)) / seconds)
        some = asked[:COMPARED]
        alone = np.concatenate([computed(encoder, [ids])[0] for ids in some])
        found["alone_as_in_a_batch"] = least(alone, vectors[:COMPARED])
        if device.type == "cuda":
            found["gpu_bytes"] = torch.cuda.max_memory_allocated()
        exact, seconds = computed(Encoder(directory, Progress(), torch.device("cpu")), some)
        found["cpu_tokens_s"] = round(sum(map(len, some)) / seconds)
        found["as_the_cpus"] = least(exact, vectors[:COMPARED])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
