"""Bringing home what an account has at OpenAI, or at another server that speaks its API."""

from tunewright.evaluation.comparison import summary
from tunewright.imports.answers import Answered, Estimate, answers, estimates, spent
from tunewright.imports.archive import Archive
from tunewright.imports.asking import AskingSource
from tunewright.imports.comparing import Comparison, compare, last_comparison
from tunewright.imports.fetch import Line, fetch, follow
from tunewright.imports.plan import Plan, plan
from tunewright.imports.prices import Price, price_source
from tunewright.imports.regression import OldAnswer, regression_set
from tunewright.imports.replay import OUTPUT_TRAINING, Replay, replay
from tunewright.imports.source import OPENAI, Source, SourceError
from tunewright.imports.switch import Candidate, candidate, switch

__all__ = [
    "OPENAI",
    "OUTPUT_TRAINING",
    "Answered",
    "Archive",
    "AskingSource",
    "Candidate",
    "Comparison",
    "Estimate",
    "Line",
    "OldAnswer",
    "Plan",
    "Price",
    "Replay",
    "Source",
    "SourceError",
    "answers",
    "candidate",
    "compare",
    "estimates",
    "fetch",
    "follow",
    "last_comparison",
    "plan",
    "price_source",
    "regression_set",
    "replay",
    "spent",
    "summary",
    "switch",
]
