"""What is said of a wrong value: in OpenAI's words, with `param` and `code`, never in Python's."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tunewright import records
from tunewright.errors import BadRequest
from tunewright.records.completions import ChatRequest
from tunewright.records.jobs import JobRequest
from tunewright.records.record import Request

for module in pkgutil.iter_modules(records.__path__):
    importlib.import_module(f"tunewright.records.{module.name}")

ASKED = {"messages": [{"role": "user", "content": "x"}], "model": "m"}
TUNE = {"model": "m", "training_file": "file-a"}
PATTERN = "^[A-Za-z0-9_-]{1,64}$"
TOOL = {"type": "function", "function": {"name": "a b"}}


@pytest.mark.parametrize(
    ("kind", "given", "message", "param", "code"),
    [
        (ChatRequest, {**ASKED, "temperature": 3},
         "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 "
         "instead.", "temperature", "decimal_above_max_value"),
        (ChatRequest, {**ASKED, "n": 0},
         "Invalid 'n': integer below minimum value. Expected a value >= 1, but got 0 instead.",
         "n", "integer_below_min_value"),
        (ChatRequest, {**ASKED, "messages": [{"role": "user", "content": "x", "weight": 10**30}]},
         "Invalid 'messages[0].weight': integer above maximum value.", "messages[0].weight",
         "integer_above_max_value"),
        (ChatRequest, {**ASKED, "reasoning_effort": True},
         "Invalid type for 'reasoning_effort': expected one of 'none', 'minimal', 'low', 'medium', "
         "'high', 'xhigh' or 'max', but got a boolean instead.",
         "reasoning_effort", "invalid_type"),
        (ChatRequest, {**ASKED, "tools": [TOOL]},
         "Invalid 'tools[0].function.name': string does not match pattern. Expected a string that "
         f"matches the pattern '{PATTERN}'.", "tools[0].function.name", "invalid_value"),
        (ChatRequest, {**ASKED, "colour": 1}, "Unknown parameter: 'colour'.", "colour",
         "unknown_parameter"),
        (ChatRequest, {"messages": ASKED["messages"]}, "Missing required parameter: 'model'.",
         "model", "missing_required_parameter"),
        (JobRequest, {**TUNE, "suffix": "x" * 70},
         "Invalid 'suffix': string too long. Expected a string with maximum length 64, but got a "
         "string with length 70 instead.", "suffix", "string_above_max_length"),
        (JobRequest, {**TUNE, "hyperparameters": {"n_epochs": 0}},
         "Invalid 'hyperparameters.n_epochs': integer below minimum value. Expected a value >= 1, "
         "but got 0 instead.", "hyperparameters.n_epochs", "integer_below_min_value"),
        (JobRequest, {**TUNE, "method": {"type": "supervise"}},
         "Invalid value for 'method.type': 'supervise'. Supported values are: 'supervised'.",
         "method.type", "invalid_value"),
    ],
)  # fmt: skip
def test_a_wrong_value_in_openais_words(
    kind: type[Request], given: dict[str, Any], message: str, param: str, code: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        kind.parse(given)
    found = refused.value
    assert (found.message, found.param, found.code) == (message, param, code)
    assert (found.status, found.type) == (400, "invalid_request_error")


VALUES: tuple[Any, ...] = (
    None, 0, -1, 1.5, 10**30, True, "", "x" * 5000, [], [1], ["x"], [[]], {}, {"a": 1},
    {"type": "x"}, "not a value", [{}], [{"role": "x"}], {"type": "function"},
)  # fmt: skip
PYTHONS = re.compile(
    r"Input should|should match|should be|String should|Field required|pydantic|discriminator"
    r"|Unable to|Extra inputs|List should|Dictionary|: (None|True|False)\b|<class|\bdict\b|\bbool\b"
)


def kinds(above: type[Request] = Request) -> Iterator[type[Request]]:
    for kind in above.__subclasses__():
        yield kind
        yield from kinds(kind)


ALL_KINDS = sorted(set(kinds()), key=lambda kind: kind.__name__)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_no_wrong_value_is_answered_in_pythons_words(kind: type[Request]) -> None:
    said = [message for name in kind.model_fields for value in VALUES
            for message in _refusal(kind, {name: value})]  # fmt: skip
    assert [message for message in said if PYTHONS.search(message)] == []


def _refusal(kind: type[Request], given: dict[str, Any]) -> list[str]:
    known = {name: value for name, value in {**ASKED, **TUNE}.items() if name in kind.model_fields}
    try:
        kind.parse({**known, **given})
    except BadRequest as refused:
        return [refused.message]
    return []
