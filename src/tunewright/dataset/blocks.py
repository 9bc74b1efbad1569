"""Anthropic's form of a chat: the system prompt beside the messages, and content in blocks."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import orjson

Row: TypeAlias = dict[str, Any]
_BLOCKS = {"tool_use", "tool_result", "thinking", "redacted_thinking"}
_ASIDE = ("cache_control", "citations")  # of a block: no part of what it says


def is_in_blocks(row: Row) -> bool:
    """Whether a row with messages is in that form."""
    messages, tools = row.get("messages"), row.get("tools")
    if not isinstance(messages, list):
        return False
    if isinstance(tools, list) and any(isinstance(t, dict) and "input_schema" in t for t in tools):
        return True
    return isinstance(row.get("system"), str | list) or any(map(_has_blocks, messages))


def unblocked(message: Row, left: set[str]) -> Iterator[Row]:
    """The messages that one with blocks is here: results of calls, then what is said, with its
    calls and its train of thought. What blocks have beside that comes to `left`."""
    parts = _parts(message)
    aside = any(key in part for part in parts for key in _ASIDE)
    if not (aside or _has_blocks(message)) or len(parts) < len(message["content"]):
        yield message
        return
    kinds: dict[str, list[Row]] = {}
    for block in parts:
        left.update(key for key in _ASIDE if key in block)
        kept = {key: value for key, value in block.items() if key not in _ASIDE}
        kinds.setdefault(_kind(kept), []).append(kept)
    yield from map(_result, kinds.pop("tool_result", []))
    left.update(["redacted_thinking"] if kinds.pop("redacted_thinking", None) else [])
    thoughts, calls = kinds.pop("thinking", []), kinds.pop("tool_use", [])
    left.update(key for block in thoughts for key in block if key == "signature")
    said = [part for parts in kinds.values() for part in parts]
    if said or thoughts or calls:
        yield {**message, "content": _texts(said), **_thought(thoughts), **_calls(calls)}


def _has_blocks(message: Any) -> bool:
    return any(_kind(part) in _BLOCKS for part in _parts(message))


def _parts(message: Any) -> list[Row]:
    content = message.get("content") if isinstance(message, dict) else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _kind(block: Row) -> str:
    return kind if isinstance(kind := block.get("type"), str) else ""


def _result(block: Row) -> Row:
    content = block.get("content") or ""
    text = _texts(content) if isinstance(content, list) else content
    return {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": text}


def _texts(parts: list[Any]) -> Any:
    """A text, where all parts are; else the parts, for the check to refuse."""
    texts = [part.get("text") if isinstance(part, dict) else None for part in parts]
    whole = all(isinstance(p, dict) and p.keys() == {"type", "text"} for p in parts)
    said = [text for text in texts if isinstance(text, str)]
    return "\n".join(said) if whole and len(said) == len(parts) else parts


def _thought(blocks: list[Row]) -> Row:
    text = "\n".join(str(block.get("thinking", "")) for block in blocks)
    return {"reasoning_content": text} if text else {}


def _calls(blocks: list[Row]) -> Row:
    made = [
        {
            "id": block.get("id"),
            "type": "function",
            "function": {
                "name": block.get("name"),
                "arguments": orjson.dumps(block.get("input") or {}).decode(),
            },
        }
        for block in blocks
    ]
    return {"tool_calls": made} if made else {}
