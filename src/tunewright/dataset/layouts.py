"""Rows as other tools write them, made into rows that can be trained on.

Lists of turns (ShareGPT and its kin, Gemini's contents, LangChain's roles), pairs (Alpaca, Dolly,
question and answer), preferences (OpenAI's and Hugging Face's), transcripts in one text, and any of
them as JSON text inside of JSON. What a row has beside is left out, and said.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeGuard

from tunewright.dataset.blocks import is_in_blocks, unblocked
from tunewright.dataset.calling import as_calls, as_declared
from tunewright.records.messages import MESSAGE_KEYS
from tunewright.tables.cells import text_at
from tunewright.tables.problems import Refused, shown
from tunewright.tables.sources import unpacked

Row: TypeAlias = dict[str, Any]
_ASKED = ("prompt", "instruction", "question", "query")
_ANSWERED = ("completion", "response", "output", "answer")
_GIVEN = ("input", "context")  # what an instruction or a question is about
_SYSTEM = ("system", "system_prompt", "system_message")
_TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog", "turns", "contents")
_SPEAKER, _SAID = ("role", "from", "speaker"), ("content", "value", "text", "parts")
_KEPT = MESSAGE_KEYS - {"role", "content"}
_KEPT_OF_ROW = {"tools", "functions", "parallel_tool_calls", "metadata"}
ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "customer"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "model", "ai", "bot", "chatbot"), "assistant"),
    **dict.fromkeys(("agent", "claude", "bard", "bing"), "assistant"),
    **{role: role for role in ("system", "developer", "tool", "function")},
    **dict.fromkeys(("observation", "function_response", "tool_response"), "tool"),
    **dict.fromkeys(("function_call", "tool_call"), "function_call"),
}
_MARK = re.compile(
    r"(?:^|\n)[ \t]*(?:###[ \t]*)?(Human|User|Instruction|Assistant|AI|Response|System)"
    r"[ \t]*:[ \t]*",
    re.IGNORECASE,
)
_MARKED = {"instruction": "user", "response": "assistant"}


@dataclass(frozen=True)
class Layout:
    """`name`: as a message calls it. `made`: the row as a chat, and the keys that it leaves out;
    raises Refused."""

    name: str
    made: Callable[[Any], tuple[Row, set[str]]]


def layout_of(value: Any) -> Layout | None:
    """What a row is, where it can be made into a chat; None for a chat, and for what is unknown."""
    if isinstance(value, str):
        inner = unpacked(value)
        found = _CHAT if _is_chat(inner) else layout_of(inner)
        return found and Layout(
            "JSON text inside JSON text", lambda text: found.made(unpacked(text))
        )
    if isinstance(value, list):
        turns = Layout("a list of messages", lambda row: _turns({"messages": row}))
        return turns if _are_turns(value) else None
    if not isinstance(value, dict) or _is_chat(value):
        return None
    return next((layout for fits, layout in _LAYOUTS if fits(value)), None)


def as_chat(value: Any) -> tuple[Row, set[str]]:
    """Any row that is known here as a chat, with the keys that were left out. Raises Refused."""
    found = _CHAT if isinstance(value, dict) and "messages" in value else layout_of(value)
    if found is None:
        raise Refused(unknown(value))
    return found.made(value)


def as_completion(value: Any) -> tuple[Row, set[str]]:
    """The same as a prompt with its completion; the prompt of a mere text is empty."""
    if isinstance(value, dict) and {"prompt", "completion"} <= value.keys():
        kept = {"prompt", "completion", "metadata"}
        return {key: value[key] for key in value if key in kept}, value.keys() - kept
    if is_text(value):
        return {"prompt": "", "completion": value["text"]}, value.keys() - {"text"}
    chat, left = as_chat(value)
    roles = [message.get("role") for message in chat["messages"]]
    if roles != ["user", "assistant"] or chat.keys() != {"messages"}:
        raise Refused("The row is a conversation. Tune a chat model with it: leave out --to.")
    asked, answered = (message.get("content") for message in chat["messages"])
    return {"prompt": asked, "completion": answered}, left


def is_text(value: Any) -> bool:
    """Whether a row has a text to go on writing, and neither question nor answer."""
    return isinstance(value, dict) and isinstance(value.get("text"), str) and not _has_pair(value)


def unknown(value: Any) -> str:
    if not isinstance(value, dict):
        return "The row is neither a chat nor a pair of question and answer."
    if isinstance(value.get("text"), str):
        return (
            "The row has a text alone, without a question. A base of the completion form takes it: "
            "--to completion --model babbage-002."
        )
    names = shown(", ".join(map(str, value)), 120)
    return (
        "Which column is the question, and which the answer? Name them with --prompt and "
        f"--completion. The row has: {names}."
    )


def _is_chat(value: Any) -> bool:
    """Whether it was meant to be OpenAI's form; what is wrong with it then is another matter."""
    messages = value.get("messages") if isinstance(value, dict) else None
    if messages is None or is_in_blocks(value):
        return False
    return not (_are_turns(messages) and _foreign(messages))


