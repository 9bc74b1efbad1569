"""The messages of a chat, and the tools that it may call."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from tunewright.records.record import Record, Request, new_id

FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
_Nothing = Annotated[list[Any], Field(max_length=0)]


class ContentPart(Request):
    type: Literal["text"]
    text: str


class Function(Request):
    """`strict`: the arguments of its calls hold to `parameters`."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Request):
    type: Literal["function"]
    function: Function


class FunctionCall(Request):
    name: FunctionName
    arguments: str


class ToolCall(Request):
    id: Annotated[str, StringConstraints(min_length=1)]
    type: Literal["function"]
    function: FunctionCall


class Message(Request):
    """One message of a chat. An assistant's comes back as it was answered, nulls included."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    tool_calls: Annotated[list[ToolCall], Field(min_length=1)] | None = None
    function_call: FunctionCall | None = None
    tool_call_id: str | None = Field(default=None, validate_default=True)
    name: str | None = Field(default=None, validate_default=True)
    content: str | list[ContentPart] | None = Field(default=None, validate_default=True)
    refusal: None = None
    audio: None = None
    annotations: _Nothing | None = None

    @field_validator("tool_calls", "function_call")
    @classmethod
    def _by_assistants(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("role") != "assistant":
            raise ValueError("only messages with the role 'assistant' call functions")
        return value

    @field_validator("tool_call_id")
    @classmethod
    def _of_results(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("role") == "tool":
            raise PydanticKnownError("missing")
        if value is not None and info.data.get("role") != "tool":
            raise ValueError("only messages with the role 'tool' have one")
        return value

    @field_validator("name")
    @classmethod
    def _of_functions(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("role") == "function":
            raise PydanticKnownError("missing")
        return value

    @field_validator("content")
    @classmethod
    def _said(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None and not (info.data.get("tool_calls") or info.data.get("function_call")):
            raise PydanticKnownError("missing")
        return value

    def plain(self) -> dict[str, Any]:
        """What the renderer takes."""
        return self.model_dump(exclude_none=True)


class MadeFunction(Record):
    """`arguments`: the text of a JSON object."""

    name: str
    arguments: str


class MadeCall(Record):
    """A call that the model has made."""

    id: str = Field(default_factory=lambda: new_id("call_"))
    type: Literal["function"] = "function"
    function: MadeFunction


def _calls_may_be_absent(schema: dict[str, Any]) -> None:
    absent = ("tool_calls", "function_call")
    schema["required"] = [name for name in schema.get("required", ()) if name not in absent]


class AssistantMessage(Record):
    """What is answered. `tool_calls` and `function_call` are there only where there are some."""

    model_config = ConfigDict(json_schema_extra=_calls_may_be_absent)

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: str | None = None
    tool_calls: list[MadeCall] | None = Field(default=None, exclude_if=lambda value: value is None)
    function_call: MadeFunction | None = Field(default=None, exclude_if=lambda value: value is None)
