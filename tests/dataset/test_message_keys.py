"""One list of a message's keys: what a chat takes, the check takes, and `data prepare` writes."""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tunewright.dataset.columns import Columns
from tunewright.dataset.examples import faults
from tunewright.dataset.preparation import prepare
from tunewright.errors import BadRequest
from tunewright.records.completions import ChatRequest
from tunewright.records.messages import MESSAGE_KEYS
from tunewright.rendering.turns import Dialect, turns

REPOSITORY = Path(__file__).parents[2]
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
TOOLS = [{"type": "function", "function": {"name": "f"}}]
USER = {"role": "user", "content": "Hi"}
SAID = {"role": "assistant", "content": "Hello."}
# A message of each key with a value, and those that go with it.
FILLED: dict[str, list[dict[str, Any]]] = {
    "role": [SAID],
    "content": [SAID],
    "name": [{**SAID, "name": "Ada"}],
    "weight": [{**SAID, "weight": 1}],
    "refusal": [{"role": "assistant", "content": None, "refusal": "No."}],
    "reasoning_content": [{**SAID, "reasoning_content": "Hm."}],
    "reasoning": [{**SAID, "reasoning": "Hm."}],
    "thinking": [{**SAID, "thinking": "Hm."}],
    "audio": [{**SAID, "audio": None}],
    "annotations": [{**SAID, "annotations": [{"type": "url_citation", "url_citation": {}}]}],
    "parsed": [{**SAID, "parsed": {"answer": 7}}],
    "function_call": [{"role": "assistant", "function_call": CALL["function"]}],
    "tool_calls": [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
    "tool_call_id": [
        {"role": "assistant", "tool_calls": [{**CALL, "index": 0}]},
        {"role": "tool", "tool_call_id": "c", "content": "7"},
        SAID,
    ],
}


def taken(messages: list[dict[str, Any]], tools: bool) -> list[bool]:
    """By a chat, the check, and `data prepare`."""
    more = {"tools": TOOLS} if tools else {}
    answers = [not list(faults({"messages": messages, **more}, "chat"))]
    try:
        ChatRequest.parse({"model": "m", "messages": messages, **more})
        answers.insert(0, True)
    except BadRequest:
        answers.insert(0, False)
    if not tools:  # a column of conversations declares none
        answers.append(is_prepared(messages))
    return answers


def is_prepared(messages: list[dict[str, Any]]) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.jsonl"
        table.write_text(json.dumps({"talk": messages}) + "\n")
        try:
            prepare(table, Path(folder) / "out.jsonl", Columns(messages=("talk",)))
        except BadRequest:
            return False
    return True


def test_each_key_is_tried():
    assert set(FILLED) == MESSAGE_KEYS


@pytest.mark.parametrize("key", FILLED)
def test_chat_check_and_prepare_take_the_same_keys(key):
    messages = [USER, *FILLED[key]]
    assert set(taken(messages, tools="call" in key)) == {True}
    assert set(taken([{**USER, "role": "user"}, {**SAID, key: SAID.get(key)}], tools=False)) == {
        True
    }


@pytest.mark.parametrize(
    "message",
    [
        {**SAID, "mood": "good"},
        {**SAID, "audio": {"id": "audio_1"}},
        {**SAID, "refusal": 7},
        {**SAID, "weight": 2},
        {"role": "user", "content": "x", "reasoning_content": "Hm."},
        {"role": "assistant", "content": None, "refusal": None},
    ],
    ids=str,
)
def test_chat_check_and_prepare_refuse_the_same(message):
    assert set(taken([USER, SAID, message], tools=False)) == {False}


DUMP = """
import json
from openai.types.chat import ChatCompletionMessage as Message
call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
said = Message.model_validate({"role": "assistant", "content": "Hello.", "annotations": []})
called = Message.model_validate({"role": "assistant", "content": None, "tool_calls": [call]})
refused = Message.model_validate({"role": "assistant", "content": None, "refusal": "No."})
print(json.dumps([message.model_dump() for message in (said, called, refused)]))
"""


@pytest.mark.parametrize("version", ["1.109.1", "2.54.0", "3.54.0"])
def test_whatever_an_sdk_dumps_of_a_message_is_taken(version):
    python = REPOSITORY / ".sdk" / version / "bin/python"
    if not python.exists():
        pytest.skip(f"openai {version} is not installed (make sdk)")
    out = subprocess.run([python, "-c", DUMP], check=True, capture_output=True, text=True).stdout
    said, called, refused = json.loads(out)
    result = {"role": "tool", "tool_call_id": "c", "content": "7"}
    assert {"refusal", "audio", "function_call", "tool_calls"} <= set(said)
    for messages in ([USER, said], [USER, called, result, said], [USER, refused]):
        assert set(taken(messages, tools=True)) == {True}


def test_a_part_that_refuses_is_taken_from_assistants_only() -> None:
    part = {"type": "refusal", "refusal": "No."}
    assert taken([USER, {"role": "assistant", "content": [part]}], tools=False) == [True] * 3
    assert taken([{"role": "user", "content": [part]}, SAID], tools=False)[:2] == [False] * 2


@pytest.mark.parametrize(
    "arguments", ['{"x": "\\ud800"}', '{"x": 1e999}', '{"x": NaN}', "\ufeff{}", "1", '{"x": ']
)
def test_arguments_are_strict_json_in_a_chat_and_in_a_row(arguments: str) -> None:
    call = {**CALL, "function": {"name": "f", "arguments": arguments}}
    messages = [USER, {"role": "assistant", "tool_calls": [call]}]
    [fault] = faults({"messages": messages, "tools": TOOLS}, "chat")
    assert fault.code == "invalid_tool_call"
    with pytest.raises(BadRequest, match="JSON object"):
        turns(messages, Dialect())


@pytest.mark.parametrize("content", ["", None, [], [{"type": "text", "text": ""}]])
def test_an_empty_answer_is_one_however_it_is_written(content: Any) -> None:
    [fault] = faults({"messages": [USER, {"role": "assistant", "content": content}]}, "chat")
    assert fault.code == "missing_content"
    calls = {"role": "assistant", "content": content, "tool_calls": [CALL]}
    assert list(faults({"messages": [USER, calls], "tools": TOOLS}, "chat")) == []
