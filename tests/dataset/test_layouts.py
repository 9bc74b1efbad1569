"""Rows as other tools write them: recognised by the check, and converted by the preparation."""

import bz2
import gzip
import json
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright.dataset.advising import advice
from tunewright.dataset.checks import check
from tunewright.dataset.columns import Columns
from tunewright.dataset.layouts import ROLES
from tunewright.dataset.preparation import Base, Prepared, prepare
from tunewright.errors import BadRequest
from tunewright.suggestions import prepare as suggested

ASKED, ANSWERED = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}
SYSTEM = {"role": "system", "content": "S"}
TALK = [ASKED, ANSWERED]
CALL = {"name": "f", "arguments": {"x": 1}}
TOOL = {"name": "f", "parameters": {"type": "object"}}

ROWS: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "ShareGPT": (
        {
            "id": "1",
            "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}],
        },
        TALK,
    ),
    "ShareGPT with a system": (
        {
            "system": "S",
            "conversations": [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}],
        },
        [SYSTEM, *TALK],
    ),
    "Alpaca": ({"instruction": "Q", "input": "", "output": "A"}, TALK),
    "Alpaca with input": (
        {"instruction": "Q", "input": "I", "output": "A"},
        [{"role": "user", "content": "Q\n\nI"}, ANSWERED],
    ),
    "Alpaca with history": (
        {"instruction": "Q", "input": "", "output": "A", "history": [["Q", "A"]]},
        [*TALK, *TALK],
    ),
    "Dolly": ({"instruction": "Q", "context": "", "response": "A", "category": "qa"}, TALK),
    "OpenOrca": ({"system_prompt": "S", "question": "Q", "response": "A"}, [SYSTEM, *TALK]),
    "question/answer": ({"question": "Q", "answer": "A"}, TALK),
    "prompt/response": ({"prompt": "Q", "response": "A"}, TALK),
    "prompt/completion": ({"prompt": "Q", "completion": "A"}, TALK),
    "input/output": ({"input": "Q", "output": "A"}, TALK),
    "DPO of OpenAI": (
        {
            "input": {"messages": [ASKED], "tools": [], "parallel_tool_calls": True},
            "preferred_output": [ANSWERED],
            "non_preferred_output": [{"role": "assistant", "content": "B"}],
        },
        TALK,
    ),
    "DPO of TRL": ({"prompt": "Q", "chosen": "A", "rejected": "B"}, TALK),
    "DPO of whole talks": ({"prompt": "Q", "chosen": TALK, "rejected": TALK}, TALK),
    "HH-RLHF": ({"chosen": "\n\nHuman: Q\n\nAssistant: A", "rejected": "x"}, TALK),
    "Guanaco": ({"text": "### Human: Q\n### Assistant: A"}, TALK),
    "Gemini": (
        {
            "systemInstruction": {"parts": [{"text": "S"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Q"}]},
                {"role": "model", "parts": [{"text": "A"}]},
            ],
        },
        [SYSTEM, *TALK],
    ),
    "Anthropic": ({"system": "S", "messages": TALK}, [SYSTEM, *TALK]),
    "Anthropic in blocks": (
        {
            "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Q", "cache_control": {}}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "T", "signature": "x"},
                        {"type": "text", "text": "A"},
                    ],
                },
            ],
        },
        [SYSTEM, ASKED, {**ANSWERED, "reasoning_content": "T"}],
    ),
    "encoded twice": (json.dumps({"messages": TALK}), TALK),
    "encoded three times": (json.dumps(json.dumps({"question": "Q", "answer": "A"})), TALK),
    "a bare list": (TALK, TALK),
}


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def prepared(
    path: Path, renderer: Any, *, columns: Columns | None = None, **given: bool
) -> Prepared:
    out = path.with_name(f"{path.name}.out.jsonl")
    for old in path.parent.glob(f"{path.name}.out*"):
        old.unlink()
    return prepare(path, out, columns or Columns(), base=Base(renderer, **given))


@pytest.mark.parametrize("name", ROWS)
def test_a_layout_is_recognised_and_converted(name: str, tmp_path: Path, renderers) -> None:
    row, messages = ROWS[name]
    path = write(tmp_path / "rows.jsonl", [row] * 12)
    found = check(path, renderers["chat"], wants="chat")
    assert found.bad == 12
    [finding] = [one for one in found.findings if one.severity == "error"]
    assert (finding.count, finding.lines[0]) == (12, 1)
    assert suggested(path) in finding.remedy, "the command, with the file's own name"
    done = prepared(path, renderers["chat"])
    made = [json.loads(line) for line in done.out.read_text().splitlines()]
    assert [row["messages"] for row in made] == [messages] * 12
    assert check(done.out, renderers["chat"], wants="chat").error() is None


