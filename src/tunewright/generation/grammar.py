"""Answers that are JSON of a given schema: which tokens may come next.

The schema is compiled by llguidance, against the bytes of the model's own tokens. It names each
keyword that it cannot hold to instead of ignoring it.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tunewright.errors import BadRequest, MissingExtra

# Between the parts of the JSON: a line's break and its indent. Without a bound, a model that has
# nothing to say would go on in spaces for ever.
_WHITESPACE = r"\n? {0,16}"
# Compiling holds up every row of the engine. 5,000 properties took 12 s, 1,000 take 0.2 s.
_PROPERTIES = 1000
_BYTES = 256 * 1024


class Grammar:
    """Where one answer stands in its schema."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allowed(self, logits: Tensor) -> Tensor:
        """Which tokens may come next: bool, of the shape [vocabulary] and device of `logits`.

        Once the JSON is whole, only those that end the answer.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        found = np.unpackbits(bits, count=logits.shape[-1], bitorder="little")
        return torch.from_numpy(found.view(np.bool_)).to(logits.device)

    def take(self, token: int) -> None:
        """Go on past `token`. Raises BadRequest where the schema proves too much to follow."""
        if not self._matcher.consume_token(token):
            raise _refused(self._matcher.get_error())


class Grammars:
    """Compiles schemas for the tokenizer of one base."""

    def __init__(self, directory: Path, vocabulary: int) -> None:
        self._directory = directory
        self._vocabulary = vocabulary
        self._tokenizer = lru_cache(maxsize=1)(self._read_tokenizer)

    def compile(self, schema: str, stop_ids: Iterable[int]) -> Grammar:
        """Raises BadRequest with the reason for a schema that cannot be held to."""
        _bound(schema)
        library = _library()
        tokenizer = self._tokenizer(tuple(sorted(stop_ids)))
        options = {"whitespace_pattern": _WHITESPACE}
        try:
            text = library.LLMatcher.grammar_from_json_schema(schema, overrides=options)
        except ValueError as error:
            raise _refused(str(error)) from error
        limits = library.LLParserLimits(verbose_errors=False)
        matcher = library.LLMatcher(tokenizer, text, log_level=0, limits=limits)
        if matcher.is_error():
            raise _refused(matcher.get_error())
        return Grammar(matcher)

    def _read_tokenizer(self, stop_ids: tuple[int, ...]) -> Any:
        text = (self._directory / "tokenizer.json").read_text("utf-8")
        stops = [id for id in stop_ids if id < self._vocabulary]
        return _library().LLTokenizer(text, n_vocab=self._vocabulary, eos_token=stops)


def _library() -> Any:
    try:
        import llguidance
    except ImportError as error:
        raise MissingExtra("'response_format'", "structured") from error
    return llguidance


def _bound(schema: str) -> None:
    # A name and a colon for each property; more colons than that are never fewer properties.
    if len(schema) > _BYTES or schema.count(":") > 8 * _PROPERTIES:
        raise _refused(f"it is larger than {_BYTES} bytes or about {_PROPERTIES} properties")


def _refused(reason: str) -> BadRequest:
    reason = reason.partition("<state>")[0]  # after it comes the parser's own, for its developers
    return BadRequest(
        f"Invalid schema for 'response_format': {reason.strip()[:1000]}",
        param="response_format",
        code="invalid_schema",
    )
