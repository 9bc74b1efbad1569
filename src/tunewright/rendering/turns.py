"""Messages as OpenAI writes them to turns as chat templates take them.

Tools come to a template as transformers gives them: ``{"type": "function", "function": {...}}``,
an assistant's calls with their arguments as an object, results as role ``tool``. The older
``functions``, ``function_call`` and role ``function`` become the same, so that a model which was
trained on one form answers the other.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from tunewright.errors import BadRequest
from tunewright.records.messages import REASONING_KEYS
from tunewright.records.parts import said

Message: TypeAlias = Mapping[str, Any]
Turn: TypeAlias = dict[str, Any]
Tool: TypeAlias = dict[str, Any]

_NINE = 9  # characters of a call's id, in templates that do not take every length
CLOSING = "</think>"  # ends the reasoning in an answer
_WITHOUT_EFFECT = {"weight", "audio", "annotations", "parsed", "refusal", *REASONING_KEYS}
_EMPTY = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The form in which a template wants calls of functions, found by trying.

    `content`: of a turn that only calls a function; "absent" leaves the key out. `arguments`: an
    object or JSON text. `ids`: unchanged, or mapped to nine letters and digits.
    """

    content: Literal["absent", "empty", "null"] = "absent"
    arguments: Literal["object", "text"] = "object"
    ids: Literal["any", "nine"] = "any"


def uses_tools(messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] | None) -> bool:
    return bool(tools) or any(
        message.get("role") in ("tool", "function")
        or message.get("tool_calls")
        or message.get("function_call")
        for message in messages
    )


