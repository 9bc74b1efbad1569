"""What one line of a training file may be.

{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
{"prompt": "Hi ->", "completion": " Hello"}
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tunewright.dataset import calls
from tunewright.dataset.blocks import is_in_blocks
from tunewright.dataset.layouts import is_text, layout_of
from tunewright.dataset.remedies import PREPARE
from tunewright.records.messages import MESSAGE_KEYS, REASONING_KEYS
from tunewright.records.parts import RefusalPart, TextPart
from tunewright.rendering.turns import Tool, as_tools
from tunewright.tables.problems import AS_TEXT, Fault, kind, shown, step, unknown_keys

Form: TypeAlias = Literal["chat", "completion"]

CHAT_FORM = (
    '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}'
)
COMPLETION_FORM = '{"prompt": "...", "completion": "..."}'
MOST_MESSAGES = 2048
_ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_SPEAKERS = ("system", "developer", "user", "assistant")
_LINE_KEYS = {"messages", "tools", "parallel_tool_calls", "functions", "metadata"}
_RESULTS = ("tool", "function")
_PREFERENCE_KEYS = {"preferred_output", "non_preferred_output", "chosen", "rejected"}
_COMPLETION_KEYS = {"prompt", "completion"}
_MOST_METADATA = 16  # keys, as in OpenAI's objects
FORMS = {"chat": "chat", "completion": "prompt/completion", "preference": "preference (DPO)"}


@dataclass(frozen=True, slots=True)
class ChatExample:
    """A conversation, its messages and tools as OpenAI writes them."""

    messages: list[dict[str, Any]]
    tools: Sequence[Tool] = ()  # functions too, as tools
    metadata: Mapping[str, str] = field(default_factory=dict)  # who wrote it, say; not trained on


@dataclass(frozen=True, slots=True)
class CompletionExample:
    prompt: str
    completion: str
    metadata: Mapping[str, str] = field(default_factory=dict)


Example: TypeAlias = ChatExample | CompletionExample


def example(value: dict[str, Any], wants: Form) -> Example:
    """The example in a row that has no faults."""
    if wants == "chat":
        tools = value.get("tools") or as_tools(value.get("functions") or [])
        return ChatExample(value["messages"], tools, value.get("metadata") or {})
    return CompletionExample(value["prompt"], value["completion"], value.get("metadata") or {})


def form_of(value: Any) -> str | None:
    """Which of `FORMS` a row was meant to have, by its keys; None where they tell nothing."""
    if not isinstance(value, dict):
        return None
    if not _PREFERENCE_KEYS.isdisjoint(value):
        return "preference"
    if "messages" in value:
        return "chat"
    return None if _COMPLETION_KEYS.isdisjoint(value) else "completion"


def faults(value: Any, wants: Form) -> Iterator[Fault]:
    """Everything that is wrong with a row, in the order in which it stands there."""
    if wants == "chat" and isinstance(value, dict) and is_plain(value):
        return
    if fault := _other_layout(value, wants):
        yield fault
    elif not isinstance(value, dict):
        form = CHAT_FORM if wants == "chat" else COMPLETION_FORM
        what = f"The row is {kind(value)}, not an object."
        yield Fault("$", "data_type", what, f"Write it as {form}")
    elif form_of(value) == "preference":
        yield _preference(wants)
    elif wants == "chat":
        yield from _chat(value)
    else:
        yield from _completion(value)


def _other_layout(value: Any, wants: Form) -> Fault | None:
    """One for each layout: it is said once, with all lines."""
    form = form_of(value)
    if form == "preference" or (form and value.keys() >= _COMPLETION_KEYS):
        return None
    if form == "chat" and not is_in_blocks(value):
        return None
    if wants == "completion" and is_text(value):
        name = "a text alone"
    elif found := layout_of(value):
        name = found.name
    else:
        return None
    what = f"The row is in another layout: {name}."
    return Fault("$", "other_layout", what, f"Convert the file: {PREPARE}")


def _wrong_form(found: str, takes: str, remedy: str) -> Fault:
    what = f"The row is in the {found} form; the model to be tuned takes {takes} rows."
    return Fault("$", "wrong_form", what, remedy)


def is_plain(row: dict[str, Any]) -> bool:
    """Proof that nothing is wrong with a row of plain messages, as most are.

    Looking at it key by key, with a path for each, takes 30 times as long.
    """
    messages = row.get("messages")
    if len(row) != 1 or type(messages) is not list or len(messages) > MOST_MESSAGES:
        return False
    answered = False
    for message in messages:
        if type(message) is not dict or len(message) != 2:
            return False
        role, content = message.get("role"), message.get("content")
        if role not in _SPEAKERS or type(content) is not str or not content:
            return False
        answered = answered or role == "assistant"
    return answered


def _preference(wants: Form) -> Fault:
    what = "The row is in the preference (DPO) form; only supervised tuning is offered."
    if wants == "chat":
        remedy = f"Keep what was asked with the preferred answer: {PREPARE}"
    else:
        remedy = f"Keep what was asked with the preferred answer: {COMPLETION_FORM}"
    return Fault("$", "preference_row", what, remedy)


def _completion(row: dict[str, Any]) -> Iterator[Fault]:
    if form_of(row) == "chat" and _COMPLETION_KEYS.isdisjoint(row):
        remedy = (
            "Tune a chat model with it, such as gpt-3.5-turbo. A base that only lacks a chat "
            "template gets one where it is added (tunewright models add --chat-template FILE)."
        )
        yield _wrong_form("chat", "prompt/completion", remedy)
        return
    for key in ("prompt", "completion"):
        if key not in row:
            what = f"The row has no {shown(key)}."
            yield Fault("$", "example_missing_key", what, f"Write it as {COMPLETION_FORM}")
        elif not isinstance(row[key], str):
            what = f"The {key} is {kind(row[key])}, not text."
            yield Fault(step("$", key), "data_type", what, AS_TEXT)
    if row.get("completion") == "":
        what = "The completion is empty: there is nothing to train on."
        yield Fault("$.completion", "missing_content", what, "Fill it or remove the row.")
    known = {*_COMPLETION_KEYS, "metadata"}
    yield from unknown_keys(row, known, "$", "example_unrecognized_key")
    yield from _metadata(row)


def _chat(row: dict[str, Any]) -> Iterator[Fault]:
    messages = row.get("messages")
    if form_of(row) == "completion":
        remedy = f"Convert the file ({PREPARE}), or tune a completion model with it."
        yield _wrong_form("prompt/completion", "chat", remedy)
        return
    yield from unknown_keys(row, _LINE_KEYS, "$", "example_unrecognized_key")
    yield from _metadata(row)
    yield from calls.declared(row)
    if not isinstance(messages, list) or not messages:
        what = "The row has no list of messages."
        yield Fault("$.messages", "missing_messages_list", what, f"Write it as {CHAT_FORM}")
    elif len(messages) > MOST_MESSAGES:
        what = f"The row has {len(messages):,} messages; at most {MOST_MESSAGES:,} are allowed."
        yield Fault("$.messages", "too_many_messages", what, "Split the conversation.")
    else:
        yield from _messages(messages)
        yield from calls.followed(row)


def _metadata(row: dict[str, Any]) -> Iterator[Fault]:
    metadata = row.get("metadata")
    if metadata is None:
        return
    if not isinstance(metadata, dict) or len(metadata) > _MOST_METADATA:
        what = f"The metadata is {kind(metadata)}, not an object of up to {_MOST_METADATA} keys."
        yield Fault("$.metadata", "data_type", what, 'Write {"annotator": "..."} or leave it out.')
        return
    for key, value in metadata.items():
        if not isinstance(value, str):
            what = f"The metadata {shown(key)} is {kind(value)}, not text."
            yield Fault(step("$.metadata", key), "data_type", what, AS_TEXT)


def _messages(messages: list[Any]) -> Iterator[Fault]:
    for at, message in enumerate(messages):
        yield from _message(message, f"$.messages[{at}]")
    if not any(isinstance(m, dict) and m.get("role") == "assistant" for m in messages):
        what = "No message has the role 'assistant': there is nothing to train on."
        remedy = "Add the answer that you want."
        yield Fault("$.messages", "example_missing_assistant_message", what, remedy)


def _message(message: Any, path: str) -> Iterator[Fault]:
    if not isinstance(message, dict):
        what = f"The message is {kind(message)}, not an object."
        yield Fault(path, "data_type", what, 'Write {"role": "...", "content": "..."}.')
        return
    yield from unknown_keys(message, MESSAGE_KEYS, path, "message_unrecognized_key")
    yield from calls.called(message, path)
    for key, look in _LOOKS.items():
        yield from look(message, step(path, key))


def _role(message: dict[str, Any], path: str) -> Iterator[Fault]:
    role = message.get("role")
    if "role" not in message:
        yield Fault(path, "message_missing_key", "The message has no role.", "Add it.")
    elif role not in _ROLES:
        what = f"{shown(role) if isinstance(role, str) else kind(role)} is not a role."
        yield Fault(path, "unrecognized_role", what, "Use system, user or assistant.")


def _content(message: dict[str, Any], path: str) -> Iterator[Fault]:
    content = message.get("content")
    empty = content in (None, "", []) or _is_empty(content)
    if empty and (message.get("tool_calls") or message.get("function_call")):
        return  # who calls need not speak
    if empty and message.get("refusal"):
        return  # it is what was said
    if empty and content is not None and message.get("role") in _RESULTS:
        return
    if "content" not in message:
        yield Fault(path, "message_missing_key", "The message has no content.", "Add it.")
    elif empty:
        what = "The content is empty."
        yield Fault(path, "missing_content", what, "Fill it or remove the message.")
    elif isinstance(content, list):
        yield from _parts(content, message.get("role"), path)
    elif not isinstance(content, str):
        what = f"The content is {kind(content)}, not text."
        yield Fault(path, "missing_content", what, AS_TEXT)


def _is_empty(content: Any) -> bool:
    """Whether it is a list of parts, none of which says anything."""
    return isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and part.get("text") == ""
        for part in content
    )


def _parts(parts: list[Any], role: Any, path: str) -> Iterator[Fault]:
    forms = {"text": TextPart, **({"refusal": RefusalPart} if role == "assistant" else {})}
    for at, part in enumerate(parts):
        name = part.get("type") if isinstance(part, dict) else None
        form = forms.get(name) if isinstance(name, str) else None
        if form is None or not isinstance(part.get(name), str):
            what = "The content part is not text; only text can be trained on."
            remedy = 'Remove it, or say it in words: {"type": "text", "text": "..."}.'
            yield Fault(step(path, at), "missing_content", what, remedy)
        else:
            known = set(form.model_fields)
            yield from unknown_keys(part, known, step(path, at), "message_unrecognized_key")


def _name(message: dict[str, Any], path: str) -> Iterator[Fault]:
    name = message.get("name")
    if name is not None and not isinstance(name, str):
        yield Fault(path, "data_type", f"The name is {kind(name)}, not text.", AS_TEXT)


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


def _assistants_text(message: dict[str, Any], path: str) -> Iterator[Fault]:
    """What only an assistant has beside its content: a refusal, a train of thought."""
    key = path.rpartition(".")[2]
    value = message.get(key)
    if value is None:
        return
    if not isinstance(value, str):
        what = f"The {key} is {kind(value)}, not text."
        yield Fault(path, "data_type", what, f"{AS_TEXT[:-1]}, or leave it out.")
    elif message.get("role") != "assistant":
        what = f"Only messages of the assistant have a {key}."
        yield Fault(path, "message_unrecognized_key", what, "Remove it.")


def _audio(message: dict[str, Any], path: str) -> Iterator[Fault]:
    if message.get("audio") is not None:
        what = "The message has audio; only text can be trained on."
        yield Fault(path, "missing_content", what, "Write what was said into content.")


def _annotations(message: dict[str, Any], path: str) -> Iterator[Fault]:
    value = message.get("annotations")
    if value is not None and not isinstance(value, list):
        what = f"The annotations are {kind(value)}, not a list."
        yield Fault(path, "data_type", what, "Remove them: they are not trained on.")


_Look: TypeAlias = Callable[[dict[str, Any], str], Iterator[Fault]]
_LOOKS: dict[str, _Look] = {
    "role": _role,
    "content": _content,
    "name": _name,
    "weight": _weight,
    "audio": _audio,
    "annotations": _annotations,
    **dict.fromkeys(("refusal", *REASONING_KEYS), _assistants_text),
}
