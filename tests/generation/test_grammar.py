"""Without the package that compiles schemas, callers are told what to install."""

import sys

import pytest

from tunewright.builtin import CHAT
from tunewright.errors import MissingExtra
from tunewright.generation.generator import ModelSpec, Request
from tunewright.generation.grammar import Grammars


def test_without_the_extra_the_pip_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    request = Request(0, ModelSpec("key", "base"), [1], grammar="start: %json {}")
    with pytest.raises(MissingExtra, match=r"pip install 'tunewright\[structured\]'") as raised:
        Grammars(CHAT, 8192).compile(request)
    assert raised.value.status == 503
