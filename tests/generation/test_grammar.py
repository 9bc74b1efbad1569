"""Schemas that cannot be compiled: without the package, and those that would take for ever."""

import sys
import threading
from typing import Any

import pytest
from tiny_models import Models
from tokenizers import Tokenizer

from tunewright.builtin import CHAT
from tunewright.errors import BadRequest, MissingExtra
from tunewright.generation import compiling, grammar
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
    held = json_answer({"type": "integer", "multipleOf": 7, "minimum": 100, "maximum": 999})
    generator.submit(Request(1, model, [2, 5], 12, stop_ids=STOPS, grammar=held))
    pieces = []
    while generator.busy:
        pieces += generator.step()
    ids = [token for piece in pieces for token in piece.ids]
    text = Tokenizer.from_file(str(CHAT / "tokenizer.json")).decode(ids)
    assert int(text) % 7 == 0


def test_a_grammar_is_compiled_once_for_all_who_hold_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import llguidance

    compiled: list[str] = []

    def counted(tokenizer: Any, grammar: str, **given: Any) -> object:
        compiled.append(grammar)
        return made(tokenizer, grammar, **given)

    made = llguidance.LLMatcher
    monkeypatch.setattr(llguidance, "LLMatcher", counted)
    generator, model = EmbeddedGenerator(), ModelSpec("chat", str(CHAT))
    small = json_answer({"type": "integer", "minimum": 100, "maximum": 999})
    other = json_answer({"enum": ["yes", "no"]})
    for id in range(8):
        wanted, stops = (other if id == 7 else small), (STOPS if id < 6 else STOPS | {9})
        request = Request(id, model, [2, 5], 12, seed=id, stop_ids=stops, grammar=wanted)
        generator.submit(request)
    answers: dict[int, list[int]] = {id: [] for id in range(8)}
    while generator.busy:
        for piece in generator.step():
            answers[piece.id] += piece.ids
    assert sorted(compiled) == sorted([small, small, other])  # of each set of stop tokens
    tokenizer = Tokenizer.from_file(str(CHAT / "tokenizer.json"))
    numbers = {id: tokenizer.decode(ids) for id, ids in answers.items()}
    assert all(100 <= int(numbers[id]) <= 999 for id in range(7))
    assert len({numbers[id] for id in range(7)}) > 1  # each went its own way
    assert numbers[7] in ('"yes"', '"no"')
    again = Request(9, model, [2, 5], 12, seed=0, stop_ids=STOPS, grammar=small)
    generator.submit(again)
    ids = [token for _ in range(13) for piece in generator.step() for token in piece.ids]
    assert ids == answers[0]
    assert len(compiled) == 3


def test_what_is_kept_compiled_is_bounded_by_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    grammars, model = Grammars(CHAT, 8192), ModelSpec("chat", str(CHAT))

    def wish(schema: dict) -> Request:
        return Request(0, model, [1], stop_ids=STOPS, grammar=json_answer(schema))

    many = [wish({"type": "integer", "minimum": least}) for least in range(5)]
    monkeypatch.setattr(grammar, "KEPT", 7 << 19)  # each takes a little over a MiB
    for request in many[:3]:
        assert grammars.compile(request) is not None
    assert grammars.kept(many[0]) is not None  # used last
    grammars.compile(many[3])
    assert [grammars.kept(request) is not None for request in many] == [
        True, False, True, True, False,
    ]  # fmt: skip
    heavy = wish({"type": "integer", "multipleOf": 9973})  # 4 MB, the trial says
    assert grammars.compile(heavy) is not None
    assert grammars.kept(heavy) is None


def test_the_rows_of_another_base_do_not_wait_for_a_grammar(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, waits = threading.Event(), [0]

    def compile(self: Grammars, request: Request) -> None:
        assert go_on.wait(60)
        raise BadRequest("no")

    def wait(*_: object, **__: object) -> None:
        waits[0] += 1

    monkeypatch.setattr(Grammars, "compile", compile)
    monkeypatch.setattr(compiling, "wait", wait)
    generator, model = EmbeddedGenerator(), ModelSpec("chat", str(CHAT))
    generator.submit(Request(1, models("llama"), [2, 5], 20, temperature=0))
    generator.submit(Request(2, model, [2, 5], stop_ids=STOPS, grammar=json_answer({})))
    answered = [piece.id for _ in range(10) for piece in generator.step()]
    assert answered == [1] * 10
    assert waits == [0]
    while any(piece.id == 1 for piece in generator.step()):
        pass
    generator.step()
    assert waits[0] > 0  # nobody else is there now
    go_on.set()
    while generator.busy:
        generator.step()
