"""Token ids back to text while they come."""

from collections.abc import Collection, Iterable

from tokenizers import Tokenizer


class Detokenizer:
    """Text from the ids of one generation as they come.

    The pieces joined equal the decoding of all ids. A character split over several tokens is held
    back until it is whole; one that never becomes whole is dropped by `finish`. Special tokens
    give no text, but for those of `shown`.
    """

    def __init__(self, tokenizer: Tokenizer, shown: Collection[int] = ()) -> None:
        self._tokenizer = tokenizer
        added = tokenizer.get_added_tokens_decoder()
        self._special = {id for id, token in added.items() if token.special} - set(shown)
        self._ids: list[int] = []
        self._start = 0  # decoding begins here: the piece before gives the next its context
        self._seen = 0  # the text of the ids before this one has been given out

    def push(self, ids: Iterable[int]) -> str:
        """The text that `ids` complete, perhaps empty."""
        return "".join(self._add(id) for id in ids if id not in self._special)

    def finish(self) -> str:
        return self._give(self._pending().rstrip("\ufffd"))

    def _add(self, id: int) -> str:
        self._ids.append(id)
        text = self._pending()
        # A character has at most four bytes, so eight such tokens are bytes of no character.
        if text.endswith("\ufffd") and len(self._ids) - self._seen < 8:
            return ""
        return self._give(text)

    def _pending(self) -> str:
        before = self._decode(self._ids[self._start : self._seen])
        return self._decode(self._ids[self._start :])[len(before) :]

    def _give(self, text: str) -> str:
        if text:
            self._start, self._seen = self._seen, len(self._ids)
        return text

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=False)  # none but the shown are here
