"""What each remedy tells to do, done to the letter to a row."""

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from tunewright.records.findings import Finding

ASKED, SAID = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f"}}

Deed = Callable[[bytes, Finding], list[bytes]]


def on_value(deed: Callable[[Any, Finding], Any]) -> Deed:
    """Done to the row's value: in place, or by giving another."""

    def done(raw: bytes, found: Finding) -> list[bytes]:
        value = json.loads(raw)
        made = deed(value, found)
        return [json.dumps(value if made is None else made).encode()]

    return done


def on_raw(deed: Callable[[bytes], bytes]) -> Deed:
    return lambda raw, found: deed(raw).split(b"\n")


def place(row: Any, path: str) -> tuple[Any, Any]:
    """What holds the item at a path, and its key there."""
    keys = [
        int(at) if at else name or quoted
        for name, at, quoted in re.findall(r"\.(\w+)|\[(\d+)\]|\['([^']*)'\]", path)
    ]
    for key in keys[:-1]:
        row = row[key]
    return row, keys[-1]


def message_of(row: Any, found: Finding) -> tuple[list[Any], int]:
    return row["messages"], int(re.findall(r"^\$\.messages\[(\d+)\]", found.path)[0])


def form(found: Finding) -> Any:
    """The JSON that a remedy shows, with something for its dots."""
    shown = re.findall(r"[{\[].*[}\]]", found.remedy)[0]
    return json.loads(shown.replace(", ...]", "]").replace("{...}", "{}"))


def put(value: Any) -> Deed:
    """In the place of what is wrong; of a function: what it makes of that."""

    def done(row: Any, found: Finding) -> None:
        holder, key = place(row, found.path)
        old = holder.get(key) if isinstance(holder, dict) else holder[key]
        holder[key] = value(old) if callable(value) else value

    return on_value(done)


def put_form(row: Any, found: Finding) -> Any:
    if found.path == "$" or found.code == "missing_messages_list":
        return form(found)
    holder, key = place(row, found.path)
    holder[key] = form(found)
    return None


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def as_object(arguments: Any) -> str:
    try:
        value = ast.literal_eval(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, SyntaxError):
        value = None
    return json.dumps(value if isinstance(value, dict) else {"value": value})


@on_value
def remove(row: Any, found: Finding) -> None:
    holder, key = place(row, found.path)
    del holder[key]


@on_value
def remove_message(row: Any, found: Finding) -> None:
    messages, at = message_of(row, found)
    del messages[at]


def remove_row(raw: bytes, found: Finding) -> list[bytes]:
    return []


