"""Tools and calls in a row: what they may be, and that results answer calls."""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from tunewright.errors import BadRequest
from tunewright.records.messages import FunctionCall
from tunewright.rendering.turns import parsed_arguments, slips
from tunewright.tables.problems import Fault, kind, shown, step, unknown_keys

MOST_TOOLS = 128
TOOL_FORM = '{"type": "function", "function": {"name": "...", "parameters": {...}}}'
CALL_FORM = (
    '{"id": "call_1", "type": "function", "function": {"name": "...", "arguments": "{...}"}}'
)
_FUNCTION_FORM = '{"name": "...", "parameters": {...}}'
_FUNCTION_CALL_FORM = '{"name": "...", "arguments": "{...}"}'
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OPTIONAL: dict[str, tuple[type, str]] = {
    "description": (str, "text"),
    "parameters": (dict, "an object (a JSON schema)"),
    "strict": (bool, "true or false"),
}


def declared(row: dict[str, Any]) -> Iterator[Fault]:
    """The faults of what a row says before its messages."""
    if row.get("tools") and row.get("functions"):
        what = "The row has both tools and functions."
        yield Fault("$.functions", "invalid_tools", what, "Put all into tools, the newer form.")
    yield from _entries(row, "tools", _tool)
    yield from _entries(row, "functions", _function)
    names = [name for name in _names(row) if isinstance(name, str)]
    for name in sorted({name for name in names if names.count(name) > 1}):
        what = f"The function {shown(name)} is declared twice."
        yield Fault("$.tools", "invalid_tools", what, "Keep one of the two.")
    parallel = row.get("parallel_tool_calls")
    if not isinstance(parallel, bool | None):
        what = f"parallel_tool_calls is {kind(parallel)}, not true or false."
        yield Fault("$.parallel_tool_calls", "data_type", what, "Write true or false.")


def called(message: dict[str, Any], path: str) -> Iterator[Fault]:
    """The faults of the calls of one message, and of what it says to be the result of."""
    yield from _tool_calls(message, step(path, "tool_calls"))
    yield from _function_call(message, step(path, "function_call"))
    yield from _result(message, path)


def followed(row: dict[str, Any]) -> Iterator[Fault]:
    """Calls of functions that the row does not declare, and results and calls out of order."""
    messages: list[Any] = row["messages"]
    known = set[Any](name for name in _names(row) if isinstance(name, str))
    for at, message in enumerate(messages):
        for name, path in _calls_of(message, step("$.messages", at)):
            if name not in known:
                what = f"The function {shown(name)} is not among the row's tools."
                key = "functions" if row.get("functions") and not row.get("tools") else "tools"
                remedy = f"Declare it: put {_form_of(key)} into {key}."
                yield Fault(path, "unknown_function", what, remedy)
    for slip in slips(messages):
        yield Fault(f"$.messages{slip.path}", slip.code, slip.message, slip.remedy)


_Look: TypeAlias = Callable[[Any, str], Iterator[Fault]]


def _entries(row: dict[str, Any], key: str, look: _Look) -> Iterator[Fault]:
    entries, path = row.get(key), step("$", key)
    if entries is None:
        return
    if not isinstance(entries, list):
        what = f"{key} is {kind(entries)}, not a list."
        yield Fault(path, "data_type", what, f"Write [{_form_of(key)}, ...].")
        return
    if len(entries) > MOST_TOOLS:
        what = f"The row declares {len(entries):,} functions; at most {MOST_TOOLS} are allowed."
        yield Fault(path, "invalid_tools", what, "Declare those that the row needs.")
    for at, entry in enumerate(entries):
        yield from look(entry, step(path, at))


def _form_of(key: str) -> str:
    return TOOL_FORM if key == "tools" else _FUNCTION_FORM


def _tool(tool: Any, path: str) -> Iterator[Fault]:
    if not isinstance(tool, dict) or tool.get("type") != "function":
        what = "The tool is not of the type 'function'."
        yield Fault(path, "invalid_tools", what, f"Write {TOOL_FORM}.")
        return
    yield from unknown_keys(tool, {"type", "function"}, path, "invalid_tools")
    yield from _function(tool.get("function"), step(path, "function"))


def _function(function: Any, path: str) -> Iterator[Fault]:
    if not isinstance(function, dict):
        what = f"The function is {kind(function)}, not an object."
        yield Fault(path, "invalid_tools", what, f"Write {_FUNCTION_FORM}.")
        return
    yield from unknown_keys(function, {"name", *_OPTIONAL}, path, "invalid_tools")
    if not _is_name(function.get("name")):
        yield _bad_name(step(path, "name"), "invalid_tools")
    for key, (type_, words) in _OPTIONAL.items():
        value = function.get(key)
        if value is not None and not isinstance(value, type_):
            what = f"{key} is {kind(value)}, not {words}."
            yield Fault(step(path, key), "invalid_tools", what, "Correct it or leave it out.")


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and bool(_NAME.fullmatch(name))


