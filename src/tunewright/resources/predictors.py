"""Saved predictors: one .safetensors file each, with all that is said of it as JSON in its header.

A predictor knows by which embedding model its vectors were made, and takes no others: vectors of
another model have other meanings in the same places.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tunewright import durable
from tunewright.errors import BadRequest

if TYPE_CHECKING:
    from tunewright.analysis.predictor import Predictor

ENDING = ".safetensors"
_KEY = "tunewright.predictor"
_FORMAT = 1


@dataclass(frozen=True)
class SavedPredictor:
    """`predicts`: the column that it learned. `model`, `fingerprint`: of the vectors. `columns`,
    `template`, `prompt_name`: how texts are made of a table's rows. `rows`: that it learned from;
    `measured`: how good it was by cross-validation."""

    predictor: "Predictor"
    predicts: str
    model: str
    fingerprint: str
    columns: tuple[str, ...] = ()
    template: str | None = None
    prompt_name: str | None = None
    rows: int = 0
    measured: Mapping[str, float] = field(default_factory=dict)

    def check(self, model: str | None, fingerprint: str | None, dimensions: int) -> None:
        """Raises BadRequest for vectors of another embedding model."""
        if fingerprint == self.fingerprint and dimensions == self.predictor.dimensions:
            return
        theirs = f"the fingerprint {fingerprint[:12]}" if fingerprint else "no known fingerprint"
        raise BadRequest(
            f"The predictor takes vectors of {self.model} with the fingerprint "
            f"{self.fingerprint[:12]} and {self.predictor.dimensions} dimensions; these are of "
            f"{model or 'a model that is not named'} with {theirs} and {dimensions} dimensions. "
            f"Embed the texts by {self.model}, or learn a predictor from these vectors.",
            param="model",
        )


@dataclass(frozen=True)
class Predictions:
    """Of n rows: `labels` with the `confidence` in each, or `numbers`; what it is not is None."""

    labels: tuple[str, ...] | None
    confidence: NDArray[np.float64] | None
    numbers: NDArray[np.float64] | None


def predictions(saved: SavedPredictor, vectors: NDArray[np.float32]) -> Predictions:
    """Of vectors [n, d] of the predictor's model, for which there must have been a `check`."""
    if not saved.predictor.labels:
        return Predictions(None, None, saved.predictor.numbers(vectors))
    confidence = saved.predictor.confidence(vectors)  # [n, c]
    found = confidence.argmax(axis=1)
    labels = tuple(saved.predictor.labels[at] for at in found)
    return Predictions(labels, confidence[np.arange(len(found)), found], None)


def check_output(output: Path, *, overwrite: bool) -> None:
    """Raises BadRequest for a predictor that cannot be written here."""
    if output.suffix.lower() != ENDING:
        raise BadRequest(f"{output}: expected a name ending in {ENDING}.", param="save")
    folder = output.absolute().parent
    if not folder.is_dir():
        raise BadRequest(f"There is no folder {folder}.", param="save")
    if output.is_dir():
        raise BadRequest(f"{output} is a folder. Name a file in it.", param="save")
    if output.exists() and not overwrite:
        raise BadRequest(
            f"{output} exists already. Name another file, or replace it with --overwrite "
            "(overwrite=True).",
            param="save",
            code="output_exists",
        )


def save(output: Path, saved: SavedPredictor) -> None:
    from safetensors.numpy import save as packed

    arrays = {name: np.ascontiguousarray(one) for name, one in saved.predictor.arrays().items()}
    said = {
        "format": _FORMAT,
        "predicts": saved.predicts,
        "model": saved.model,
        "fingerprint": saved.fingerprint,
        "columns": list(saved.columns),
        "template": saved.template,
        "prompt_name": saved.prompt_name,
        "rows": saved.rows,
        "measured": dict(saved.measured),
        "predictor": saved.predictor.facts(),
    }
    header = said | {"sha256": _sha256(said, arrays)}
    durable.write_bytes(output.absolute(), packed(arrays, {_KEY: orjson.dumps(header).decode()}))


def load(path: Path) -> SavedPredictor:
    """Raises BadRequest for what is no predictor, or one that has changed since it was saved."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise BadRequest(f"There is no predictor {path}.", param="predictor")
    try:
        with safe_open(path, framework="np") as file:
            header = (file.metadata() or {}).get(_KEY)
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
        said = orjson.loads(header or "null")
    except (SafetensorError, orjson.JSONDecodeError, OSError) as error:
        raise _none(path) from error
    if not isinstance(said, dict):
        raise _none(path)
    if said.get("format") != _FORMAT:
        raise BadRequest(
            f"{path} has the format {said.get('format')}, and this version reads {_FORMAT}: it was "
            "saved by another version. Save it anew with `tunewright explore classify`.",
            param="predictor",
        )
    if said.pop("sha256", None) != _sha256(said, arrays):
        raise BadRequest(
            f"{path} has changed since it was saved (sha256 differs).", param="predictor"
        )
    return _restored(path, said, arrays)


def _restored(path: Path, said: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> SavedPredictor:
    from tunewright.analysis.predictor import restored

    try:
        predictor = restored(arrays, said["predictor"])
        if not (math.isfinite(predictor.temperature) and predictor.temperature > 0):
            raise ValueError("temperature")
        return SavedPredictor(
            predictor,
            str(said["predicts"]),
            str(said["model"]),
            str(said["fingerprint"]),
            tuple(map(str, said["columns"])),
            said["template"],
            said["prompt_name"],
            int(said["rows"]),
            dict(said["measured"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(f"{path} is not a whole predictor: {error}.", param="predictor") from error


def _none(path: Path) -> BadRequest:
    return BadRequest(
        f"{path} is not a predictor. Save one with: tunewright explore classify TABLE --label "
        f"COLUMN --save NAME{ENDING}",
        param="predictor",
    )


def _sha256(said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS))
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
