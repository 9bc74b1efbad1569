"""Every remedy that is given in words works: here it is done to the row, to the letter.

Where a remedy leaves a choice ("fill it or remove the message"), each is done. Commands are told
apart by their name and are run as they stand.
"""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataset.conftest import write_model
from dataset.remedies import ASKED, CALL, REMEDIES, SAID, TOOL
from rendering.tool_templates import HERMES
from tunewright.dataset.checks import Check, check, look_at
from tunewright.dataset.columns import Columns
from tunewright.dataset.preparation import Base, prepare
from tunewright.errors import BadRequest
from tunewright.records.findings import Finding
from tunewright.records.jobs import JobRequest
from tunewright.rendering import Renderer

HOSTILE = Path(__file__).parents[1] / "hostile"
CASES = json.loads((HOSTILE / "cases.json").read_text(encoding="utf-8"))
BAD = [case for case in CASES if case["codes"]]
WITH_TOOLS = ("tools.jsonl", "tool-calls.jsonl", "function-call.jsonl", "tool-faults.jsonl")
MOST_ROUNDS = 12
# Of a file, not of its rows; the first is the last to be looked at.
OF_ALL = ("invalid_n_examples", "mixed_formats", "wrong_format", "wrong_form", "preference_row")


CALLING = [ASKED, {**SAID, "function_call": CALL["function"]}]

# Faults beside those of the corpus: a message, or the keys of a row.
MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {}}]},
    {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    {"role": "user", "content": ["Hi"]},
    {"role": "user", "content": {"text": "Hi"}},
    {"role": "user", "content": []},
    {"role": "user", "content": "Hi", "refusal": "No."},
    {"role": "user", "content": "Hi", "tool_call_id": "call_1"},
    {"role": "user", "content": "Hi", "function_call": {"name": "f", "arguments": "{}"}},
    {"role": "assistant", "content": "x", "reasoning_content": ["a"]},
    {"role": "assistant", "content": None, "audio": {"id": "a"}},
    {"role": "assistant", "content": "x", "annotations": "none"},
    {"role": "assistant", "tool_calls": "f"},
    {"role": "assistant", "tool_calls": ["f"]},
    {"role": "assistant", "tool_calls": [{**CALL, "function": "f"}]},
    {"role": "assistant", "tool_calls": [{**CALL, "result": 7}]},
    {"role": "assistant", "tool_calls": [CALL], "function_call": CALL["function"]},
    {"role": "assistant", "function_call": "f"},
    {"role": "tool", "tool_call_id": "call_9", "content": "7"},
    {"role": "function", "content": "7"},
]
ROWS: list[dict[str, Any]] = [
    {"messages": [ASKED, {**SAID, "content": "word " * 300}] * 3},
    {"messages": [{"role": "user", "content": "x " * 3000}, SAID]},
    {"tools": [{"type": "function", "function": {"name": f"f{n}"}} for n in range(129)]},
    {"metadata": "Ann"},
    {"metadata": {"annotator": 1}},
    {"tools": [{**TOOL, "version": 2}]},
    {"tools": ["f"]},
    {"tools": [{"type": "function", "function": {"name": "f", "strict": "yes"}}]},
    {"tools": [{"type": "function", "function": {"name": "f", "description": 1}}]},
    {"functions": {"f": 1}},
    {"functions": [{"name": "g"}], "messages": CALLING},
    {
        "functions": [{"name": "f"}],
        "tools": [TOOL],
        "messages": CALLING,
    },
]


def errors(found: Check, *, of_all: bool = False) -> list[Finding]:
    return [
        finding
        for finding in found.findings
        if finding.severity == "error"
        and finding.code != "no_supervised_tokens"  # of one row alone
        and (finding.code in OF_ALL) == of_all
    ]


def mended(raw: bytes, look: Callable[[bytes], Check], choice: int, rounds: int) -> list[bytes]:
    """What a row becomes when the first remedy is done until nothing is wrong."""
    found = errors(look(raw))
    if not found:
        return [raw]
    first = found[0]
    assert rounds, f"no end: {first} in {raw!r}"
    said = f"{first.message} {first.remedy}"
    told = [deed for words, deed in REMEDIES.get(first.code, ()) if words in said]
    assert told, f"nothing here does what is said: {first.code}: {said}"
    made = told[min(choice, len(told) - 1)](raw, first)
    for row in made:
        left = {(one.code, one.path, one.message) for one in errors(look(row))}
        assert (first.code, first.path, first.message) not in left, f"{said} -> {row!r}"
    return [done for row in made for done in mended(row, look, choice, rounds - 1)]


