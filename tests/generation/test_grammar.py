"""Schemas that cannot be compiled: without the package, and those that would take for ever."""

import sys

import pytest
from tokenizers import Tokenizer

from tunewright.builtin import CHAT
from tunewright.errors import BadRequest, MissingExtra
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Request
from tunewright.generation.grammar import Grammars
from tunewright.rendering.grammars import json_answer

STOPS = frozenset({0, 4})


def test_without_the_extra_the_pip_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    request = Request(0, ModelSpec("key", "base"), [1], grammar="start: %json {}")
    with pytest.raises(MissingExtra, match=r"pip install 'tunewright\[structured\]'") as raised:
        Grammars(CHAT, 8192).compile(request)
    assert raised.value.status == 503


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ({"multipleOf": 999_983}, "multipleOf"),
        ({"multipleOf": 4_037_000}, "multipleOf"),
        ({"type": "object", "properties": {"a": {"multipleOf": 1e9}}}, "properties.a.multipleOf"),
    ],
)
def test_a_schema_that_takes_too_long_is_refused_while_other_rows_go_on(
    schema: dict, place: str
) -> None:
    generator, model = EmbeddedGenerator(), ModelSpec("chat", str(CHAT))
    generator.submit(Request(1, model, [2, 5], max_tokens=100_000, temperature=0))
    generator.step()
    generator.submit(Request(2, model, [2, 5], stop_ids=STOPS, grammar=json_answer(schema)))
    pieces = []
    while not any(piece.id == 2 for piece in pieces):
        pieces += generator.step()
    (refused,) = [piece.error for piece in pieces if piece.id == 2]
    assert isinstance(refused, BadRequest)
    assert f"'{place}'" in refused.message
    if schema.get("multipleOf") == 999_983:  # found out in a child, which takes a second of CPU
        assert sum(piece.id == 1 for piece in pieces) > 20


def test_a_schema_with_a_small_multiple_is_held_to() -> None:
    generator, model = EmbeddedGenerator(), ModelSpec("chat", str(CHAT))
    grammar = json_answer({"type": "integer", "multipleOf": 7, "minimum": 100, "maximum": 999})
    generator.submit(Request(1, model, [2, 5], 12, stop_ids=STOPS, grammar=grammar))
    pieces = []
    while generator.busy:
        pieces += generator.step()
    ids = [token for piece in pieces for token in piece.ids]
    text = Tokenizer.from_file(str(CHAT / "tokenizer.json")).decode(ids)
    assert int(text) % 7 == 0
