"""Answers that are JSON by construction."""

import concurrent.futures
import json
import subprocess
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from servers import REPOSITORY, Server

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "mood": {"enum": ["glad", "sad"]},
        "friends": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3},
    },
    "required": ["name", "age", "mood", "friends"],
    "additionalProperties": False,
}
ASK = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Who is Anna?"}]}


def of(schema: dict, **more: object) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, **more}}


def choices(server: Server, **more: object) -> list[dict]:
    answer = server.http.post("/chat/completions", json={**ASK, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["choices"]


def ask(server: Server, **more: object) -> dict:
    return choices(server, **more)[0]


def test_a_schema_holds_at_any_temperature(server: Server) -> None:
    for temperature, strict in ((0, True), (1, None), (2, False)):
        form = of(PERSON, strict=strict)
        asked = {"temperature": temperature, "seed": 0, "n": 3, "max_tokens": 200}
        for choice in choices(server, response_format=form, **asked):
            assert choice["finish_reason"] == "stop"
            person = json.loads(choice["message"]["content"])
            assert set(person) == {"name", "age", "mood", "friends"}
            assert len(person["name"]) <= 12
            assert 0 <= person["age"] <= 150
            assert person["mood"] in ("glad", "sad")
            assert all(isinstance(friend, bool) for friend in person["friends"])


def test_a_json_object_begins_as_one_and_says_when_it_was_cut(server: Server) -> None:
    form = {"response_format": {"type": "json_object"}, "seed": 1, "n": 4}
    for choice in choices(server, **form, temperature=1, max_tokens=30):
        assert choice["message"]["content"].startswith("{")
        if choice["finish_reason"] == "stop":
            assert isinstance(json.loads(choice["message"]["content"]), dict)
    cut = ask(server, response_format=of(PERSON), temperature=0, max_tokens=3)
    assert cut["finish_reason"] == "length"
    assert ask(server, response_format={"type": "text"}, max_tokens=1)


class Address(BaseModel):
    city: Literal["Oslo", "Bergen"]
    primary: bool


class Person(BaseModel):
    """As pydantic writes it: nothing says that there are no other properties."""

    age: Annotated[int, Field(ge=0, le=150)]
    addresses: Annotated[list[Address], Field(max_length=2)]
    mood: Literal["glad", "sad"] | None = None


def test_a_schema_as_pydantic_writes_it_comes_whole(server: Server) -> None:
    schema = Person.model_json_schema()
    assert "additionalProperties" not in json.dumps(schema)
    form = {"response_format": of(schema), "temperature": 1, "seed": 1, "n": 6}
    found = choices(server, **form, max_tokens=300)
    assert [choice["finish_reason"] for choice in found] == ["stop"] * 6
    for choice in found:
        Person.model_validate_json(choice["message"]["content"], extra="forbid")


def test_rows_with_and_without_a_grammar_share_a_batch(server: Server) -> None:
    wishes = [
        {"temperature": 1, "seed": seed, "max_tokens": 24, **form}
        for seed in range(4)
        for form in ({}, {"response_format": of(PERSON)})
    ]

    def text(wish: dict) -> str:
        return ask(server, **wish)["message"]["content"]

    alone = [text(wish) for wish in wishes]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(text, wishes)) == alone


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "nothing"}, "nothing"),
        ({"not": {"type": "string"}}, "not"),
        ({"$ref": "#/$defs/absent"}, "absent"),
        ({"type": "string", "pattern": "(?=x)"}, "look-ahead"),
        ({"properties": {f"p{n}": {"type": "string"} for n in range(9000)}}, "properties"),
    ],
)
def test_a_schema_that_cannot_be_held_to_is_refused(
    server: Server, schema: dict, says: str
) -> None:
    for streamed in (False, True):
        body = {**ASK, "response_format": of(schema), "stream": streamed}
        answer = server.http.post("/chat/completions", json=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["param"], error["code"]) == ("response_format", "invalid_schema")
        assert says in error["message"]


def test_the_sdk_parses_into_a_class(server: Server) -> None:
    script = """
import sys
from typing import Literal
from openai import OpenAI
from pydantic import BaseModel

class Pet(BaseModel):
    kind: Literal["cat", "dog"]
    tame: bool

class Answer(BaseModel):
    pet: Pet
    mood: Literal["glad", "sad"]

client = OpenAI(base_url=sys.argv[1], api_key=sys.argv[2])
asked = {"model": "gpt-3.5-turbo", "messages": [{"role": "user", "content": "Pets?"}]}
done = client.chat.completions.parse(**asked, response_format=Answer, seed=0, n=3)
for choice in done.choices:
    assert isinstance(choice.message.parsed, Answer), done
with client.chat.completions.stream(**asked, response_format=Answer, seed=1) as stream:
    for event in stream:
        pass
    message = stream.get_final_completion().choices[0].message
assert isinstance(message.parsed, Answer)
for said in (message, message.model_dump(warnings=False)):  # it goes back as the SDK has it
    client.chat.completions.create(**asked | {"messages": [*asked["messages"], said]}, max_tokens=1)
print("parsed")
"""
    done = subprocess.run(
        [REPOSITORY / ".sdk/3.54.0/bin/python", "-c", script, server.url, server.key],
        capture_output=True,
        text=True,
    )
    assert done.stdout == "parsed\n", done.stderr
