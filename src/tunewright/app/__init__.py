"""Tunewright: what the library, the CLI, the API and the worker use."""

from tunewright.app.acting import Acting
from tunewright.app.platform import Tunewright

__all__ = ["Acting", "Tunewright"]
