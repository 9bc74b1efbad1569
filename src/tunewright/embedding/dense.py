"""A Dense module of sentence-transformers: its settings and weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding import tensors
from tunewright.errors import BadRequest
from tunewright.rendering.configuration import read_object

Floats = NDArray[np.float32]
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "Sigmoid", "GELU", "SiLU")


@dataclass(frozen=True, eq=False)
class Dense:
    """activation(weight @ x + bias), with the input, or its projection, on top where there is a
    `residual`."""

    weight: Floats  # [out, in]
    bias: Floats | None  # [out]
    activation: str  # of ACTIVATIONS
    residual: Floats | None = None  # [out, in]

    @classmethod
    def read(cls, folder: Path, width: int | None) -> "Dense":
        """width: of what it is given. Raises BadRequest for settings and weights that are not
        supported, or do not fit each other or the width."""
        return _read(folder, width)


def unsupported(message: str) -> BadRequest:
    return BadRequest(message, param="source", code="unsupported_model")


def refuse_token_vectors(folder: Path, name: str) -> None:
    """Raises BadRequest where a module is for the vectors of tokens, not of texts."""
    file = folder / "config.json"
    config = read_object(file)
    names = [config.get("module_input_name"), config.get("module_output_name")]
    if other := [name for name in names if name not in (None, "sentence_embedding")]:
        raise unsupported(
            f"{file}: {name} is for {other[0]!r}. Only those for 'sentence_embedding' are "
            "supported."
        )


def _read(folder: Path, width: int | None) -> Dense:
    config = read_object(folder / "config.json")
    refuse_token_vectors(folder, "Dense")
    named = config.get("activation_function", "torch.nn.modules.activation.Tanh")
    activation = str(named).rpartition(".")[2]
    if not str(named).startswith("torch.nn.") or activation not in ACTIVATIONS:
        raise unsupported(
            f"{folder / 'config.json'}: the activation {named!r} is not supported. Supported: "
            f"{', '.join(ACTIVATIONS)}."
        )
    held = _tensors(folder)
    inner, outer = config.get("in_features"), config.get("out_features")
    weight = _of_shape(folder, held, "linear.weight", (outer, inner))
    bias = config.get("bias", True) is not False
    if width not in (None, inner):
        raise unsupported(
            f"{folder / 'config.json'}: Dense takes vectors of {inner} components, but what comes "
            f"before it gives {width}. These files are not of one model."
        )
    return Dense(
        weight,
        _of_shape(folder, held, "linear.bias", (outer,)) if bias else None,
        activation,
        _residual(folder, held, config) if config.get("use_residual") is True else None,
    )


def _residual(folder: Path, held: dict[str, Floats], config: Mapping[str, Any]) -> Floats:
    shape = config["out_features"], config["in_features"]
    if shape[0] == shape[1]:
        return np.eye(shape[0], dtype=np.float32)
    return _of_shape(folder, held, "residual.weight", shape)


def _tensors(folder: Path) -> dict[str, Floats]:
    file = folder / "model.safetensors"
    if not file.is_file():
        raise unsupported(
            f"{folder} has no model.safetensors. Only weights in safetensors are read: the other "
            "formats can run code."
        )
    return {name: array.astype(np.float32) for name, array in tensors.read(file).items()}


def _of_shape(
    folder: Path, held: dict[str, Floats], name: str, shape: tuple[object, ...]
) -> Floats:
    file = folder / "model.safetensors"
    if name not in held:
        raise unsupported(f"{file} holds no {name}. It is not the file of this module.")
    found = held[name]
    if found.shape != shape:
        raise unsupported(
            f"{file}: {name} is {list(found.shape)}, but its config.json says {list(shape)}."
        )
    if not np.isfinite(found).all():
        raise unsupported(f"{file}: {name} holds values that are not numbers (NaN or infinite).")
    return found
