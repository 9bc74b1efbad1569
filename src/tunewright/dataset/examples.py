"""What one line of a training file may be.

{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
{"prompt": "Hi ->", "completion": " Hello"}
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tunewright.dataset.problems import Fault, shown, step

Form: TypeAlias = Literal["chat", "completion"]

CHAT_FORM = (
    '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'
)
COMPLETION_FORM = '{"prompt": "...", "completion": "..."}'
MOST_MESSAGES = 2048
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_MESSAGE_KEYS = {
    "role", "content", "name", "weight", "function_call", "tool_calls", "tool_call_id"
}  # fmt: skip
_LINE_KEYS = {"messages", "tools", "parallel_tool_calls", "functions"}
_CALLS = ("tool_calls", "function_call", "tool_call_id")


@dataclass(frozen=True, slots=True)
class ChatExample:
    """A conversation; each message a dict of ``role``, ``content``, ``name``, ``weight``."""

    messages: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class CompletionExample:
    prompt: str
    completion: str


Example: TypeAlias = ChatExample | CompletionExample


def example(value: dict[str, Any], wants: Form) -> Example:
    """The example in a row that has no faults."""
    if wants == "chat":
        return ChatExample(value["messages"])
    return CompletionExample(value["prompt"], value["completion"])


def faults(value: Any, wants: Form) -> Iterator[Fault]:
    """Everything that is wrong with a row, in the order in which it stands there."""
    if not isinstance(value, dict):
        form = CHAT_FORM if wants == "chat" else COMPLETION_FORM
        what = f"The row is {_kind(value)}, not an object."
        yield Fault("$", "data_type", what, f"Write it as {form}")
    elif wants == "chat":
        yield from _chat(value)
    else:
        yield from _completion(value)


def _kind(value: Any) -> str:
    names = {str: "text", bool: "true or false", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), "a number")


def _wrong_form(found: str, takes: str, form: str) -> Fault:
    what = f"This is a {found} row; the model to be tuned takes {takes} rows."
    return Fault("$", "wrong_form", what, f"Write it as {form} or choose a {found} model.")


def _unknown_keys(value: dict[str, Any], known: set[str], path: str, code: str) -> Iterator[Fault]:
    for key in value:
        if key not in known:
            what = f"The key {shown(key)} is not one that we know here."
            remedy = f"Remove it; known are: {', '.join(sorted(known))}."
            yield Fault(step(path, key), code, what, remedy)


def _completion(row: dict[str, Any]) -> Iterator[Fault]:
    if "messages" in row and not {"prompt", "completion"} & set(row):
        yield _wrong_form("chat", "prompt/completion", COMPLETION_FORM)
        return
    for key in ("prompt", "completion"):
        if key not in row:
            what = f"The row has no {shown(key)}."
            yield Fault("$", "example_missing_key", what, f"Write it as {COMPLETION_FORM}")
        elif not isinstance(row[key], str):
            what = f"The {key} is {_kind(row[key])}, not text."
            yield Fault(step("$", key), "data_type", what, "Put it in quotes.")
    if row.get("completion") == "":
        what = "The completion is empty: there is nothing to learn."
        yield Fault("$.completion", "missing_content", what, "Fill it or remove the row.")
    yield from _unknown_keys(row, {"prompt", "completion"}, "$", "example_unrecognized_key")


def _chat(row: dict[str, Any]) -> Iterator[Fault]:
    messages = row.get("messages")
    if "messages" not in row and {"prompt", "completion"} & set(row):
        yield _wrong_form("prompt/completion", "chat", CHAT_FORM)
        return
    yield from _unknown_keys(row, _LINE_KEYS, "$", "example_unrecognized_key")
    yield from _tools(row, ("tools", "functions"), "$")
    if not isinstance(messages, list) or not messages:
        what = "The row has no list of messages."
        yield Fault("$.messages", "missing_messages_list", what, f"Write it as {CHAT_FORM}")
    elif len(messages) > MOST_MESSAGES:
        what = f"The row has {len(messages):,} messages; at most {MOST_MESSAGES:,} are allowed."
        yield Fault("$.messages", "too_many_messages", what, "Split the conversation.")
    else:
        yield from _messages(messages)


def _messages(messages: list[Any]) -> Iterator[Fault]:
    for at, message in enumerate(messages):
        yield from _message(message, f"$.messages[{at}]")
    if not any(isinstance(m, dict) and m.get("role") == "assistant" for m in messages):
        what = "No message has the role 'assistant': there is nothing to learn."
        remedy = "Add the answer that you want."
        yield Fault("$.messages", "example_missing_assistant_message", what, remedy)


def _message(message: Any, path: str) -> Iterator[Fault]:
    if not isinstance(message, dict):
        what = f"The message is {_kind(message)}, not an object."
        yield Fault(path, "data_type", what, 'Write {"role": "...", "content": "..."}.')
        return
    yield from _unknown_keys(message, _MESSAGE_KEYS, path, "message_unrecognized_key")
    yield from _tools(message, _CALLS, path)
    for key, look in _LOOKS.items():
        yield from look(message, step(path, key))


def _role(message: dict[str, Any], path: str) -> Iterator[Fault]:
    role = message.get("role")
    if "role" not in message:
        yield Fault(path, "message_missing_key", "The message has no role.", "Add it.")
    elif role not in _ROLES:
        what = f"{shown(role) if isinstance(role, str) else _kind(role)} is not a role."
        yield Fault(path, "unrecognized_role", what, "Use system, user or assistant.")
    elif role in ("tool", "function"):
        yield _no_tools(path)


def _content(message: dict[str, Any], path: str) -> Iterator[Fault]:
    content = message.get("content")
    if content in (None, "") and any(message.get(key) for key in _CALLS):
        return  # a call may stand without content; it is refused as a call
    if "content" not in message:
        yield Fault(path, "message_missing_key", "The message has no content.", "Add it.")
    elif content in (None, "", []):
        what = "The content is empty."
        yield Fault(path, "missing_content", what, "Fill it or remove the message.")
    elif isinstance(content, list):
        yield from _parts(content, path)
    elif not isinstance(content, str):
        what = f"The content is {_kind(content)}, not text."
        yield Fault(path, "missing_content", what, "Put it in quotes.")


def _parts(parts: list[Any], path: str) -> Iterator[Fault]:
    for at, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text" or not isinstance(part.get("text"), str):
            what = "The content part is not text; only text can be trained on."
            yield Fault(
                step(path, at), "missing_content", what, 'Write {"type": "text", "text": "..."}.'
            )


def _name(message: dict[str, Any], path: str) -> Iterator[Fault]:
    name = message.get("name")
    if name is not None and not isinstance(name, str):
        yield Fault(path, "data_type", f"The name is {_kind(name)}, not text.", "Put it in quotes.")


def _weight(message: dict[str, Any], path: str) -> Iterator[Fault]:
    weight = message.get("weight")
    if weight is None:
        return
    if isinstance(weight, bool) or weight not in (0, 1):
        remedy = "Use 1 to train on the message, 0 to keep it as context."
        yield Fault(path, "invalid_weight", "The weight is neither 0 nor 1.", remedy)
    elif message.get("role") != "assistant":
        what = "Only messages of the assistant have a weight."
        yield Fault(path, "invalid_weight", what, "Remove it.")


_Look: TypeAlias = Callable[[dict[str, Any], str], Iterator[Fault]]
_LOOKS: dict[str, _Look] = {"role": _role, "content": _content, "name": _name, "weight": _weight}


def _tools(holder: dict[str, Any], keys: tuple[str, ...], path: str) -> Iterator[Fault]:
    # Trained as plain text they would teach the model to write calls that nobody could run.
    return (_no_tools(step(path, key)) for key in keys if holder.get(key))


def _no_tools(path: str) -> Fault:
    what = "Examples with tools or functions cannot be trained on yet."
    return Fault(path, "tools_not_supported", what, "Remove the row for now; tools come later.")
