"""Chats to learn, made of this checkout's own documents: nothing else is needed."""

import itertools
import json
from pathlib import Path
from typing import Any

from training.work import SYSTEM

BATCH = 16
_DOCUMENTS = sorted(Path(__file__).resolve().parents[2].glob("**/*.md"))
_LEAST, _MOST = 80, 400  # characters of a paragraph


def rows(task: str, count: int) -> list[dict[str, Any]]:
    """shared: a system prompt of some 220 tokens, a paragraph, and one word for an answer.
    apart: a paragraph, answered by the next one."""
    if task == "shared":
        return [_chat(SYSTEM, text, "positive") for text in _paragraphs(count)]
    said = _paragraphs(2 * count)
    return [_chat("", *pair) for pair in zip(said[::2], said[1::2], strict=True)]


def write(task: str, count: int, file: Path) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows(task, count)))


def _paragraphs(count: int) -> list[str]:
    parts = (part for file in _DOCUMENTS for part in file.read_text().split("\n\n"))
    whole = [part[:_MOST] for part in parts if len(part) >= _LEAST]
    return list(itertools.islice(itertools.cycle(whole), count))


def _chat(system: str, question: str, answer: str) -> dict[str, Any]:
    said = [("user", question), ("assistant", answer)]
    first = [("system", system)] if system else []
    return {"messages": [{"role": role, "content": text} for role, text in [*first, *said]]}
