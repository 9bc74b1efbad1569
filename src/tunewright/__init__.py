"""Tunewright: OpenAI's fine-tuning and embeddings API on your own machine.

from tunewright import Tunewright
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.app import Tunewright

__version__ = "0.1.0"
__all__ = ["Tunewright", "__version__", "num_tokens_from_string"]


def num_tokens_from_string(string: str, encoding_name: str) -> int:
    """Tokens of `string` in one of OpenAI's encodings, such as ``cl100k_base``.

    Needs the extra `tiktoken` and the vocabulary's file on this machine: in the home, or where
    tiktoken keeps it. Raises BadRequest where there is none; never looks for a network.
    """
    from tunewright.home import Home
    from tunewright.settings import Settings
    from tunewright.vocabularies import count

    return count(string, encoding_name, Home(Settings.read().home).vocabularies)


def __getattr__(name: str) -> Any:
    # On use, so that the trainer and the engine, which need no catalog, do not load one.
    if name == "Tunewright":
        from tunewright.app import Tunewright

        return Tunewright
    raise AttributeError(f"module 'tunewright' has no attribute {name!r}")
