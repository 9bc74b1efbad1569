"""Small data sets that ship with Tunewright, for first runs, demos and tests.

All of it was written by the Tunewright project; `README.md` in this folder says what
each file holds. These are plain paths: nothing is read when this module is imported.
"""

from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent

CHATS: Final = _HERE / "sarcastic.jsonl"
"""120 chats in one character's voice, to fine-tune a chat model on."""

VALIDATION: Final = _HERE / "sarcastic_valid.jsonl"
"""12 more chats in that voice, with other questions."""

QUESTIONS: Final = _HERE / "questions.json"
"""The system message, 20 unseen questions with what is right, and what counts as the manner, to
compare a model before and after tuning."""

SUPPORT: Final = _HERE / "support.jsonl"
"""60 support messages in four languages, each sorted into a JSON object."""

SUPPORT_HELD_OUT: Final = _HERE / "support_held_out.jsonl"
"""20 more, to compare a model before and after tuning."""

REVIEWS: Final = _HERE / "reviews.csv"
"""40 product reviews (id, product, stars, text), for embeddings and search."""

COMPLETIONS: Final = _HERE / "completions.jsonl"
"""24 prompt/completion pairs, product to slogan, for a completion model."""
