"""A directory with an embedding model: its files are its engine's, which `config.json` names."""

from pathlib import Path

from tunewright import durable
from tunewright.embedding import ENGINES
from tunewright.errors import BadRequest
from tunewright.rendering.configuration import read_object

# Formats that run code when they are read.
_UNSAFE = {".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth", ".py"}


def names_engine(directory: Path) -> bool:
    """Whether `config.json` is of an embedding model in our form. Raises Corrupt where it is no
    JSON object."""
    return "engine" in read_object(directory / "config.json")


def unread() -> str:
    """Why one as sentence-transformers writes it is refused, and what can be done instead."""
    return (
        "Models in the format of sentence-transformers are not read yet. Use builtin-mini or "
        "builtin-static, or a folder whose config.json names an installed engine as `engine` "
        f"({', '.join(ENGINES.names())}). A package can bring an engine for another format "
        "(CONTRIBUTING.md)."
    )


def check(directory: Path) -> None:
    """Raises BadRequest for a directory that no engine here opens, or of which a file could not be
    kept."""
    if not names_engine(directory):
        raise BadRequest(
            f"{directory} cannot be added as an embedding model: its config.json names no "
            f"`engine`. Known: {', '.join(ENGINES.names())}. A package can bring one for another "
            "format (CONTRIBUTING.md).",
            param="source",
        )
    for path in filter(belongs, sorted(directory.iterdir())):
        if not path.is_file() or path.suffix in _UNSAFE:
            what = "in a format that can run code" if path.is_file() else "not a plain file"
            raise BadRequest(
                f"{path} is {what}. An embedding model is one folder of plain files: take this "
                "out, or convert the model.",
                param="source",
            )


def belongs(file: Path) -> bool:
    """Whether what lies in such a directory is of the model."""
    return not file.name.startswith(".") and file.name != durable.MANIFEST
