"""Calls of functions as ShareGPT's relatives write them: a turn whose text is the call's JSON."""

from typing import Any

import orjson

from tunewright.tables.problems import Refused


def as_declared(tools: Any) -> Any:
    """Tools, also where they stand as JSON text, as functions without their cover, or as other APIs
    declare them."""
    if isinstance(tools, str):
        try:
            tools = orjson.loads(tools)
        except orjson.JSONDecodeError:
            raise Refused("The tools are not valid JSON. Correct or remove them.") from None
    if not isinstance(tools, list):
        return tools
    return [
        {"type": "function", "function": _function(tool)}
        if isinstance(tool, dict) and "name" in tool and "function" not in tool
        else tool
        for tool in tools
    ]


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    aside = ("type", "input_schema", "cache_control")
    made = {key: value for key, value in tool.items() if key not in aside}
    return {**made, "parameters": tool["input_schema"]} if "input_schema" in tool else made


def as_calls(messages: list[Any]) -> list[Any]:
    """Turns of the role ``function_call`` as calls of the assistant, and what follows them as their
    results; arguments that stand as an object as its JSON text. Raises Refused where such a turn is
    no JSON."""
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
            made.append(_with_texts(message))
    return made


def _with_texts(message: Any) -> Any:
    """Transformers' templates want the arguments of calls as objects, so data sets hold those."""
    calls = message.get("tool_calls") if isinstance(message, dict) else None
    if not isinstance(calls, list) or not any(map(_is_object, calls)):
        return message
    texts = [
        {
            "type": "function",
            **call,
            "function": {
                **call["function"],
                "arguments": orjson.dumps(call["function"]["arguments"]).decode(),
            },
        }
        if _is_object(call)
        else call
        for call in calls
    ]
    return {**message, "tool_calls": texts}


def _is_object(call: Any) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and isinstance(function.get("arguments"), dict)


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