def _bad_name(path: str, code: str) -> Fault:
    what = "The name of the function is missing or not valid."
    return Fault(path, code, what, "Use 1 to 64 letters, digits, _ and -.")


def _tool_calls(message: dict[str, Any], path: str) -> Iterator[Fault]:
    calls = message.get("tool_calls")
    if calls is None or calls == []:  # some servers answer so where nothing is called
        return
    if message.get("role") != "assistant":
        yield _only_assistants(path)
    if not isinstance(calls, list):
        what = f"tool_calls is {kind(calls)}."
        yield Fault(path, "invalid_tool_call", what, f"Write [{CALL_FORM}] or leave it out.")
        return
    for at, call in enumerate(calls):
        yield from _tool_call(call, step(path, at))


def _only_assistants(path: str) -> Fault:
    what = "Only messages of the assistant call functions."
    return Fault(path, "invalid_tool_call", what, "Remove it or give the role 'assistant'.")


def _tool_call(call: Any, path: str) -> Iterator[Fault]:
    if not isinstance(call, dict):
        what = f"The call is {kind(call)}, not an object."
        yield Fault(path, "invalid_tool_call", what, f"Write {CALL_FORM}.")
        return
    yield from unknown_keys(call, {"id", "type", "function", "index"}, path, "invalid_tool_call")
    if not isinstance(call.get("id"), str) or not call["id"]:
        what = (
            "The call has no id: a text that the message with its result repeats as tool_call_id."
        )
        yield Fault(step(path, "id"), "invalid_tool_call", what, 'Add one, such as "call_1".')
    if call.get("type") != "function":
        what = "The call is not of the type 'function'."
        yield Fault(step(path, "type"), "invalid_tool_call", what, 'Write "type": "function".')
    yield from _named_call(call.get("function"), step(path, "function"), CALL_FORM)


def _named_call(function: Any, path: str, form: str) -> Iterator[Fault]:
    if not isinstance(function, dict):
        what = f"The function of the call is {kind(function)}, not an object."
        yield Fault(path, "invalid_tool_call", what, f"Write {form}.")
        return
    known = set(FunctionCall.model_fields)
    yield from unknown_keys(function, known, path, "invalid_tool_call")
    if not _is_name(function.get("name")):
        yield _bad_name(step(path, "name"), "invalid_tool_call")
    at = step(path, "arguments")
    try:
        parsed_arguments(function.get("arguments"), at)
    except BadRequest:
        what = "The arguments are not the JSON text of an object."
        remedy = 'Write an object with json.dumps: "{\\"city\\": \\"Oslo\\"}", or "{}" for none.'
        yield Fault(at, "invalid_tool_call", what, remedy)


def _function_call(message: dict[str, Any], path: str) -> Iterator[Fault]:
    call = message.get("function_call")
    if call is None:
        return
    if message.get("role") != "assistant":
        yield _only_assistants(path)
    if message.get("tool_calls"):
        what = "The message has both tool_calls and function_call."
        yield Fault(path, "invalid_tool_call", what, "Keep tool_calls, the newer form.")
    yield from _named_call(call, path, _FUNCTION_CALL_FORM)


def _result(message: dict[str, Any], path: str) -> Iterator[Fault]:
    role, id = message.get("role"), message.get("tool_call_id")
    if role == "tool" and (not isinstance(id, str) or not id):
        what = "The result has no tool_call_id. It must be the id of the call that it answers."
        yield Fault(step(path, "tool_call_id"), "message_missing_key", what, "Add it.")
    elif role != "tool" and id is not None:
        what = "Only messages of the role 'tool' have a tool_call_id."
        yield Fault(step(path, "tool_call_id"), "invalid_tool_call", what, "Remove it.")
    if role == "function" and not _is_name(message.get("name")):
        what = "The result has no name. It must be the name of the function that gave it."
        yield Fault(step(path, "name"), "message_missing_key", what, "Add it.")


def _names(row: dict[str, Any]) -> Iterator[Any]:
    for key in ("tools", "functions"):
        entries = row.get(key)
        for entry in entries if isinstance(entries, list) else ():
            function = (
                entry.get("function") if key == "tools" and isinstance(entry, dict) else entry
            )
            yield function.get("name") if isinstance(function, dict) else None


def _calls_of(message: Any, path: str) -> Iterator[tuple[str, str]]:
    """Name and place of each well-formed call of a message."""
    if not isinstance(message, dict):
        return
    calls = message.get("tool_calls")
    found = [
        (call.get("function"), step(step(path, "tool_calls"), at))
        for at, call in enumerate(calls if isinstance(calls, list) else [])
        if isinstance(call, dict)
    ]
    found.append((message.get("function_call"), step(path, "function_call")))
    for function, where in found:
        name = function.get("name") if isinstance(function, dict) else None
        if isinstance(name, str) and _is_name(name):
            yield name, where
