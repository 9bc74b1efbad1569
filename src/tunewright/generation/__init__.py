"""Token ids in, token ids out. Importing this package imports no torch."""

from importlib import import_module

from tunewright.errors import BadRequest, MissingExtra
from tunewright.generation.generator import Generator

# Dotted paths, imported on use: this is what keeps torch out of the API process.
GENERATORS = {"embedded": "tunewright.generation.embedded:EmbeddedGenerator"}


def open_generator(name: str = "embedded") -> Generator:
    """Import and make the generator called `name`.

    Raises BadRequest for a name that is not registered, MissingExtra where torch is absent.
    """
    if name not in GENERATORS:
        raise BadRequest(f"There is no generator '{name}'. Known: {', '.join(GENERATORS)}.")
    module, _, attribute = GENERATORS[name].partition(":")
    try:
        return getattr(import_module(module), attribute)()
    except ImportError as error:
        if (error.name or "").startswith("tunewright"):  # a fault of ours: no extra mends it
            raise
        raise MissingExtra(f"Generating text ({error.name} is not installed)", "train") from error
