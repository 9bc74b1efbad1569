"""Chats that may call functions: what is rendered for them, and calls read out of answers."""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from tunewright.errors import BadRequest, Unsupported
from tunewright.records.completions import ChatRequest
from tunewright.records.messages import AssistantMessage, MadeCall, MadeFunction
from tunewright.rendering import Renderer
from tunewright.rendering.calls import CallReader
from tunewright.rendering.tool_use import ToolUse
from tunewright.rendering.turns import Tool, as_tools, slips
from tunewright.resources.choices import Called, End, Event, Text
from tunewright.resources.generating import Generation


def check(request: ChatRequest) -> None:
    """Refuse what cannot be held, and results that answer no call."""
    if request.tools and request.functions:
        raise BadRequest(
            "'functions' is the older form of 'tools': give one of the two.",
            param="functions",
            code="invalid_value",
        )
    if (request.tools or request.functions) and _held(request):
        raise Unsupported(
            "Unsupported parameter: where there are tools, 'response_format' can only be text.",
            param="response_format",
        )
    declared = [(f"tools[{at}].function", tool.function) for at, tool in _each(request.tools)]
    declared += [(f"functions[{at}]", function) for at, function in _each(request.functions)]
    for path, function in declared:
        if function.strict:
            raise Unsupported(
                "Unsupported parameter: arguments are not held to a schema, so 'strict' cannot be "
                "true.",
                param=f"{path}.strict",
            )
    for slip in slips([message.plain() for message in request.messages]):
        path = f"messages{slip.path}"
        what = f"Invalid '{path}': {slip.message} {slip.remedy}"
        raise BadRequest(what, param=path, code="invalid_value")


def _held(request: ChatRequest) -> bool:
    return request.response_format is not None and request.response_format.type != "text"


def _each(given: Sequence[Any] | None) -> list[tuple[int, Any]]:
    return list(enumerate(given or ()))


def shown(request: ChatRequest) -> list[Tool]:
    """The tools that the model is shown: none where it may not call any."""
    if "none" in (request.tool_choice, request.function_call):
        return []
    tools = [tool.model_dump() for tool in request.tools or ()]
    return tools or as_tools([function.model_dump() for function in request.functions or ()])


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
    """The same generation; where there are tools, calls in its answers become `Called` events."""
    use = renderer.tool_use if tools else None
    if not isinstance(use, ToolUse):
        return generation
    names = [tool["function"]["name"] for tool in tools]
    readers = [use.reader(names) for _ in range(request.n or 1)]
    old = bool(request.functions)
    return _Listening(generation, readers, old=old, one=old or request.parallel_tool_calls is False)


class _Listening(Generation):
    def __init__(  # pyright: ignore[reportMissingSuperCall]
        self, heard: Generation, readers: Sequence[CallReader], *, old: bool, one: bool
    ) -> None:
        self._heard = heard
        self._readers = readers
        self._reason = "function_call" if old else "tool_calls"
        self._most = 1 if one else None

    def start(self, emit: Callable[[Event | None], None]) -> None:
        self._heard.start(lambda event: self._hear(event, emit))

    def cancel(self) -> None:
        self._heard.cancel()

    def _hear(self, event: Event | None, emit: Callable[[Event | None], None]) -> None:
        if isinstance(event, Text):
            text = self._readers[event.index].push(event.text)
            if text or event.tokens:
                emit(replace(event, text=text))
        elif isinstance(event, End):
            self._end(event, emit)
        else:
            emit(event)

    def _end(self, event: End, emit: Callable[[Event | None], None]) -> None:
        text, calls = self._readers[event.index].finish()
        if text:
            emit(Text(event.index, text))
        for at, call in enumerate(calls[: self._most]):
            function = MadeFunction(name=call.name, arguments=call.arguments)
            made = (
                MadeCall(id=call.id, function=function) if call.id else MadeCall(function=function)
            )
            emit(Called(event.index, at, made))
        ended = calls and event.reason == "stop"
        emit(replace(event, reason=self._reason) if ended else event)


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


def delta(event: Called, request: ChatRequest) -> dict[str, Any]:
    """The same for a chunk of a stream: a call comes whole, once it is certain that it is one."""
    if request.functions:
        return {"function_call": event.call.function.wire()}
    return {"tool_calls": [{"index": event.at, **event.call.wire()}]}