def as_tools(functions: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """The older `functions` as tools."""
    return [{"type": "function", "function": function} for function in functions]


def shown_tools(tools: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """Tools with the same keys in the same order, however they were written: templates print them
    as JSON, and a model should see the same for the same tool. ``strict`` says nothing to it."""
    return [_shown_tool(tool["function"]) for tool in tools]


def _shown_tool(given: Mapping[str, Any]) -> Tool:
    function = {"name": given["name"]}
    if given.get("description") is not None:
        function["description"] = given["description"]
    function["parameters"] = given.get("parameters") or _EMPTY
    return {"type": "function", "function": function}


def turns(
    messages: Sequence[Message], dialect: Dialect, reasoning: str | None = None
) -> list[Turn]:
    """A turn for each message, in their order: ``{"role", "content", "tool_calls", ...}``.

    `reasoning`: the key under which the template reads reasoning; None where it reads none.
    Raises BadRequest where the arguments of a call are not a JSON object.
    """
    called = _Called(dialect)
    return [called.turn(_turn(message, reasoning), at) for at, message in enumerate(messages)]


def thought(message: Message) -> str | None:
    """An assistant's reasoning, where it is given beside the content; else None."""
    return next((text for key in REASONING_KEYS if (text := message.get(key)) is not None), None)


def is_reasoned(message: Message) -> bool:
    """Whether an assistant's message holds reasoning, beside its content or in it."""
    if message.get("role") != "assistant":
        return False
    content = message.get("content")
    texts = map(said, content) if isinstance(content, list) else [content or ""]
    return bool(thought(message)) or any(CLOSING in text for text in texts)


def _turn(message: Message, reasoning: str | None) -> Turn:
    # As transformers: templates print a null as "None" and handle an absent key.
    turn = {k: v for k, v in message.items() if v is not None and k not in _WITHOUT_EFFECT}
    if isinstance(parts := turn.get("content"), list):  # few templates take parts
        turn["content"] = "\n".join(map(said, parts))
    if turn.get("content") in (None, "") and (refusal := message.get("refusal")):
        turn["content"] = refusal
    if reasoning and (text := thought(message)) is not None:
        turn[reasoning] = text
    return turn


class _Called:
    """The calls of a conversation so far, by id: templates want a result's function by name."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._names: dict[str, str] = {}
        self._latest = ""

    def turn(self, turn: Turn, at: int) -> Turn:
        if call := turn.pop("function_call", None):
            turn["tool_calls"] = [{"id": f"call_{at}", "type": "function", "function": call}]
        if calls := turn.pop("tool_calls", None):
            turn["tool_calls"] = [
                self._call(call, f"messages[{at}].tool_calls[{which}]")
                for which, call in enumerate(calls)
            ]
            self._empty(turn)
        if turn.get("role") == "function":
            turn = {**turn, "role": "tool", "tool_call_id": self._latest}
        elif turn.get("role") == "tool":
            given = turn.get("tool_call_id", "")
            named = {"name": self._names[given]} if given in self._names else {}
            turn = {**named, **turn, "tool_call_id": self._id(given)}
        return turn

    def _call(self, call: Mapping[str, Any], path: str) -> dict[str, Any]:
        function = call["function"]
        arguments: Any = parsed_arguments(function["arguments"], f"{path}.function.arguments")
        if self._dialect.arguments == "text":
            arguments = json.dumps(arguments, ensure_ascii=False)
        self._names[call["id"]] = function["name"]
        self._latest = self._id(call["id"])
        called = {"name": function["name"], "arguments": arguments}
        return {"id": self._latest, "type": "function", "function": called}

    def _empty(self, turn: Turn) -> None:
        if turn.get("content"):
            return
        turn.pop("content", None)
        if self._dialect.content != "absent":
            turn["content"] = "" if self._dialect.content == "empty" else None

    def _id(self, given: str) -> str:
        fits = len(given) == _NINE and given.isalnum() and given.isascii()
        if self._dialect.ids == "any" or fits:
            return given
        return sha256(given.encode()).hexdigest()[:_NINE]


def parsed_arguments(text: Any, param: str) -> dict[str, Any]:
    """The object in the JSON text of a call's arguments; without text, an empty one: so models
    write a call that has none. Raises BadRequest where it is no object."""
    if isinstance(text, str) and not text.strip():
        return {}
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    except (TypeError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadRequest(
            f"Invalid '{param}': the arguments of a call must be the text of a JSON object, as "
            + "json.dumps writes it.",
            param=param,
            code="invalid_value",
        )
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):  # templates would print a word that is no JSON
        raise ValueError(text)
    return value


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong in how calls and results follow each other. `path`: ``[2].tool_call_id``."""

    path: str
    code: str
    message: str
    remedy: str


def slips(messages: Sequence[Any]) -> Iterator[Slip]:
    """Results that answer no call, and calls that were left without a result.

    The last message may call: its results are still to come. What is malformed is passed over.
    """
    waiting: dict[str, str] = {}  # by id: where it was called
    functions: set[str] = set()
    for at, message in enumerate(messages):
        if not isinstance(message, dict):
            continue
        role, id = message.get("role"), message.get("tool_call_id")
        if role == "tool":
            if isinstance(id, str) and waiting.pop(id, None) is None:
                yield _never_called(at)
            continue
        yield from map(_unanswered, waiting.values())
        waiting = {}
        for which, call in _ids(message):
            if call in waiting:
                yield _same_id(f"[{at}].tool_calls[{which}].id")
            waiting[call] = f"[{at}].tool_calls[{which}]"
        if role == "function" and isinstance(name := message.get("name"), str):
            if name not in functions:
                yield _not_called(at)
            functions.discard(name)
        elif isinstance(call := message.get("function_call"), dict):
            functions = {name} if isinstance(name := call.get("name"), str) else set()


def _ids(message: dict[str, Any]) -> list[tuple[int, str]]:
    calls = message.get("tool_calls")
    if message.get("role") != "assistant" or not isinstance(calls, list):
        return []
    ids = [(at, call.get("id")) for at, call in enumerate(calls) if isinstance(call, dict)]
    return [(at, id) for at, id in ids if isinstance(id, str)]


def _never_called(at: int) -> Slip:
    what = "No call before it has this tool_call_id, or it was answered already."
    remedy = "Give the id of a call in the assistant's message before it, or remove the message."
    return Slip(f"[{at}].tool_call_id", "unknown_tool_call_id", what, remedy)


def _same_id(path: str) -> Slip:
    what = "Another call of this message has the same id."
    return Slip(path, "invalid_tool_call", what, "Give each call an id of its own.")


def _not_called(at: int) -> Slip:
    what = "The assistant has not called this function before it."
    remedy = "Put it after its function_call, or remove the message."
    return Slip(f"[{at}].name", "unknown_function", what, remedy)


def _unanswered(path: str) -> Slip:
    what = "The call has no result: no message of role 'tool' with its id follows."
    return Slip(path, "unanswered_tool_call", what, "Add the result right after the call.")
