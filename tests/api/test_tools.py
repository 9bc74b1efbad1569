"""Chats that call functions: refused where the base knows none, else trained and served."""

import json
import os
import subprocess
from typing import Any

import pytest

from api.tool_base import ARGUMENTS, TOOLS, WEATHER, call, rows, write_tool_base
from servers import REPOSITORY, Server
from tunewright import Tunewright

USER = {"role": "user", "content": "w?"}
CALLED = {"role": "assistant", "content": None, "tool_calls": [call()]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "7"}
MISSING = "missing_required_parameter"


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def only(*names: str, mode: str = "auto") -> dict[str, Any]:
    tools = [named(name) for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"tools": TOOLS}, "tools", "tools_not_supported"),
        ({"functions": [WEATHER]}, "tools", "tools_not_supported"),
        ({"messages": [USER, CALLED, RESULT]}, "messages", "tools_not_supported"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
        ({"tools": [{**TOOLS[0], "type": "retrieval"}]}, "tools[0].type", "invalid_value"),
        ({"tools": TOOLS * 129}, "tools", "array_above_max_length"),
        ({"tools": TOOLS, "functions": [WEATHER]}, "functions", "invalid_value"),
        ({"tools": TOOLS, "tool_choice": "must"}, "tool_choice", "invalid_value"),
        ({"tools": TOOLS, "tool_choice": named("time")}, "tool_choice", "invalid_value"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice.function", MISSING),
        ({"tools": TOOLS, "tool_choice": only("time")}, "tool_choice", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"functions": [WEATHER], "function_call": {"name": "f"}},
            "function_call",
            "invalid_value",
        ),
        ({"functions": [WEATHER], "function_call": "required"}, "function_call", "invalid_value"),
        ({"messages": [USER, RESULT]}, "messages[1].tool_call_id", "invalid_value"),
        ({"messages": [USER, CALLED, USER]}, "messages[1].tool_calls[0]", "invalid_value"),
        (
            {"messages": [USER, {"role": "tool", "content": "7"}]},
            "messages[1].tool_call_id",
            "missing_required_parameter",
        ),
        (
            {"messages": [{**USER, "tool_calls": [call()]}]},
            "messages[0].tool_calls",
            "invalid_value",
        ),
        (
            {"messages": [{"role": "assistant", "content": None}]},
            "messages[0].content",
            "missing_required_parameter",
        ),
    ],
)
def test_what_cannot_be_called_is_refused_by_name(
    server: Server, more: dict[str, Any], param: str, code: str
) -> None:
    body = {"model": "gpt-3.5-turbo", "messages": [USER], **more}
    answer = server.http.post("/chat/completions", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code), error


def test_what_asks_for_no_call_is_accepted_and_an_answer_comes_back(server: Server) -> None:
    nothing = {"tools": [], "tool_choice": "none", "parallel_tool_calls": True, "functions": None}
    body = {"model": "gpt-3.5-turbo", "messages": [USER], "max_tokens": 2, **nothing}
    message = server.http.post("/chat/completions", json=body).json()["choices"][0]["message"]
    assert set(message) == {"role", "content", "refusal"}
    body["messages"] = [USER, message, USER]
    assert server.http.post("/chat/completions", json=body).status_code == 200


