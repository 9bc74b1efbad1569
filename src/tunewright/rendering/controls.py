"""Control tokens, and text that only looks like them."""

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from tokenizers import Tokenizer

from tunewright.errors import BadRequest
from tunewright.rendering.encoding import Cuts, Growing, ids_of

_NONCHARACTERS = [chr(code) for code in range(0xFDD0, 0xFDF0)]  # Unicode: never for interchange
_PRIVATE_PLANES = range(0xF0000, 0xFFFFE)


class Marks:
    """Two characters, absent from the texts at hand, that fence what must stay text."""

    def __init__(self, texts: Iterable[str]) -> None:
        taken = set[str]().union(*texts)
        free = (c for c in (*_NONCHARACTERS, *map(chr, _PRIVATE_PLANES)) if c not in taken)
        self.open, self.close = next(free), next(free)


class Controls:
    """The control tokens of a tokenizer, and the encoding of text that spells one of them.

    Text is fenced before it is rendered, so that templates may trim, split and repeat it; in the
    rendering, fenced spellings are text and all others are the tokens they name.
    """

    def __init__(self, tokenizer: Tokenizer, ids: Mapping[str, int]) -> None:
        self._tokenizer = tokenizer
        self._ids = dict(ids)
        longest_first = sorted(ids, key=len, reverse=True)
        self._any = "|".join(map(re.escape, longest_first)) or r"(?!)"
        self._pattern = re.compile(self._any)
        # A message that ends with "<|im_" and a template that goes on with "end|>" would make one.
        self._heads = tuple({word[:size] for word in ids for size in range(1, len(word))})
        self._tails = tuple({word[size:] for word in ids for size in range(1, len(word))})

    def near(self, text: str) -> bool:
        """Whether `text` spells a control token, or could be a part of one at either end."""
        return self.spelled(text) or self._open_ended(text)

    def spelled(self, text: str) -> bool:
        return bool(self._pattern.search(text))

    def fence(self, text: str, marks: Marks) -> str:
        fenced = self._pattern.sub(lambda found: marks.open + found[0] + marks.close, text)
        return marks.close + fenced + marks.close if self._open_ended(text) else fenced

    def encode(self, rendered: str, marks: Marks | None) -> list[int]:
        """Without marks, one pass over the plain text, as transformers does."""
        if marks is None:
            return ids_of(self._tokenizer, rendered)
        return ids_of(self._private, self._named(rendered, marks))

    def encoding(self, marks: Marks | None) -> Callable[[str], list[int]]:
        """`encode`, for renderings that go on from each other."""
        if marks is None:
            return Growing(self._tokenizer, self._cuts).encode
        growing = Growing(self._private, Cuts(self._private))
        return lambda rendered: growing.encode(self._named(rendered, marks))

    @cached_property
    def _cuts(self) -> Cuts:
        return Cuts(self._tokenizer)

    def _named(self, rendered: str, marks: Marks) -> str:
        """With private names for the control tokens, and what is fenced as it is."""

        def name(found: re.Match[str]) -> str:
            if found[0][0] in (marks.open, marks.close):
                return found[1] or ""
            return self._private_name(found[0])

        fenced = f"{marks.open}({self._any}){marks.close}"
        pattern = f"{fenced}|[{marks.open}{marks.close}]|{self._any}"
        return re.sub(pattern, name, rendered)

    def encode_text(self, text: str, *, special: bool) -> list[int]:
        """Ids of a text in which nothing is a control token; `special` adds the tokenizer's own."""
        tokenizer = self._private if self._pattern.search(text) else self._tokenizer
        return ids_of(tokenizer, text, special=special)

    def _open_ended(self, text: str) -> bool:
        return text.endswith(self._heads) or text.startswith(self._tails)

    @cached_property
    def _secret(self) -> str:
        return secrets.token_hex(8)  # so that no message can spell a private name

    def _private_name(self, word: str) -> str:
        return f"{_NONCHARACTERS[0]}{self._secret}.{self._ids[word]}{_NONCHARACTERS[1]}"

    @cached_property
    def _private(self) -> Tokenizer:
        """The same tokenizer with its control tokens under names that no text can spell.

        Turning special tokens off while encoding is not enough: a vocabulary may hold ``</s>`` as
        a piece too (Unigram, ignore_merges). And encoding in pieces would lose the merges, and gain
        the word prefixes, at the borders of the pieces. Renaming does neither.
        """
        names = {word: self._private_name(word) for word in self._ids}
        tokenizer = Tokenizer.from_str(_renamed(self._tokenizer.to_str(), names))
        if any(tokenizer.token_to_id(name) != self._ids[word] for word, name in names.items()):
            raise BadRequest("This model's tokenizer cannot keep the spelling of a token as text.")
        return tokenizer


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys too: templates print tools and arguments as JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def fenced(value: Any, controls: Controls, marks: Marks) -> Any:
    """A JSON value with every text in it fenced."""
    if isinstance(value, str):
        return controls.fence(value, marks)
    if isinstance(value, Mapping):
        fence = controls.fence
        return {fence(k, marks): fenced(v, controls, marks) for k, v in value.items()}
    return [fenced(v, controls, marks) for v in value] if isinstance(value, list) else value


def _renamed(serialized: str, names: Mapping[str, str]) -> str:
    layout = json.loads(serialized)
    for entry in layout["added_tokens"]:
        entry["content"] = names.get(entry["content"], entry["content"])
    model = layout["model"]
    vocabulary = model.get("vocab", {})
    if isinstance(vocabulary, dict):
        model["vocab"] = {names.get(word, word): id for word, id in vocabulary.items()}
    else:  # Unigram: pairs of piece and score
        model["vocab"] = [[names.get(word, word), score] for word, score in vocabulary]
    if model.get("unk_token") in names:
        model["unk_token"] = names[model["unk_token"]]
    return json.dumps(layout)
