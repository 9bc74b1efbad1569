"""Are token ids of another vocabulary than the model's? Nothing in a request says so."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tunewright.embedding.embedder import Embedder
from tunewright.stepwise import Steps
from tunewright.vocabularies import Encoding, Vocabulary

OPENAI = "cl100k_base"
_JUMBLE = 3  # scripts in one request
_BESIDE = {"HIRAGANA", "KATAKANA", "HANGUL", "MODIFIER", "MASCULINE", "FEMININE", "MICRO", "?"}
_ALIKE = 0.9  # of the ids come again where their text is encoded; cut edges do not


@dataclass(frozen=True)
class OpenAIs:
    """Both ways of a vocabulary of OpenAI's, opened when they are first asked for."""

    vocabulary: Callable[[str], Vocabulary]
    encoding: Callable[[str], Encoding]


def look_foreign(given: Sequence[list[int]], embedder: Embedder, openais: OpenAIs) -> Steps[bool]:
    """Whether ids sent under a model's own name are OpenAI's, by steps: beyond its vocabulary, or a
    jumble of writings in it and plain text in OpenAI's. A few ids alone may pass for either."""
    together = Counter(id for ids in given for id in ids)
    beyond = max(together) >= embedder.vocabulary
    yield
    if len(together) < 2 or not (beyond or _writings(embedder.spelled(given)) >= _JUMBLE):
        return False
    yield
    vocabulary = openais.vocabulary(OPENAI)
    if not all(id in vocabulary for id in together):
        return False
    texts = [vocabulary.decode(ids) for ids in given]
    if beyond or _writings(texts) != 1:
        return beyond
    encode, again = openais.encoding(OPENAI).encode, Counter[int]()
    for text in texts:
        yield
        again.update(encode(text))
    return (again & together).total() >= _ALIKE * max(again.total(), together.total())


def _writings(texts: Iterable[str]) -> int:
    """How many scripts there are: Latin, Arabic, Bengali, ..."""
    letters = {letter for text in texts for letter in text if letter.isalpha()}
    found = {unicodedata.name(letter, "?").split(" ")[0] for letter in letters}
    return len(found - _BESIDE)
