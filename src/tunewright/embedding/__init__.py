"""Text in, vectors out. Importing this package imports no engine."""

from importlib import import_module
from pathlib import Path

from tunewright import durable
from tunewright.embedding.embedder import Embedder
from tunewright.errors import Corrupt

# Dotted paths, imported on use: an engine's libraries load only where its model is opened.
ENGINES = {
    "static": "tunewright.embedding.static:StaticEmbedder",
    "transformer": "tunewright.embedding.transformer:TransformerEmbedder",
}


def open_embedder(directory: Path) -> Embedder:
    """Open the embedder that lies in `directory`, checked against its manifest.

    `config.json` names the engine. Raises Corrupt where a file is missing or has changed, or where
    this version has no such engine.
    """
    durable.verify(directory)
    configuration = directory / "config.json"
    if not configuration.is_file():
        raise Corrupt(f"{directory} has no config.json: it is not an embedder.")
    name = durable.read_json(configuration).get("engine")
    if name not in ENGINES:
        raise Corrupt(f"{configuration} names the engine {name!r}. Known: {', '.join(ENGINES)}.")
    module, _, attribute = ENGINES[name].partition(":")
    return getattr(import_module(module), attribute)(directory)