@pytest.fixture(scope="module")
def caller(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[Server, str]:
    """The server, and a model that was tuned through it to call `weather`."""
    base = write_tool_base(tmp_path_factory.mktemp("tools") / "base")
    tw = Tunewright(server.home)
    tw.add_base("caller", str(base), measure=False)
    tw.close()
    hyper = {"n_epochs": 12, "batch_size": 4, "adaptation": "full"}
    job = server.wait(
        server.job(
            model="caller",
            training_file=server.upload(rows(12)),
            method={"type": "supervised", "supervised": {"hyperparameters": hyper}},
        )["id"]
    )
    assert job["status"] == "succeeded", job
    return server, job["fine_tuned_model"]


def ask(caller: tuple[Server, str], **more: Any) -> dict[str, Any]:
    server, model = caller
    body = {"model": model, "messages": [USER], "temperature": 0, "max_tokens": 300, **more}
    answer = server.http.post("/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"][0]


def test_a_model_tuned_on_calls_calls(caller: tuple[Server, str]) -> None:
    choice = ask(caller, tools=TOOLS)
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    [made] = choice["message"]["tool_calls"]
    assert made["id"].startswith("call_")
    assert made["function"] == {"name": "weather", "arguments": ARGUMENTS}
    back = {"role": "tool", "tool_call_id": made["id"], "content": "7"}
    assert ask(caller, tools=TOOLS, messages=[USER, choice["message"], back])["finish_reason"]


def test_without_tools_and_with_others_the_same_text_is_content(caller: tuple[Server, str]) -> None:
    other = [{"type": "function", "function": {**WEATHER, "name": "time"}}]
    for more in ({}, {"tools": TOOLS, "tool_choice": "none"}, {"tools": other}):
        choice = ask(caller, **more)
        assert "tool_calls" not in choice["message"]
        assert choice["message"]["content"]
        assert choice["finish_reason"] in ("stop", "length")


CLOCK = {
    "name": "clock",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"zone": {"enum": ["UTC", "CET"]}},
        "required": ["zone"],
        "additionalProperties": False,
    },
}
BOTH = [*TOOLS, {"type": "function", "function": CLOCK}]
MOOD = {
    "type": "json_schema",
    "json_schema": {
        "name": "mood",
        "schema": {"type": "object", "properties": {"mood": {"enum": ["glad"]}},
                   "required": ["mood"], "additionalProperties": False},
    },
}  # fmt: skip


def test_a_function_that_is_asked_for_is_called(caller: tuple[Server, str]) -> None:
    # Left alone the model always calls `weather`; OpenAI ends a call by name with "stop".
    choice = ask(caller, tools=BOTH, tool_choice=named("clock"), temperature=1)
    [made] = choice["message"]["tool_calls"]
    assert made["function"]["name"] == "clock"
    assert json.loads(made["function"]["arguments"])["zone"] in ("UTC", "CET")
    assert choice["finish_reason"] == "stop"
    must = {"tool_choice": only("clock", mode="required"), "parallel_tool_calls": False}
    choice = ask(caller, tools=BOTH, **must)
    [made] = choice["message"]["tool_calls"]
    assert made["function"]["name"] == "clock"
    assert choice["finish_reason"] == "tool_calls"
    choice = ask(caller, functions=[WEATHER, CLOCK], function_call={"name": "clock"})
    assert choice["message"]["function_call"]["name"] == "clock"
    assert choice["finish_reason"] == "stop"


def test_a_call_can_be_required_of_whom_never_learned_to_call(caller: tuple[Server, str]) -> None:
    for seed in range(3):
        more = {"tools": BOTH[1:], "tool_choice": "required", "parallel_tool_calls": False}
        choice = ask(caller, model="caller", temperature=1.5, seed=seed, **more)
        [made] = choice["message"]["tool_calls"]
        assert json.loads(made["function"]["arguments"])["zone"] in ("UTC", "CET")
        assert choice["message"]["content"] is None
        assert choice["finish_reason"] == "tool_calls"


def test_a_forced_call_without_arguments_comes_whole(caller: tuple[Server, str]) -> None:
    """However a framework says that a function has none; its model never learned to call."""
    for parameters in (None, {"type": "object", "properties": {}}, {"properties": {}}):
        ping = {"type": "function", "function": {"name": "ping", "parameters": parameters}}
        asked = {"tools": [ping], "tool_choice": named("ping"), "temperature": 1.5}
        for seed in range(4):
            choice = ask(caller, model="caller", seed=seed, max_tokens=60, **asked)
            [made] = choice["message"]["tool_calls"]
            assert (made["function"]["name"], made["function"]["arguments"]) == ("ping", "{}")
            assert choice["finish_reason"] == "stop"