def command_done(remedy: str, path: Path, renderer: Renderer) -> Path:
    words = shlex.split(re.findall(r"tunewright data prepare [^()]*", remedy)[0])
    options = dict(zip(words[4::2], words[5::2], strict=True))
    out = Path(options["--output"])
    columns = Columns(prompt=options.get("--prompt"), completion=options.get("--completion"))
    prepare(path, out, columns, base=Base(renderer))
    return out


def as_chats(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    chats = [
        row
        if "messages" in row
        else {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
        }
        for row in rows
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in chats))


def file_mended(
    path: Path, wants: Any, renderers: dict[str, Renderer], choice: int
) -> tuple[Path, Any]:
    """The file, and the form of the base, after the remedies for all of it."""
    for _ in range(3):
        found = errors(check(path, renderers[wants], wants=wants), of_all=True)
        found = [finding for finding in found if finding.code != "invalid_n_examples"]
        if not found:
            break
        remedy = found[0].remedy
        if "tune a completion model with it" in remedy and choice:
            wants = "completion"
        elif "tunewright data prepare" in remedy:
            path = command_done(remedy, path, renderers[wants])
        elif "Tune a chat model with it" in remedy:
            wants = "chat"
        elif "Write all rows in the form that the model takes" in remedy:
            as_chats(path)
        else:
            assert "Write one JSON object a line" in remedy, remedy
            path.write_bytes((HOSTILE / "good-10.jsonl").read_bytes())
    return path, wants


def enough(path: Path, found: Check) -> None:
    """Does what is said where there are too few examples."""
    for finding in errors(found, of_all=True):
        assert "Add examples" in finding.remedy
        good = "good-10.jsonl" if "chat" in found.forms or not found.rows else "completions.jsonl"
        path.write_bytes(path.read_bytes() + (HOSTILE / good).read_bytes())


def all_mended(path: Path, wants: Any, renderers: dict[str, Renderer], choice: int) -> Check:
    path, wants = file_mended(path, wants, renderers, choice)
    renderer = renderers[wants]
    rows = [
        done
        for raw in path.read_bytes().split(b"\n")
        for done in mended(
            raw, lambda raw: look_at(raw, renderer, wants=wants), choice, MOST_ROUNDS
        )
    ]
    path.write_bytes(b"\n".join(rows) + b"\n")
    enough(path, check(path, renderer, wants=wants))
    return check(path, renderer, wants=wants)


@pytest.fixture(scope="module")
def with_tools(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Renderer]:
    """A base whose template knows tools."""
    directory = write_model(tmp_path_factory.mktemp("tools"), HERMES, context=2048)
    return {"chat": Renderer.load(directory, chat=True)}


@pytest.mark.parametrize("choice", range(3))
@pytest.mark.parametrize("case", BAD, ids=lambda case: case["file"])
def test_a_remedy_does_what_it_says(case, choice: int, tmp_path: Path, renderers, with_tools):
    bases = [renderers, with_tools] if case["file"] in WITH_TOOLS else [renderers]
    for base in bases:
        path = tmp_path / case["file"]
        path.write_bytes((HOSTILE / case["file"]).read_bytes())
        found = all_mended(path, case["wants"], base, choice)
        assert found.error() is None
        assert found.examples >= 10


def row_with(message: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [ASKED, message, SAID], "tools": [TOOL]}


@pytest.mark.parametrize("choice", range(3))
@pytest.mark.parametrize(
    "row",
    [*map(row_with, MESSAGES), *({"messages": [ASKED, SAID]} | keys for keys in ROWS)],
    ids=range(len(MESSAGES) + len(ROWS)),
)
def test_a_remedy_of_a_rarer_fault_does_too(row, choice: int, with_tools) -> None:
    def look(raw: bytes) -> Check:
        return look_at(raw, with_tools["chat"], wants="chat")

    raw = json.dumps(row).encode()
    assert errors(look(raw)), "a fault is found"
    assert all(not errors(look(done)) for done in mended(raw, look, choice, MOST_ROUNDS))


def test_each_code_of_the_corpus_has_its_remedies() -> None:
    codes = {code for case in BAD for code in case["codes"]}
    assert codes - REMEDIES.keys() <= {*OF_ALL}


def test_an_unknown_key_of_a_content_part_is_named() -> None:
    part = {"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}
    row = {"messages": [{"role": "user", "content": [part]}, SAID]}
    [found] = errors(look_at(json.dumps(row).encode(), None, wants="chat"))
    assert found.code == "message_unrecognized_key"
    assert found.path == "$.messages[0].content[0].cache_control"
    assert "'cache_control'" in found.message


@pytest.mark.parametrize("key", ["training_file", "validation_file"])
def test_an_empty_name_of_a_file_is_refused_by_name(key: str) -> None:
    with pytest.raises(BadRequest) as caught:
        JobRequest.parse({"model": "m", "training_file": "file-1", key: ""})
    assert (caught.value.status, caught.value.param) == (400, key)
