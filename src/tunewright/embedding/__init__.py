"""Text in, vectors out. Importing this package imports no engine."""

import os
from pathlib import Path

from tunewright import durable
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.embedder import Embedder
from tunewright.embedding.encoder import Encoder
from tunewright.embedding.modules import Pipeline
from tunewright.errors import BadRequest, Corrupt
from tunewright.registry import Registry
from tunewright.rendering.configuration import read_object

ENGINES = Registry(
    "embedding engine",
    "tunewright.embedders",
    {
        "onnx": "tunewright.embedding.onnx:OnnxEmbedder",
        "static": "tunewright.embedding.static:open_static",
        "torch": "tunewright.embedding.remote:TorchEmbedder",
        "transformer": "tunewright.embedding.transformer:TransformerEmbedder",
    },
    protocol=Embedder,
)


def open_embedder(
    directory: Path, *, verify: bool = True, encoder: Encoder | None = None
) -> Embedder:
    """Open the embedder that lies in `directory`, checked against its manifest by default.

    The engine, which is made of the directory, is what the manifest names, else `config.json`.
    encoder: what computes for the engine `torch`, and for `onnx` too where it has a GPU.

    Raises Corrupt where a file is missing or has changed, or where no package here has such an
    engine; BrokenPackage where that of another package cannot be used; OSError where no file can be
    opened at all.
    """
    if verify:
        durable.verify(directory)
    name = engine_of(directory, on_gpu=encoder is not None and encoder.on_gpu)
    try:
        ENGINES.load(name)
    except BadRequest as error:
        raise Corrupt(f"{directory} names the engine {name!r}. {error.message}") from error
    try:
        return ENGINES.make(name, directory, *((encoder,) if name == "torch" else ()))
    except BadRequest as error:  # of ours it is damage: it was added
        raise Corrupt(error.message) from error
    except Corrupt:
        with open(os.devnull):  # raises OSError where this process may open no more files
            raise


def _holds_weights(directory: Path, chosen: Chosen) -> bool:
    """Whether torch can load what the graph was made of, and gives the same vectors."""
    exact = chosen.precision == "exact"
    return exact and any(Pipeline.read(directory).transformer.glob("*.safetensors"))


def engine_of(directory: Path, *, on_gpu: bool = False) -> str:
    """What computes the model. Raises Corrupt where nothing names an engine."""
    if chosen := Chosen.read(directory):
        computed = on_gpu and chosen.engine == "onnx" and _holds_weights(directory, chosen)
        return "torch" if computed else chosen.engine
    configuration = directory / "config.json"
    if not configuration.is_file():
        raise Corrupt(f"{directory} has no config.json: it is not an embedder.")
    return str(read_object(configuration).get("engine"))
