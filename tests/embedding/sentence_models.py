"""Directories as sentence-transformers writes them, tiny, made without it and without torch."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

PACKAGE = "sentence_transformers.models."
MEAN = {"word_embedding_dimension": 8, "pooling_mode_mean_tokens": True}


def write(file: Path, value: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def modules(directory: Path, *named: str, package: str = PACKAGE) -> None:
    """modules.json with these: ``Pooling`` in ``1_Pooling``, and so on; the first at the top."""
    entries = [
        {"idx": i, "name": str(i), "path": f"{i}_{name}" if i else "", "type": package + name}
        for i, name in enumerate(named)
    ]
    write(directory / "modules.json", entries)


def settings(directory: Path, pooling: dict[str, Any] | None = None, **config: Any) -> Path:
    """The JSON files of a model of width 8 that takes the mean, and is of length 1."""
    modules(directory, "Transformer", "Pooling", "Normalize")
    write(directory / "config.json", {"model_type": "bert", "hidden_size": 8, **config})
    write(directory / "1_Pooling" / "config.json", MEAN if pooling is None else pooling)
    return directory


def dense(folder: Path, weight: np.ndarray, bias: np.ndarray | None = None, **config: Any) -> None:
    """A Dense of `weight` [out, in]."""
    outer, inner = weight.shape
    about = {"in_features": inner, "out_features": outer, "bias": bias is not None}
    write(folder / "config.json", about | config)
    tensors = {"linear.weight": weight.astype(np.float32)}
    if bias is not None:
        tensors["linear.bias"] = bias.astype(np.float32)
    save_file(tensors, folder / "model.safetensors")
