"""Token ids in, token ids out. Importing this package imports no torch."""

import importlib.util

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


def lacks_torch(name: str) -> bool:
    """Whether the generator called `name` is ours and torch is absent. Imports nothing; what
    another package's generator needs, it says itself when it is opened."""
    return name in GENERATORS.own and importlib.util.find_spec("torch") is None
