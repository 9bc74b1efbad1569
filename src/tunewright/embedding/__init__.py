"""Text in, vectors out. Importing this package imports no engine."""

from pathlib import Path

from tunewright import durable
from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest, Corrupt
from tunewright.registry import Registry
from tunewright.rendering.configuration import read_object

ENGINES = Registry(
    "embedding engine",
    "tunewright.embedders",
    {
        "static": "tunewright.embedding.static:StaticEmbedder",
        "transformer": "tunewright.embedding.transformer:TransformerEmbedder",
    },
    protocol=Embedder,
)


def open_embedder(directory: Path, *, verify: bool = True) -> Embedder:
    """Open the embedder that lies in `directory`, checked against its manifest by default.

    `config.json` names the engine, which is made of the directory. Raises Corrupt where a file is
    missing or has changed, or where no package here has such an engine; BrokenPackage where that of
    another package cannot be used.
    """
    if verify:
        durable.verify(directory)
    configuration = directory / "config.json"
    if not configuration.is_file():
        raise Corrupt(f"{directory} has no config.json: it is not an embedder.")
    name = read_object(configuration).get("engine")
    try:
        return ENGINES.make(str(name), directory)
    except BadRequest as error:
        raise Corrupt(f"{configuration} names the engine {name!r}. {error.message}") from error
