"""Chats that may call functions: what is rendered for them, and calls read out of answers."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

import orjson

from tunewright.answering.generating import (
    EndEvent,
    Event,
    Generation,
    TextEvent,
    ToolCallEvent,
)
from tunewright.errors import BadRequest, Unsupported
from tunewright.records.completions import ChatRequest, FinishReason
from tunewright.records.messages import AssistantMessage, MadeCall, MadeFunction
from tunewright.records.tool_choice import NamedFunction, NamedTool, OnlyAllowed
from tunewright.rendering import Renderer
from tunewright.rendering.calls import Call, CallReader
from tunewright.rendering.grammars import MOST_BYTES, calling_answer, json_answer
from tunewright.rendering.tool_use import ToolUse
from tunewright.rendering.turns import Tool, as_tools, slips


def check(request: ChatRequest) -> None:
    """Refuse what cannot be held, and results that answer no call."""
    if request.tools and request.functions:
        raise BadRequest(
            "'functions' is the older form of 'tools': give one of the two.",
            param="functions",
            code="invalid_value",
        )
    _check_choice(request)
    for slip in slips([message.plain() for message in request.messages]):
        path = f"messages{slip.path}"
        what = f"Invalid '{path}': {slip.message} {slip.remedy}"
        raise BadRequest(what, param=path, code="invalid_value")


def _check_choice(request: ChatRequest) -> None:
    """Refuse the name of a function that is not there, and a call where there are none."""
    param = "tool_choice" if request.tool_choice else "function_call"
    choice = _choice(request)
    declared = {tool["function"]["name"] for tool in _declared(request)}
    for name in choice.names or ():
        if name not in declared:
            among = "tools" if param == "tool_choice" else "functions"
            what = f"Invalid value for '{param}': there is no function {name!r} among '{among}'."
            raise BadRequest(what, param=param, code="invalid_value")
    if choice.must and not declared:
        what = f"Invalid value for '{param}': there is no function that could be called."
        raise BadRequest(what, param=param, code="invalid_value")


class _Choice(NamedTuple):
    """`names`: the functions that may be called; None: all. `must`: one is. `named`: it is this."""

    names: tuple[str, ...] | None = None
    must: bool = False
    named: bool = False


def _choice(request: ChatRequest) -> _Choice:
    choice = request.tool_choice or request.function_call
    match choice:
        case "none":
            return _Choice(())
        case "required":
            return _Choice(must=True)
        case NamedTool():
            return _Choice((choice.function.name,), must=True, named=True)
        case NamedFunction():
            return _Choice((choice.name,), must=True, named=True)
        case OnlyAllowed(allowed_tools=allowed):
            names = tuple(tool.function.name for tool in allowed.tools)
            return _Choice(names, must=allowed.mode == "required")
        case _:
            return _Choice()


def _declared(request: ChatRequest) -> list[Tool]:
    tools = [tool.model_dump() for tool in request.tools or ()]
    return tools or as_tools([function.model_dump() for function in request.functions or ()])


def shown(request: ChatRequest) -> list[Tool]:
    """The tools that the model is shown: those that it may call."""
    names = _choice(request).names
    tools = _declared(request)
    return [tool for tool in tools if names is None or tool["function"]["name"] in names]


def _one(request: ChatRequest) -> bool:
    """Whether an answer makes one call at most."""
    only = request.parallel_tool_calls is False or _choice(request).named
    return only or bool(request.functions)


def grammar(request: ChatRequest, renderer: Renderer, tools: Sequence[Tool]) -> dict[str, Any]:
    """The engine's fields that hold the answer to its form; none where it may be any text.

    Raises Unsupported where this base's calls cannot be held to one.
    """
    content = request.response_format.held_to() if request.response_format else None
    use, choice = renderer.tool_use if tools else None, _choice(request)
    held = choice.must or content is not None or any(t["function"].get("strict") for t in tools)
    if not isinstance(use, ToolUse) or not held:
        _bound([content], "response_format")
        return {} if content is None else {"grammar": json_answer(content)}
    if use.form.keys is not None and use.form.keys.quoted:
        raise Unsupported(
            "This base writes a call's arguments as text inside its JSON, which cannot be held to "
            "a form: leave out 'response_format', 'strict' and a forced 'tool_choice'.",
            param="tools",
        )
    one, param = _one(request), "functions" if request.functions else "tools"
    _bound([content, *(tool["function"] for tool in tools)], param)
    text = calling_answer(use, tools, must_call=choice.must, one=one, content=content)
    return {"grammar": text, "grammar_param": param}


def _bound(schemas: Sequence[Any], param: str) -> None:
    """Before anything is made of them, and before each answer's frame carries them."""
    if sum(len(orjson.dumps(schema)) for schema in schemas) > MOST_BYTES:
        raise BadRequest(
            f"Invalid schema for '{param}': it is larger than {MOST_BYTES} bytes.",
            param=param,
            code="invalid_schema",
        )


