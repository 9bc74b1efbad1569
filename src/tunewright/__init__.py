"""Tunewright: OpenAI's fine-tuning and embeddings API on your own machine.

from tunewright import Tunewright
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.app import Tunewright

__version__ = "0.1.0"
__all__ = ["Tunewright", "__version__"]


def __getattr__(name: str) -> Any:
    # On use, so that the trainer and the engine, which need no catalog, do not load one.
    if name == "Tunewright":
        from tunewright.app import Tunewright

        return Tunewright
    raise AttributeError(f"module 'tunewright' has no attribute {name!r}")
