"""Bringing home what an account has at OpenAI, or at another server that speaks its API."""

from tunewright.imports.archive import Archive
from tunewright.imports.fetch import Line, fetch
from tunewright.imports.plan import Plan, plan
from tunewright.imports.replay import Replay, replay
from tunewright.imports.source import OPENAI, Source, SourceError

__all__ = [
    "OPENAI",
    "Archive",
    "Line",
    "Plan",
    "Replay",
    "Source",
    "SourceError",
    "fetch",
    "plan",
    "replay",
]
