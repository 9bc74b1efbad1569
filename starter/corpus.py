"""Reading the starter corpus, and the mix that the model is trained on."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson

from tunewright.rendering.templates import ChatTemplate

DEFAULT = Path("../shared/data/corpus")
SUMS = Path(__file__).with_name("corpus.sha256")
TEMPLATE = Path(__file__).parents[1] / "src/tunewright/builtin/chat/chat_template.jinja"
TEXTS = ("books", "stories", "articles", "textbooks")
CHATS = ("dialogues", "qa", "instructions", "templates")
MATH = "openai/grade-school-math"

# Shares of tokens inside each half of the mix. Worked sums are a source of their own: they are few,
# and the steps to an answer are seen often enough only when they are drawn more than their size.
TEXT_SHARES = {"books": 0.4, "stories": 0.1, "articles": 0.25, "textbooks": 0.25}
CHAT_SHARES = {"dialogues": 0.4, "qa": 0.2, "instructions": 0.1, "templates": 0.05, "math": 0.25}


class CorpusError(Exception):
    """A corpus file is missing or is not the one that this recipe was written for."""


def check(root: Path) -> None:
    """Compare every file with `corpus.sha256`, so that the same command trains on the same data."""
    for line in SUMS.read_text().splitlines():
        expected, name = line.split()
        path = root / name
        if not path.is_file():
            raise CorpusError(f"{path} is missing: pass the folder of the corpus with --corpus.")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                raise CorpusError(f"{path} has changed: its sha256 is not the one in {SUMS.name}.")


def records(root: Path, family: str, *, heldout: bool = False) -> Iterator[dict]:
    """The records of one family: {"text"} or {"messages"}, each with its "source"."""
    with gzip.open(root / f"{family}{'.heldout' if heldout else ''}.jsonl.gz", "rb") as file:
        for line in file:
            yield orjson.loads(line)


def template() -> ChatTemplate:
    return ChatTemplate(TEMPLATE.read_text())


def documents(root: Path, family: str, *, heldout: bool = False) -> Iterator[tuple[str, str]]:
    """(source name of the mix, rendered text) of every record."""
    chat = template()
    for record in records(root, family, heldout=heldout):
        if "messages" not in record:
            yield family, record["text"]
        else:
            name = "math" if record["source"] == MATH else family
            yield name, chat.render(record["messages"], answer=False)
