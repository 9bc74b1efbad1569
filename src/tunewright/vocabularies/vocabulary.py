"""Token ids of a vocabulary of OpenAI's, back into text."""

from collections.abc import Sequence
from pathlib import Path

from tunewright.errors import BadRequest
from tunewright.vocabularies.finding import absent, find, ranks
from tunewright.vocabularies.published import PUBLISHED


class Vocabulary:
    def __init__(self, name: str, content: bytes) -> None:
        """`content`: of its file. Raises Corrupt where that is no vocabulary."""
        self._bytes = {id: token for token, id in ranks(name, content).items()}
        self._bytes |= {id: text.encode() for text, id in PUBLISHED[name].special.items()}

    def __contains__(self, id: int) -> bool:
        return id in self._bytes

    def decode(self, ids: Sequence[int]) -> str:
        """The text of known ids. A character of which a part was cut off becomes U+FFFD."""
        return b"".join(self._bytes[id] for id in ids).decode("utf-8", errors="replace")


def open_vocabulary(name: str, own: Path) -> Vocabulary:
    """Raises BadRequest saying where the file is looked for, if this machine has none."""
    content = find(name, own)
    if content is None:
        raise BadRequest(
            f"These token ids are of OpenAI's. {absent(name)} Or send the text instead of its "
            "token ids.",
            param="input",
            code="vocabulary_unavailable",
        )
    return Vocabulary(name, content)
