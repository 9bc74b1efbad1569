"""Token ids in, token ids out. Importing this package imports no torch."""

from tunewright.generation.generator import Generator
from tunewright.registry import Registry

GENERATORS = Registry(
    "generator",
    "tunewright.generators",
    {"embedded": "tunewright.generation.embedded:EmbeddedGenerator"},
    needs=("Generating text", "train"),
    protocol=Generator,
)


def open_generator(name: str = "embedded") -> Generator:
    """Import and make the generator called `name`.

    Raises BadRequest for a name that nobody has, MissingExtra where torch is absent, BrokenPackage
    where another package's cannot be used.
    """
    return GENERATORS.make(name)
