"""Answers held to a form: what each template writes is allowed, and all that is allowed is read
back as the calls that it is."""

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from rendering.models import say
from rendering.test_tools import answered, call, calling
from rendering.tool_templates import TOOL_TEMPLATES, write_tool_model
from tunewright.dataset.examples import ChatExample
from tunewright.errors import BadRequest
from tunewright.generation.generator import ModelSpec, Request
from tunewright.generation.grammar import Grammar, Grammars
from tunewright.rendering import Renderer
from tunewright.rendering.grammars import calling_answer, json_answer
from tunewright.rendering.tool_use import ToolUse

# `$ref` points into the function's own parameters, wherever a call writes them.
CITY = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/city"}, "days": {"enum": [1, 2]}},
    "required": ["city", "days"],
    "additionalProperties": False,
    "$defs": {"city": {"type": "string", "pattern": "^[A-Z][a-z]{2,5}$"}},
}
MOOD = {"type": "object", "properties": {"mood": {"enum": ["glad"]}}, "required": ["mood"],
        "additionalProperties": False}  # fmt: skip


def strict(name: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    function = {"name": name, "parameters": parameters, "strict": True}
    return {"type": "function", "function": function}


TOOLS = [strict("weather", CITY), strict("time")]


class Base:
    def __init__(self, directory: Path, template: str) -> None:
        self.renderer = Renderer.load(write_tool_model(directory, template), chat=True)
        self._vocabulary = self.renderer._tokenizer.get_vocab_size()
        self._grammars = Grammars(directory, self._vocabulary)

    @property
    def use(self) -> ToolUse:
        assert isinstance(self.renderer.tool_use, ToolUse)
        return self.renderer.tool_use

    def compile(self, grammar: str, param: str = "tools") -> Grammar:
        request = Request(
            0,
            ModelSpec("key", "base"),
            [1],
            stop_ids=self.renderer.stop_ids,
            grammar=grammar,
            grammar_param=param,
        )
        compiled = self._grammars.compile(request)
        assert compiled is not None
        return compiled

    def holding(self, *, must_call: bool, one: bool = False, content: Any = None) -> Grammar:
        asked = {"must_call": must_call, "one": one, "content": content}
        return self.compile(calling_answer(self.use, TOOLS, **asked))

    def allowed(self, grammar: Grammar) -> list[int]:
        return grammar.allowed(torch.zeros(self._vocabulary)).nonzero().flatten().tolist()

    def follows(self, grammar: Grammar, ids: list[int]) -> bool:
        for id in ids:
            if id not in self.allowed(grammar):
                return False
            grammar.take(id)
        return True

    def walk(self, grammar: Grammar, rng: random.Random) -> list[int]:
        """A random answer that the grammar allows, ended where it may end."""
        ids: list[int] = []
        while len(ids) < 400:
            allowed = self.allowed(grammar)
            ends = [id for id in allowed if id in self.renderer.stop_ids]
            ids.append(rng.choice(ends or allowed))
            if ends:
                return ids
            grammar.take(ids[-1])
        raise AssertionError(f"no end: {self.renderer.decode(ids)}")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory):
    root = tmp_path_factory.mktemp("held")
    return cache(lambda name: Base(root / name, TOOL_TEMPLATES[name]))


def written(model: Base, *calls: dict[str, Any], content: str | None = None) -> list[int]:
    """The ids of an answer as the template writes it."""
    messages = [*say("u: ?"), calling(*calls, content=content)]
    [row] = model.renderer.rows(ChatExample(messages, TOOLS), 1)
    return list(row.answer)


OSLO = call("weather", city="Oslo", days=2)
TIME = call("time", "call_2")


@pytest.mark.parametrize("name", TOOL_TEMPLATES)
def test_what_the_template_writes_is_allowed(base, name: str) -> None:
    model = base(name)
    for must_call in (True, False):
        for calls in ([OSLO], [TIME], [OSLO, TIME])[: 2 if name == "llama3" else 3]:
            grammar = model.holding(must_call=must_call, one=len(calls) == 1)
            assert model.follows(grammar, written(model, *calls)), (calls, must_call)
    if name != "llama3":
        several = written(model, OSLO, TIME)
        assert not model.follows(model.holding(must_call=True, one=True), several)
    for wrong in ({"city": "oslo", "days": 2}, {"city": "Oslo", "days": 3}, {"city": "Oslo"}):
        ids = written(model, call("weather", **wrong))
        for must_call in (True, False):
            assert not model.follows(model.holding(must_call=must_call), ids), wrong


@pytest.mark.parametrize("name", TOOL_TEMPLATES)
def test_text_is_allowed_unless_a_call_is_a_must(base, name: str) -> None:
    model = base(name)
    [row] = model.renderer.rows(ChatExample(say("u: ?", "a: Sunny {today}."), TOOLS), 1)
    assert model.follows(model.holding(must_call=False), list(row.answer))
    assert not model.follows(model.holding(must_call=True), list(row.answer))
    if name in ("hermes", "mistral-new"):
        spoken = written(model, OSLO, content="Let me look.")
        assert model.follows(model.holding(must_call=False), spoken)


@pytest.mark.parametrize("name", TOOL_TEMPLATES)
def test_whatever_is_allowed_is_read_back_as_calls_that_hold(base, name: str) -> None:
    model = base(name)
    for seed in range(12):
        rng = random.Random(seed)
        one = bool(seed % 2)
        ids = model.walk(model.holding(must_call=True, one=one), rng)
        said, calls = answered(model.renderer, ids, "weather", "time")
        assert not said.strip()
        assert len(calls) == 1 if one else calls
        for called, arguments in calls:
            if called == "time":
                assert arguments == {}
            else:
                assert set(arguments) == {"city", "days"}
                assert arguments["city"][0].isupper()
                assert arguments["days"] in (1, 2)


@pytest.mark.parametrize("name", TOOL_TEMPLATES)
def test_an_answer_is_json_or_calls_where_both_are_held(base, name: str) -> None:
    model = base(name)
    kinds = set()
    for seed in range(30):
        ids = model.walk(model.holding(must_call=False, content=MOOD), random.Random(seed))
        said, calls = answered(model.renderer, ids, "weather", "time")
        if not calls:
            assert json.loads(said) == {"mood": "glad"}
        kinds.add(bool(calls))
    assert False in kinds
    assert model.follows(model.holding(must_call=False, content=MOOD), written(model, OSLO))


def test_a_keyword_that_cannot_be_held_to_is_refused_only_where_the_function_is_strict(
    base,
) -> None:
    model = base("hermes")
    odd = {"type": "object", "properties": {"at": {"type": "string", "format": "moonphase"}}}
    for is_strict in (True, False):
        declared = strict("at", odd)
        declared["function"]["strict"] = is_strict
        text = calling_answer(model.use, [declared], must_call=True, one=True, content=None)
        if not is_strict:
            model.compile(text)
            continue
        with pytest.raises(BadRequest, match="moonphase") as refused:
            model.compile(text)
        assert refused.value.param == "tools"
        assert "%json" not in refused.value.message


def test_a_schema_cannot_loosen_its_own_grammar(base) -> None:
    loose = {"x-guidance": {"lenient": True}, "properties": {"at": {"format": "moonphase"}}}
    with pytest.raises(BadRequest, match="moonphase"):
        base("hermes").compile(json_answer(loose))
