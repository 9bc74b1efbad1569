"""The messages of a chat, and the tools that it may call."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticKnownError

from tunewright.records.parts import Content, RefusalPart
from tunewright.records.record import Record, Request, new_id

FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""What servers and data sets call an assistant's reasoning."""


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
    """`parsed_arguments`: what a client's library read in them."""

    without_effect: ClassVar[dict[str, str]] = {
        "parsed_arguments": "an SDK's reading of the arguments, which stand beside it"
    }

    name: FunctionName
    arguments: str
    parsed_arguments: Any = None


class ToolCall(Request):
    """`index`: its place, in what was put together of a stream."""

    id: Annotated[str, StringConstraints(min_length=1)]
    type: Literal["function"]
    function: FunctionCall
    index: int | None = None


class Message(Request):
    """One message of a chat or of a row of training data: these are all keys that there are.

    An assistant's comes back as it was answered, here or elsewhere, nulls included. `weight` 0: not
    trained on. `refusal`: said in place of the content.
    """

    without_effect: ClassVar[dict[str, str]] = {
        "annotations": "say where a text comes from; no chat template shows them",
        "parsed": "an SDK's reading of the content, which stands beside it",
        "weight": "of an assistant's message: whether training learns it; a chat learns nothing",
    }

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None
    tool_call_id: str | None = Field(default=None, validate_default=True)
    name: str | None = Field(default=None, validate_default=True)
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking: str | None = None
    content: Content | None = Field(default=None, validate_default=True)
    weight: Literal[0, 1] | None = None
    audio: None = None
    annotations: list[Any] | None = None
    parsed: Any = None

    @field_validator("tool_calls", "function_call")
    @classmethod
    def _by_assistants(cls, value: Any, info: ValidationInfo) -> Any:
        if value and info.data.get("role") != "assistant":
            raise ValueError("only messages with the role 'assistant' call functions")
        return value or None

    @field_validator("refusal", *REASONING_KEYS)
    @classmethod
    def _of_assistants(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("role") != "assistant":
            raise ValueError("only messages with the role 'assistant' have one")
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
        others = ("tool_calls", "function_call", "refusal")
        if value is None and not any(info.data.get(other) for other in others):
            raise PydanticKnownError("missing")
        parts = value if isinstance(value, list) else []
        if info.data.get("role") != "assistant" and any(isinstance(p, RefusalPart) for p in parts):
            raise ValueError("only messages with the role 'assistant' have parts of type 'refusal'")
        return value

    def plain(self) -> dict[str, Any]:
        """What the renderer takes."""
        return self.model_dump(exclude_none=True)


MESSAGE_KEYS = frozenset(Message.model_fields)


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