def keep_first(raw: bytes, found: Finding) -> list[bytes]:
    value = json.loads(raw, object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    return [json.dumps(value).encode()]


def completed(raw: bytes) -> bytes:
    """With the ends of all that is open."""
    open_ = ""
    for mark in re.findall(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', raw.decode()):
        if mark[0] == '"' and (mark == '"' or mark[-1] != '"'):
            open_ = '"' + open_
        elif mark in "[{":
            open_ = ("]" if mark == "[" else "}") + open_
        elif mark in "]}":
            open_ = open_[1:]
    return raw + open_.encode()


def each_on_a_line(raw: bytes) -> bytes:
    first, end = json.JSONDecoder().raw_decode(raw.decode())
    return json.dumps(first).encode() + b"\n" + raw.decode()[end:].strip().encode()


def number_as_text(raw: bytes) -> bytes:
    return re.sub(rb": (-?\d+e\d+)", rb': "\1"', raw)


def without_halves(raw: bytes) -> bytes:
    pair = rb"(\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w)|\\u[dD][89a-fA-F]\w\w"
    return re.sub(pair, lambda found: found[1] or b"", raw)


@on_value
def add(row: Any, found: Finding) -> None:
    holder, key = place(row, found.path)
    calls = [c for m in row["messages"] if isinstance(m, dict) for c in m.get("tool_calls") or ()]
    missing = {
        "role": "user",
        "content": "Hi",
        "tool_call_id": calls[0]["id"] if calls else "call_1",
        "name": "f",
    }
    holder[key] = missing[key]


@on_value
def declare(row: Any, found: Finding) -> None:
    name = re.findall(r"function '([^']*)'", found.message)[0]
    key = re.findall(r" into (\w+)\.", found.remedy)[0]
    made = form(found)
    made.get("function", made)["name"] = name
    row[key] = [*(row.get(key) or ()), made]


@on_value
def all_into_tools(row: Any, found: Finding) -> None:
    row["tools"] += [{"type": "function", "function": f} for f in row.pop("functions")]


@on_value
def keep_one(row: Any, found: Finding) -> None:
    name = re.findall(r"'([^']*)'", found.message)[0]
    of_it = [tool for tool in row["tools"] if tool["function"]["name"] == name]
    row["tools"] = [tool for tool in row["tools"] if tool not in of_it] + of_it[:1]


@on_value
def correct(row: Any, found: Finding) -> None:
    holder, key = place(row, found.path)
    holder[key] = {"parameters": {"type": "object"}, "strict": True, "description": "x"}[key]


@on_value
def without_tools(row: Any, found: Finding) -> None:
    for key in ("tools", "functions", "parallel_tool_calls"):
        row.pop(key, None)
    row["messages"] = [
        message
        for message in row["messages"]
        if message["role"] not in ("tool", "function")
        and {"tool_calls", "function_call"}.isdisjoint(message)
    ]


@on_value
def give_the_id(row: Any, found: Finding) -> None:
    messages, at = message_of(row, found)
    before = next((m for m in reversed(messages[:at]) if m.get("tool_calls")), None)
    if before is None:  # there is none: what is left is the other choice
        del messages[at]
    else:
        messages[at]["tool_call_id"] = before["tool_calls"][0]["id"]


@on_value
def add_the_result(row: Any, found: Finding) -> None:
    messages, at = message_of(row, found)
    holder, which = place(row, found.path)
    result = {"role": "tool", "tool_call_id": holder[which]["id"], "content": "7"}
    messages.insert(at + 1, result)


@on_value
def after_its_call(row: Any, found: Finding) -> None:
    messages, at = message_of(row, found)
    called = {"name": messages[at]["name"], "arguments": "{}"}
    messages.insert(at, {"role": "assistant", "content": None, "function_call": called})


@on_value
def add_the_answer(row: Any, found: Finding) -> None:
    row["messages"].append(SAID)


@on_value
def give_the_role(row: Any, found: Finding) -> None:
    messages, at = message_of(row, found)
    messages[at]["role"] = "assistant"


@on_value
def write_what_was_said(row: Any, found: Finding) -> None:
    messages, at = message_of(row, found)
    messages[at]["content"] = "said"
    del messages[at]["audio"]


@on_value
def only_named_keys(row: Any, found: Finding) -> Any:
    return {key: row[key] for key in ("messages", "tools", "metadata") if key in row}


@on_value
def with_the_form(row: Any, found: Finding) -> Any:
    return form(found) | row


def split(raw: bytes, found: Finding) -> list[bytes]:
    row = json.loads(raw)
    half = len(row["messages"]) // 2
    parts = row["messages"][:half], row["messages"][half:]
    return [json.dumps(row | {"messages": part}).encode() for part in parts]


@on_value
def shorten(row: Any, found: Finding) -> None:
    longest = max(row["messages"], key=lambda message: len(message["content"]))
    longest["content"] = longest["content"][:100]


@on_value
def only_needed_tools(row: Any, found: Finding) -> None:
    row["tools"] = row["tools"][:1]


# By code: words that stand in what is said, and what they tell to do. Of several, each is a choice.
REMEDIES: dict[str, list[tuple[str, Deed]]] = {
    "invalid_json": [
        ("End each line with a line feed", on_raw(lambda raw: raw.replace(b"\r", b"\n"))),
        ("Remove the byte order mark", on_raw(lambda raw: raw.removeprefix(b"\xef\xbb\xbf"))),
        ("breaks off here: complete it, on this line", on_raw(completed)),
        (", or remove it", remove_row),
        ("Remove the comma", on_raw(lambda raw: re.sub(rb",\s*([}\]])", rb"\1", raw))),
        (
            "Write the row anew with json.dumps",
            lambda raw, found: [json.dumps(ast.literal_eval(raw.decode())).encode()],
        ),
        ("each object on a line of its own", on_raw(each_on_a_line)),
        (
            "leave it out, with its key",
            on_raw(lambda raw: re.sub(rb', "\w+": (NaN|-?Infinity)', b"", raw)),
        ),
        ("Write the number as text", on_raw(number_as_text)),
        ("Remove the escape", on_raw(without_halves)),
        ("Remove the NUL characters", on_raw(lambda raw: raw.replace(b"\0", b""))),
    ],
    "invalid_utf8": [
        ("Save the file as UTF-8", on_raw(lambda raw: raw.decode("latin-1").encode())),
        ("remove what is not", on_raw(lambda raw: raw.decode(errors="ignore").encode())),
    ],
    "number_too_large": [("Write it as text", put(as_text))],
    "nul_character": [("Remove it", on_raw(lambda raw: raw.replace(b"\\u0000", b"")))],
    "duplicate_key": [
        ("Keep one of the two", on_value(lambda row, found: row)),
        ("Keep one of the two", keep_first),
    ],
    "too_deep": [
        ("Write it flatter", lambda raw, found: [json.dumps({"messages": [ASKED, SAID]}).encode()]),
        ("remove the row", remove_row),
    ],
    "too_many_keys": [("Leave out those that the format does not name", only_named_keys)],
    "data_type": [
        ("Write it as {", on_value(put_form)),
        ("Write {", on_value(put_form)),
        ("Write [", on_value(put_form)),
        ("Write true or false", put(True)),
        ("Write it as text", put(as_text)),
        ("leave it out", remove),
        ("Remove them", remove),
    ],
    "too_long": [
        ("Shorten the prompt", shorten),
        ("Shorten or split it", split),
        ("leave out such rows: tunewright data prepare", remove_row),
    ],
    "missing_messages_list": [("Write it as {", on_value(put_form))],
    "example_missing_key": [("Write it as {", with_the_form)],
    "example_unrecognized_key": [("Remove it", remove)],
    "message_unrecognized_key": [("Remove it", remove)],
    "message_missing_key": [("Add it", add)],
    "unrecognized_role": [
        ("user or assistant", put("user")),
        ("user or assistant", put("assistant")),
        ("Use system", put("system")),
    ],
    "example_missing_assistant_message": [("Add the answer", add_the_answer)],
    "missing_content": [
        ("Fill it", put("Hello")),
        ("remove the message", remove_message),
        ("remove the row", remove_row),
        ("Write it as text", put(as_text)),
        ("say it in words", put({"type": "text", "text": "a picture of a cat"})),
        ("Remove it, or", remove),
        ("Write what was said into content", write_what_was_said),
    ],
    "invalid_weight": [
        ("Use 1 to train", put(1)),
        ("0 to keep it", put(0)),
        ("Remove it", remove),
    ],
    "tools_not_supported": [
        ("Leave tools and calls out", without_tools),
        ("remove the rows that use tools", remove_row),
    ],
    "invalid_tools": [
        ("Put all into tools", all_into_tools),
        ("Keep one of the two", keep_one),
        ("Declare those that the row needs", only_needed_tools),
        ("letters, digits, _ and -", put(lambda name: re.sub(r"[^\w-]", "_", name or "f"))),
        ("Correct it", correct),
        ("leave it out", remove),
        ("Write {", on_value(put_form)),
        ("Remove it. Known keys", remove),
    ],
    "invalid_tool_call": [
        ('Add one, such as "call_1"', put("call_1")),
        ("letters, digits, _ and -", put("f")),
        ("Write an object with json.dumps", put(as_object)),
        ('"{}" for none', put("{}")),
        ('Write "type": "function"', put("function")),
        ("Write {", on_value(put_form)),
        ("Write [", on_value(put_form)),
        ("leave it out", remove),
        ("an id of its own", put("call_2")),
        ("Remove it", remove),
        ("give the role 'assistant'", give_the_role),
        ("Keep tool_calls", remove),
    ],
    "unknown_tool_call_id": [
        ("Give the id of a call", give_the_id),
        ("remove the message", remove_message),
    ],
    "unanswered_tool_call": [("Add the result right after the call", add_the_result)],
    "unknown_function": [
        ("Declare it: put {", declare),
        ("Put it after its function_call", after_its_call),
        ("remove the message", remove_message),
    ],
}