def test_a_forced_call_that_is_cut_is_a_call_in_part(caller: tuple[Server, str]) -> None:
    """Streamed or not: its name, its arguments as far as they go, and no markup as content."""
    asked = {"tools": BOTH[1:], "tool_choice": named("clock"), "model": "caller"}
    server, _ = caller
    for limit in (1, 6, 12):
        choice = ask(caller, max_tokens=limit, **asked)
        assert choice["finish_reason"] == "length"
        assert choice["message"]["content"] is None
        [made] = choice["message"]["tool_calls"]
        assert made["function"]["name"] == "clock"
        assert '{"zone":"UTC"}'.startswith("".join(made["function"]["arguments"].split())[:8])
        body = {"messages": [USER], "temperature": 0, "max_tokens": limit, "stream": True, **asked}
        lines = server.http.post("/chat/completions", json=body).text.splitlines()
        chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
        assert not "".join(delta.get("content") or "" for delta in deltas)
        [[told]] = [delta["tool_calls"] for delta in deltas if "tool_calls" in delta]
        assert told["function"] == made["function"]
        assert chunks[-1]["choices"][0]["finish_reason"] == "length"


def test_strict_arguments_hold_and_json_goes_with_tools(caller: tuple[Server, str]) -> None:
    for seed in range(4):
        choice = ask(caller, model="caller", tools=BOTH, response_format=MOOD, seed=seed,
                     temperature=1)  # fmt: skip
        for made in choice["message"].get("tool_calls", []):
            json.loads(made["function"]["arguments"])
        if choice["finish_reason"] == "stop":
            assert json.loads(choice["message"]["content"]) == {"mood": "glad"}
    [made] = ask(caller, tools=BOTH, response_format=MOOD)["message"]["tool_calls"]
    assert made["function"] == {"name": "weather", "arguments": ARGUMENTS}


def test_the_older_functions_answer_in_the_older_form(caller: tuple[Server, str]) -> None:
    choice = ask(caller, functions=[WEATHER])
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": ARGUMENTS}
    assert "tool_calls" not in choice["message"]


_SDK = """
import json, sys, openai
model, tools = sys.argv[1], json.loads(sys.argv[2])
asked = dict(model=model, messages=[{"role": "user", "content": "w?"}], tools=tools,
             temperature=0, max_tokens=40)
with openai.OpenAI().chat.completions.stream(**asked) as stream:
    choice = stream.get_final_completion().choices[0]
print(json.dumps(choice.model_dump(mode="json")))

from typing import Literal
from pydantic import BaseModel

class Clock(BaseModel):
    zone: Literal["UTC", "CET"]

asked |= dict(tools=[openai.pydantic_function_tool(Clock)], tool_choice="required",
              parallel_tool_calls=False, max_tokens=300)
message = openai.OpenAI().chat.completions.parse(**asked).choices[0].message
[called, *_] = message.tool_calls
assert isinstance(called.function.parsed_arguments, Clock), called
for said in (message, message.model_dump(warnings=False)):  # it goes back as the SDK has it
    result = {"role": "tool", "tool_call_id": called.id, "content": "12"}
    back = {"messages": [*asked["messages"], said, result], "tool_choice": "none"}
    openai.OpenAI().chat.completions.create(**asked | back)
"""


def test_streamed_calls_add_up_in_the_sdk(caller: tuple[Server, str]) -> None:
    server, model = caller
    python = REPOSITORY / ".sdk" / "3.54.0" / "bin" / "python"
    if not python.exists():
        pytest.fail("no environment for openai 3.54.0: run `make sdk`")
    done = subprocess.run(
        [python, "-c", _SDK, model, json.dumps(TOOLS)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key},
    )
    assert done.returncode == 0, done.stderr
    choice = json.loads(done.stdout)
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] in (None, "")
    [made] = choice["message"]["tool_calls"]
    assert (made["function"]["name"], made["function"]["arguments"]) == ("weather", ARGUMENTS)