def test_calls_of_functions_in_turns_become_tool_calls() -> None:
    from tunewright.dataset.examples import faults
    from tunewright.dataset.layouts import as_chat

    turns = [
        {"from": "human", "value": "Q"},
        {"from": "function_call", "value": json.dumps(CALL)},
        {"from": "observation", "value": "1"},
        {"from": "gpt", "value": "A"},
    ]
    row, left = as_chat({"conversations": turns, "tools": json.dumps([TOOL]), "source": "x"})
    assert [message["role"] for message in row["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert row["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"x":1}'
    assert row["tools"] == [{"type": "function", "function": TOOL}]
    assert left == {"source"}
    assert list(faults(row, "chat")) == []


def test_calls_and_results_in_blocks_become_messages() -> None:
    from tunewright.dataset.examples import faults
    from tunewright.dataset.layouts import as_chat

    called = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}}
    result = {
        "type": "tool_result",
        "tool_use_id": "toolu_1",
        "content": [{"type": "text", "text": "1"}],
    }
    messages = [
        ASKED,
        {"role": "assistant", "content": [{"type": "text", "text": "Hm"}, called]},
        {"role": "user", "content": [result, {"type": "text", "text": "Q"}]},
        ANSWERED,
    ]
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    row, _ = as_chat({"messages": messages, "tools": tools})
    function = {"name": "f", "arguments": '{"x":1}'}
    assert row == {
        "messages": [
            ASKED,
            {
                "role": "assistant",
                "content": "Hm",
                "tool_calls": [{"id": "toolu_1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "toolu_1", "content": "1"},
            ASKED,
            ANSWERED,
        ],
        "tools": [{"type": "function", "function": TOOL}],
    }
    assert list(faults(row, "chat")) == []


def test_arguments_as_objects_become_their_text() -> None:
    from tunewright.dataset.examples import faults
    from tunewright.dataset.layouts import as_chat

    calls = [{"id": "c", "function": CALL}]
    asked = [ASKED, {"role": "assistant", "content": "", "tool_calls": calls}]
    row, _ = as_chat({"messages": asked, "tools": [{"type": "function", "name": "f"}]})
    assert row["messages"][1]["tool_calls"][0]["function"]["arguments"] == '{"x":1}'
    assert list(faults(row, "chat")) == []


def test_texts_and_pairs_for_a_completion_base(tmp_path: Path, renderers) -> None:
    rows = [{"text": "Once"}, {"question": "Q", "answer": "A"}, {"prompt": "p", "completion": "c"}]
    path = write(tmp_path / "rows.jsonl", rows)
    done = prepared(path, renderers["completion"], columns=Columns(to="completion"))
    assert [json.loads(line) for line in done.out.read_text().splitlines()] == [
        {"prompt": "", "completion": "Once"},
        {"prompt": "Q\n\n###\n\n", "completion": " A"},
        {"prompt": "p", "completion": "c"},
    ]
    with pytest.raises(BadRequest, match="text alone"):
        prepared(write(tmp_path / "text.jsonl", rows[:1]), renderers["chat"])


def test_rows_that_are_too_long_are_left_out_only_when_that_is_said(
    tmp_path: Path, renderers
) -> None:
    long = {"messages": [ASKED, {"role": "assistant", "content": "x " * 900}]}
    path = write(tmp_path / "rows.jsonl", [{"messages": TALK}, long, {"messages": TALK}])
    with pytest.raises(BadRequest, match=r"1 row is longer .* \(line 2\).*--drop-long") as caught:
        prepared(path, renderers["chat"])
    assert caught.value.param == "drop_long"
    assert len(list(tmp_path.iterdir())) == 1, "nothing was written"
    done = prepared(path, renderers["chat"], drop_long=True)
    assert (done.trained, done.long) == (2, [2])
    assert prepared(path, renderers["chat"], cut=True).trained == 3


PACKED = {
    "gzip": lambda path, text: path.write_bytes(gzip.compress(text.encode())),
    "bzip2": lambda path, text: path.write_bytes(bz2.compress(text.encode())),
    "xz": lambda path, text: path.write_bytes(lzma.compress(text.encode())),
    "UTF-16": lambda path, text: path.write_bytes(text.encode("utf-16")),
    "UTF-32": lambda path, text: path.write_bytes(text.encode("utf-32")),
    "an array": lambda path, text: path.write_text(
        json.dumps(list(map(json.loads, text.split("\n"))))
    ),
    "spread": lambda path, text: path.write_text(
        "\n".join(json.dumps(json.loads(row), indent=1) for row in text.split("\n"))
    ),
    "zip": lambda path, text: zipfile.ZipFile(path, "w").writestr("in.jsonl", text),
    "CSV": lambda path, text: path.write_text("question,answer\n" + "Q,A\n" * 12),
}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_no_jsonl_is_said_before_anything_is_made_and_unpacked(
    name: str, tmp_path: Path, renderers
) -> None:
    path = tmp_path / "rows.jsonl"
    PACKED[name](path, "\n".join([json.dumps({"messages": TALK})] * 12))
    said = advice(path, lambda **options: suggested(path, **options))
    assert said is not None
    assert said.endswith(suggested(path))
    assert prepared(path, renderers["chat"]).trained == 12


def test_columns_without_names_that_tell_are_named_in_the_command(tmp_path: Path) -> None:
    path = tmp_path / "my reviews.csv"
    path.write_text("id,body,stars\n1,good,5\n")
    said = advice(path, lambda **options: suggested(path, **options))
    assert said is not None
    assert said.endswith(f"{suggested(path, prompt='body', completion='stars')}")
    assert f"'{path}'" in said, "quoted"


@pytest.mark.parametrize(("offset", "value"), [(6, 1), (8, 99)])
def test_an_archive_with_a_password_or_of_another_method_is_said_to_be_one(
    tmp_path: Path, renderers, offset: int, value: int
) -> None:
    path = tmp_path / "rows.zip"
    zipfile.ZipFile(path, "w").writestr("in.jsonl", json.dumps({"messages": TALK}))
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x03\x04") + offset] = value
    raw[raw.index(b"PK\x01\x02") + offset + 2] = value
    path.write_bytes(raw)
    with pytest.raises(BadRequest, match=r"cannot be unpacked here: .* Unpack it and use"):
        prepared(path, renderers["chat"])


def test_a_text_sequence_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "rows.json-seq"
    path.write_text(f"\x1e{json.dumps({'messages': TALK})}\n" * 12)
    said = advice(path, lambda **options: suggested(path, **options))
    assert said is not None
    assert "tr -d '\\036'" in said


_TEXT = st.text(max_size=6) | st.sampled_from(
    ["", " ", "\0", "Q", "x " * 700, "<|im_end|>", "\ud800"]
)
_BLOCK = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["text", "tool_use", "tool_result", "thinking", "x", None, []]),
        **dict.fromkeys(("text", "thinking", "id", "tool_use_id", "name"), _TEXT),
        "content": _TEXT | st.lists(st.just({"type": "text", "text": "Q"})),
        "input": st.sampled_from([None, {}, {"x": 1}, "x"]),
        "cache_control": st.just({}),
    },
)
_TURN = st.dictionaries(
    st.sampled_from(["role", "from", "content", "value", "weight", "name", "tool_calls", "x"]),
    _TEXT
    | st.sampled_from(list(ROLES))
    | st.sampled_from([0, 1, None, [], ["x"], {"type": "text"}])
    | st.lists(_BLOCK, max_size=3),
    max_size=4,
)
_ROW = st.recursive(
    _TEXT | st.none() | st.integers() | st.lists(_TURN, max_size=4),
    lambda inner: st.dictionaries(
        st.sampled_from(
            ["messages", "conversations", "prompt", "completion", "instruction", "input", "output",
             "question", "answer", "text", "chosen", "rejected", "preferred_output", "system",
             "history", "tools", "functions", "metadata", "contents"]
        ),
        inner | st.lists(_TURN, max_size=4),
        max_size=4,
    ) | inner.map(lambda value: json.dumps(value)),
    max_leaves=6,
)  # fmt: skip


@given(rows=st.lists(_ROW, max_size=6))
@settings(max_examples=200, deadline=None)
def test_what_is_prepared_passes_the_check_whatever_it_was(
    rows: list[Any], renderers, tmp_path_factory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for form, renderer in renderers.items():
        check(path, renderer, wants=form)
        try:
            done = prepared(path, renderer, columns=Columns(to=form), drop_long=True)
        except BadRequest as error:
            whole = (
                bool(rows) and isinstance(rows[0], list) and "is not valid JSON" in error.message
            )
            if not whole and "can be used for training" not in error.message:
                raise
            continue
        assert done.rows == done.trained + done.refused.total()
        found = check(done.out, renderer, wants=form)
        assert (found.examples, found.bad, found.blank) == (done.trained, 0, 0)
        wrong = {one.code for one in found.findings if one.severity == "error"}
        assert wrong <= {"invalid_n_examples"}
