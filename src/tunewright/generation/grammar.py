"""Answers that hold to a grammar: which tokens may come next.

The grammar is compiled by llguidance, against the bytes of the model's own tokens. It names each
keyword of a JSON schema that it cannot hold to instead of ignoring it.
"""

import re
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tunewright.errors import BadRequest, MissingExtra
from tunewright.generation import trial
from tunewright.generation.generator import Request

_TRIED = 256  # grammars of which it is remembered whether they may be compiled
# 5,000 properties took 12 s, 1,000 take 0.2 s.
_PROPERTIES = 1000
_BYTES = 256 * 1024
# Memory of what is kept compiled for a base. What a grammar takes is told by the trial, or else at
# most so much a byte: from 50 to 550 were seen, lists of patterns and of bounded numbers the most.
KEPT = 128 << 20
_LEAST, _A_BYTE = 1 << 20, 600


class Grammar:
    """Where one answer stands in its grammar."""

    def __init__(self, matcher: Any, param: str) -> None:
        self._matcher = matcher
        self._param = param

    def allowed(self, logits: Tensor) -> Tensor:
        """Which tokens may come next: bool, of the shape [vocabulary] and device of `logits`.

        Once the answer is whole, only those that end it.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        found = np.unpackbits(bits, count=logits.shape[-1], bitorder="little")
        return torch.from_numpy(found.view(np.bool_)).to(logits.device)

    def take(self, token: int) -> None:
        """Go on past `token`. Raises BadRequest where the grammar proves too much to follow."""
        if not self._matcher.consume_token(token):
            raise _refused(self._matcher.get_error(), self._param)


_Key = tuple[str, tuple[int, ...]]


class Grammars:
    """Compiles grammars for the tokenizer of one base, and keeps those that were used last."""

    def __init__(self, directory: Path, vocabulary: int) -> None:
        self._directory = directory
        self._vocabulary = vocabulary
        self._tokenizer = lru_cache(maxsize=1)(self._read_tokenizer)
        self._took = lru_cache(maxsize=_TRIED)(self._tried)
        self._lock = threading.Lock()
        self._kept: dict[_Key, tuple[Any, int]] = {}  # and its bytes; the latest used last

    def kept(self, request: Request) -> Grammar | None:
        """Of one that is compiled already; costs microseconds."""
        if request.grammar is None:
            return None
        key = _key(request)
        with self._lock:
            if (found := self._kept.pop(key, None)) is None:
                return None
            self._kept[key] = found
            return Grammar(found[0].deep_copy(), request.grammar_param)

    def compile(self, request: Request) -> Grammar | None:
        """None where the request has no grammar. May take seconds, but lets other threads run.

        Raises BadRequest with the reason for a schema that cannot be held to.
        """
        if request.grammar is None:
            return None
        if (kept := self.kept(request)) is not None:
            return kept
        param = request.grammar_param
        _bound(request.grammar, param)
        library = _library(param)
        takes = self._takes(request.grammar, param)
        key = _key(request)
        limits = library.LLParserLimits(verbose_errors=False)
        matcher = library.LLMatcher(
            self._tokenizer(key[1]), request.grammar, log_level=0, limits=limits
        )
        if matcher.is_error():
            raise _refused(matcher.get_error(), param)
        self._keep(key, matcher, takes)
        return Grammar(matcher.deep_copy(), param)

    def _takes(self, grammar: str, param: str) -> int:
        """Bytes of memory. Raises BadRequest for one that is not to be compiled here."""
        value, where = trial.culprit(grammar)
        took = None if value > trial.LARGEST else 0
        if took is not None and trial.risky(grammar):
            took = self._took(grammar)
        if took is None:
            raise _refused(f"{where} takes too long, or too much memory, to hold to", param)
        return max(took, _LEAST + _A_BYTE * len(grammar))

    def _tried(self, grammar: str) -> int | None:
        return trial.takes(grammar, self._directory / "tokenizer.json", self._vocabulary)

    def _keep(self, key: _Key, matcher: Any, takes: int) -> None:
        with self._lock:
            self._kept[key] = matcher, takes
            while sum(takes for _, takes in self._kept.values()) > KEPT:
                del self._kept[next(iter(self._kept))]

    def _read_tokenizer(self, stop_ids: tuple[int, ...]) -> Any:
        text = (self._directory / "tokenizer.json").read_text("utf-8")
        stops = [id for id in stop_ids if id < self._vocabulary]
        return _library("").LLTokenizer(text, n_vocab=self._vocabulary, eos_token=stops)


def _key(request: Request) -> _Key:
    assert request.grammar is not None
    return request.grammar, tuple(sorted(request.stop_ids))


def _library(param: str) -> Any:
    try:
        import llguidance
    except ImportError as error:
        raise MissingExtra(f"'{param}'", "structured") from error
    return llguidance


def _bound(grammar: str, param: str) -> None:
    # A name and a colon for each property; more colons than that are never fewer properties.
    if len(grammar) > _BYTES or grammar.count(":") > 8 * _PROPERTIES:
        raise _refused(f"it is larger than {_BYTES} bytes or about {_PROPERTIES} properties", param)


_WHERE = re.compile(r"^at \d+\(\d+\): (failed to compile JSON schema: )?")
_QUOTED_LINE = re.compile(r"^ *(\d+ \|.*|\^)$", re.MULTILINE)  # of the grammar, which is ours


def _refused(reason: str, param: str) -> BadRequest:
    reason = reason.partition("<state>")[0]  # after it comes the parser's own, for its developers
    said = " ".join(_QUOTED_LINE.sub("", _WHERE.sub("", reason.strip())).split())
    return BadRequest(
        f"Invalid schema for '{param}': {said[:1000]}", param=param, code="invalid_schema"
    )