def speaking(renderer: Renderer, tools: Sequence[Tool]) -> Renderer:
    """The renderer whose detokenisers show the special tokens that calls are written with."""
    if not tools or not isinstance(renderer.tool_use, ToolUse):
        return renderer
    made = copy(renderer)
    made.shows_calls = True
    return made


def listening(
    generation: Generation, renderer: Renderer, tools: Sequence[Tool], request: ChatRequest
) -> Generation:
    """The same generation; where there are tools, calls in its answers are events of their own."""
    use = renderer.tool_use if tools else None
    if not isinstance(use, ToolUse):
        return generation
    names = [tool["function"]["name"] for tool in tools]
    readers = [use.reader(names) for _ in range(request.n or 1)]
    reason = "function_call" if request.functions else "tool_calls"
    # OpenAI answers a call that was asked for by its name with "stop".
    choice = _choice(request)
    only = names[0] if len(names) == 1 else ""
    return _Listening(
        generation,
        readers,
        "stop" if choice.named else reason,
        one=_one(request),
        must=only if choice.must else None,
    )


class _Listening(Generation):
    def __init__(  # pyright: ignore[reportMissingSuperCall]
        self,
        heard: Generation,
        readers: Sequence[CallReader],
        reason: FinishReason,
        *,
        one: bool,
        must: str | None,
    ) -> None:
        """`must`: the answer is a call, of this function; empty: of one of several."""
        self._heard = heard
        self._readers = readers
        self._reason = reason
        self._most = 1 if one else None
        self._must = must

    def start(self, emit: Callable[[Event | None], None]) -> None:
        self._heard.start(lambda event: self._hear(event, emit))

    def cancel(self) -> None:
        self._heard.cancel()

    def _hear(self, event: Event | None, emit: Callable[[Event | None], None]) -> None:
        if isinstance(event, TextEvent):
            text = self._readers[event.index].push(event.text)
            if text or event.tokens:
                emit(replace(event, text=text))
        elif isinstance(event, EndEvent):
            self._end(event, emit)
        else:
            emit(event)

    def _end(self, event: EndEvent, emit: Callable[[Event | None], None]) -> None:
        cut = event.finish_reason == "length"
        text, calls = self._readers[event.index].finish(cut=cut)
        if cut and not calls and self._must is not None:  # cut before the function's name was said
            text, calls = "", [Call(self._must, "")] if self._must else []
        if text:
            emit(TextEvent(event.index, text))
        for at, call in enumerate(calls[: self._most]):
            function = MadeFunction(name=call.name, arguments=call.arguments)
            made = (
                MadeCall(id=call.id, function=function) if call.id else MadeCall(function=function)
            )
            emit(ToolCallEvent(event.index, at, made))
        ended = calls and event.finish_reason == "stop"
        emit(replace(event, finish_reason=self._reason) if ended else event)


def message(
    pieces: Sequence[str], calls: Sequence[MadeCall], request: ChatRequest
) -> AssistantMessage:
    """The answer in the form in which its request declared functions."""
    content = "".join(pieces)
    if not calls:
        return AssistantMessage(content=content)
    if request.functions:
        return AssistantMessage(content=content or None, function_call=calls[0].function)
    return AssistantMessage(content=content or None, tool_calls=list(calls))


def delta(event: ToolCallEvent, request: ChatRequest) -> dict[str, Any]:
    """The same for a chunk of a stream: a call comes whole, once it is certain that it is one."""
    if request.functions:
        return {"function_call": event.call.function.wire()}
    return {"tool_calls": [{"index": event.at, **event.call.wire()}]}