def _foreign(turns: list[Any]) -> bool:
    return any("role" not in turn and ("from" in turn or "speaker" in turn) for turn in turns)


def _are_turns(value: Any) -> TypeGuard[list[Row]]:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(turn, dict) and _key(turn, _SPEAKER) for turn in value)
    )


def _key(row: Row, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in row), None)


def _only(row: Row, names: tuple[str, ...]) -> str | None:
    """The one of `names` that the row has; None where it has none or several."""
    found = [name for name in names if name in row]
    return found[0] if len(found) == 1 else None


# Lists of turns


def _list_of_turns(row: Row) -> str | None:
    return next((key for key in _TURNS if _are_turns(row.get(key))), None)


def _turns(row: Row) -> tuple[Row, set[str]]:
    key = _list_of_turns(row) or "messages"
    turns, left = row.get(key), set[str]()
    if not isinstance(turns, list):
        raise Refused("The row has no list of messages.")
    messages = [message for turn in turns for message in _message(turn, left)]
    used = {key, *_KEPT_OF_ROW}
    if (system := _only(row, (*_SYSTEM, "systemInstruction"))) and not _opens(messages):
        messages[:0] = unblocked({"role": "system", "content": _text(row[system])}, left)
        used.add(system)
    kept = {name: row[name] for name in row if name in _KEPT_OF_ROW and row[name] is not None}
    if "tools" in kept:
        kept["tools"] = as_declared(kept["tools"])
    return {"messages": as_calls(messages), **kept}, left | (row.keys() - used)


def _opens(messages: list[Any]) -> bool:
    first = messages[0] if messages else None
    return isinstance(first, dict) and first.get("role") in ("system", "developer")


def _message(turn: Any, left: set[str]) -> Iterator[Any]:
    """One turn as a message; what cannot be one is given as it is, for the check to refuse."""
    speaker = _key(turn, _SPEAKER) if isinstance(turn, dict) else None
    if speaker is None:
        yield turn
        return
    said = _key(turn, _SAID)
    role = turn[speaker]
    role = ROLES.get(role.lower(), role) if isinstance(role, str) else role
    message = {"role": role}
    if said is not None and turn[said] is not None:
        message["content"] = _text(turn[said])
    kept = {key: turn[key] for key in turn if key in _KEPT and turn[key] is not None}
    if turn.get("train") is False and role == "assistant":
        kept["weight"] = 0
    left |= turn.keys() - {speaker, said, "train", *_KEPT}
    yield from unblocked(message | kept, left)


def _text(value: Any) -> Any:
    """The text in Gemini's parts; all else as it is."""
    if isinstance(value, dict) and "parts" in value:
        value = value["parts"]
    parts = value if isinstance(value, list) else []
    if parts and all(isinstance(part, dict) and part.keys() == {"text"} for part in parts):
        return "\n".join(str(part["text"]) for part in parts)
    return value


# Pairs


def _pair(row: Row) -> tuple[str, str, str | None, str | None] | None:
    """The columns that are asked and answered, what the question is about, and the system's."""
    answered = _only(row, _ANSWERED)
    asked, given = _only(row, _ASKED), _only(row, _GIVEN)
    if asked is None and given == "input" and _key(row, _ASKED) is None:
        asked, given = given, None
    if answered is None or asked is None:
        return None
    return asked, answered, given, _only(row, _SYSTEM)


