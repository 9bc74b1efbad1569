"""Parameters that real code sends: taken without effect, or refused with what to do instead."""

from typing import Any, get_args

import pytest
from pydantic import ValidationError

from servers import Server
from tunewright.api.calls import CALLS
from tunewright.records.completions import StreamOptions
from tunewright.records.jobs import Hyperparameters
from tunewright.records.record import Request

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}


def ask(server: Server, **more: Any) -> Any:
    return server.http.post("/chat/completions", json={**CHAT, **more})


def test_what_changes_nothing_is_taken(server: Server) -> None:
    more = {
        "store": True,
        "metadata": {"run": "7"},
        "reasoning_effort": "low",
        "service_tier": "flex",
        "prediction": {"type": "content", "content": "Hello"},
        "prompt_cache_options": {"mode": "implicit", "ttl": "30m"},
        "verbosity": "medium",
    }
    answer = ask(server, **more, temperature=0)
    assert answer.status_code == 200, answer.text
    plain = ask(server, temperature=0).json()
    assert answer.json()["choices"] == plain["choices"]


@pytest.mark.parametrize(
    ("more", "param", "code", "says"),
    [
        ({"store": "yes"}, "store", "invalid_type", "a boolean"),
        ({"metadata": {"a": 1}}, "metadata.a", "invalid_type", "a string"),
        ({"reasoning_effort": "huge"}, "reasoning_effort", "invalid_value", "medium"),
        ({"verbosity": "low"}, "verbosity", "unsupported_parameter", "max_completion_tokens"),
        ({"modalities": ["audio"]}, "modalities", "unsupported_parameter", "text only"),
        ({"web_search_options": {}}, "web_search_options", "unsupported_parameter", "'tools'"),
        (
            {"max_completion_tokens": 3},
            "max_tokens",
            "invalid_parameter_combination",
            "'max_tokens' and 'max_completion_tokens' at the same time",
        ),
        (
            {"stream_options": {"include_usage": True}},
            "stream_options",
            None,
            "only allowed when 'stream' is enabled",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "messages[0].content[0]",
            "invalid_value",
            "this part is an image (type 'image_url'), and this server's models read text only",
        ),
        (
            {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]},
            "messages[0].content[0]",
            "invalid_value",
            "this part has no type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": ""}]}]},
            "messages[0].content[0]",
            "invalid_value",
            "a message of its own, of the role 'tool'",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "refusal", "refusal": "No"}]}]},
            "messages[0].content",
            "invalid_value",
            "only messages with the role 'assistant'",
        ),
        ({"seed": 2**70}, "seed", "integer_above_max_value", "above maximum"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages[0].content[0]",
            "invalid_value",
            "this part is audio",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_to_do(
    server: Server, more: dict[str, Any], param: str, code: str | None, says: str
) -> None:
    answer = ask(server, **more)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
    assert says in error["message"]


def test_completions_refuse_what_they_would_pass_over(server: Server) -> None:
    body = {"model": "davinci-002", "prompt": "Hi", "max_tokens": 1}
    for more, says in [
        ({"suffix": " world"}, "say in 'prompt' what is to stand there"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled"),
    ]:
        error = server.http.post("/completions", json={**body, **more}).json()["error"]
        assert error["param"] == next(iter(more))
        assert says in error["message"]


def test_files_of_other_purposes_are_kept_and_train_nothing(server: Server) -> None:
    for purpose in ("assistants", "batch", "evals", "user_data", "vision"):
        id = server.upload(b"kept", name="x.txt", purpose=purpose)
        assert server.http.get(f"/files/{id}").json()["purpose"] == purpose
        assert server.http.get(f"/files/{id}/content").content == b"kept"
        listed = server.http.get("/files", params={"purpose": purpose}).json()["data"]
        assert id in [file["id"] for file in listed]
        body = {"model": "gpt-4o", "training_file": id}
        error = server.http.post("/fine_tuning/jobs", json=body).json()["error"]
        assert (error["param"], error["code"]) == ("training_file", "invalid_training_file")
        assert server.http.delete(f"/files/{id}").status_code == 200


def _requests(kind: Any, found: set[type[Request]]) -> set[type[Request]]:
    """The records of requests that are part of a type."""
    if isinstance(kind, type) and issubclass(kind, Request) and kind not in found:
        found.add(kind)
        for field in kind.model_fields.values():
            _requests(field.annotation, found)
    for part in get_args(kind):
        _requests(part, found)
    return found


def test_null_asks_for_what_an_optional_field_has_by_itself() -> None:
    """SDKs dump what they were not given as null."""
    found: set[type[Request]] = set()
    for call in CALLS:
        for kind in (call.takes, call.form, call.query):
            _requests(kind, found)
    assert Hyperparameters in found
    assert StreamOptions in found
    for kind in found:
        for name, field in kind.model_fields.items():
            if field.is_required() or name in ("content", "tool_call_id"):  # another needs them
                continue
            try:
                kind.model_validate({field.alias or name: None})
            except ValidationError as error:
                about = [each for each in error.errors() if each["loc"][:1] == (name,)]
                assert not about, f"{kind.__name__}.{name}"
