"""Calls of functions as ShareGPT's relatives write them: a turn whose text is the call's JSON."""

from typing import Any

import orjson

from tunewright.dataset.problems import Refused


def as_declared(tools: Any) -> Any:
    """Tools, also where they stand as JSON text, or as functions without their cover."""
    if isinstance(tools, str):
        try:
            tools = orjson.loads(tools)
        except orjson.JSONDecodeError:
            raise Refused("The tools are not valid JSON. Correct or remove them.") from None
    if not isinstance(tools, list):
        return tools
    return [
        {"type": "function", "function": tool}
        if isinstance(tool, dict) and "name" in tool and "function" not in tool
        else tool
        for tool in tools
    ]


def as_calls(messages: list[Any]) -> list[Any]:
    """Turns of the role ``function_call`` as calls of the assistant, and what follows them as their
    results. Raises Refused where such a turn is no JSON."""
    made, waiting = list[Any](), list[str]()
    for at, message in enumerate(messages):
        role = message.get("role") if isinstance(message, dict) else None
        if role == "function_call":
            calls = _calls(message.get("content"), at)
            waiting = [call["id"] for call in calls]
            made.append({"role": "assistant", "content": None, "tool_calls": calls})
        elif role == "tool" and "tool_call_id" not in message and waiting:
            made.append({**message, "tool_call_id": waiting.pop(0)})
        else:
            made.append(message)
    return made


def _calls(text: Any, at: int) -> list[dict[str, Any]]:
    try:
        value = orjson.loads(text) if isinstance(text, str) else text
    except orjson.JSONDecodeError:
        value = None
    given = value if isinstance(value, list) else [value]
    calls = [call for call in given if isinstance(call, dict) and "name" in call]
    if not calls or len(calls) < len(given):
        what = "A function_call is not the JSON of an object with a name and its arguments."
        raise Refused(f"{what} Correct it or remove the row.")
    return [_call(call, f"call_{at}_{which}") for which, call in enumerate(calls)]


def _call(call: dict[str, Any], id: str) -> dict[str, Any]:
    given = call.get("arguments", {})
    arguments = given if isinstance(given, str) else orjson.dumps(given).decode()
    return {
        "id": id,
        "type": "function",
        "function": {"name": call["name"], "arguments": arguments},
    }