def _from_pair(row: Row) -> tuple[Row, set[str]]:
    found = _pair(row)
    assert found
    asked, answered, given, system = found
    question = text_at(row, asked)
    if given and isinstance(more := row[given], str) and more.strip():
        question = f"{question}\n\n{more}"
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": text_at(row, answered)},
    ]
    if system and row[system]:
        messages.insert(0, {"role": "system", "content": text_at(row, system)})
    kept = {"metadata": row["metadata"]} if isinstance(row.get("metadata"), dict) else {}
    return {"messages": _earlier(row) + messages, **kept}, row.keys() - {*found, *kept, "history"}


def _earlier(row: Row) -> list[Any]:
    """The history of Alpaca's rows: pairs of what was asked and answered before."""
    history = row.get("history") or []
    if not isinstance(history, list) or not all(
        isinstance(h, list) and len(h) == 2 for h in history
    ):
        raise Refused("The history is not a list of pairs [question, answer]. Remove it.")
    roles = ("user", "assistant")
    return [
        {"role": r, "content": text}
        for pair in history
        for r, text in zip(roles, pair, strict=True)
    ]


# Preferences: what was asked, with the answer that was preferred


def _is_preference(row: Row) -> bool:
    return "preferred_output" in row or "chosen" in row


def _preferred(row: Row) -> tuple[Row, set[str]]:
    used = {"input", "preferred_output", "non_preferred_output", "prompt", "chosen", "rejected"}
    left = row.keys() - used
    given, best = (
        row.get("input", row.get("prompt")),
        row.get("preferred_output", row.get("chosen")),
    )
    if isinstance(best, str) and given is None:
        chat, _ = _spoken({"text": best})
        return chat, left
    before = given if isinstance(given, dict) else {"messages": _as_turns(given, "user")}
    answer = _as_turns(best, "assistant")
    asked = before.get("messages") or []
    if not isinstance(asked, list):
        raise Refused("The input has no list of messages.")
    whole = (
        answer if answer[: len(asked)] == asked and len(answer) > len(asked) else [*asked, *answer]
    )
    made, more = _turns({**before, "messages": whole})
    return made, left | more


def _as_turns(value: Any, role: str) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [{"role": role, "content": value}]


# One text that holds a conversation


def _is_spoken(row: Row) -> bool:
    text = row.get("text")
    return (
        isinstance(text, str) and (first := _MARK.match(text)) is not None and first[1] is not None
    )


def _spoken(row: Row) -> tuple[Row, set[str]]:
    pieces = _MARK.split(row["text"])
    if pieces[0].strip() or len(pieces) < 5:
        raise Refused("The text is not a conversation of the form 'Human: ... Assistant: ...'.")
    said = zip(pieces[1::2], pieces[2::2], strict=True)
    messages = [
        {"role": _MARKED.get(who.lower()) or ROLES[who.lower()], "content": text.strip()}
        for who, text in said
        if text.strip()
    ]
    return {"messages": messages}, row.keys() - {"text"}


def _has_pair(row: Row) -> bool:
    return _pair(row) is not None


def _has_turns(row: Row) -> bool:
    return _list_of_turns(row) is not None


def _is_sharegpt(row: Row) -> bool:
    turns = row.get("conversations")
    return _are_turns(turns) and "from" in turns[0]


def _is_alpaca(row: Row) -> bool:
    return "instruction" in row and _has_pair(row)


_CHAT = Layout("chat", _turns)
_LAYOUTS: list[tuple[Callable[[Row], bool], Layout]] = [
    (_is_preference, Layout("preference (DPO)", _preferred)),
    (is_in_blocks, Layout("Anthropic's (a system prompt beside the messages, or blocks)", _turns)),
    (_is_sharegpt, Layout("ShareGPT (conversations with from and value)", _turns)),
    (_has_turns, Layout("a list of turns", _turns)),
    (_is_alpaca, Layout("Alpaca (instruction, input, output)", _from_pair)),
    (_has_pair, Layout("pairs of a question and an answer", _from_pair)),
    (_is_spoken, Layout("a conversation in one text", _spoken)),
]
