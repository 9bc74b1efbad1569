"""Parts of a message's content: texts, and what is refused in words."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, model_validator

from tunewright.records.record import Request

_KINDS = {
    "image_url": "an image",
    "input_image": "an image",
    "image": "an image",
    "image_file": "an image",
    "input_audio": "audio",
    "audio": "audio",
    "file": "a file",
    "input_file": "a file",
    "document": "a file",
    "video_url": "a video",
    "video": "a video",
}
# Other APIs' parts, and where a chat has what they say.
_ELSEWHERE = {
    "tool_use": "A call of a function stands in the message's 'tool_calls'",
    "tool_call": "A call of a function stands in the message's 'tool_calls'",
    "function_call": "A call of a function stands in the message's 'tool_calls'",
    "tool_result": "What a function gave is a message of its own, of the role 'tool'",
    "function_call_output": "What a function gave is a message of its own, of the role 'tool'",
    "thinking": "Reasoning goes into the message's 'reasoning_content'",
    "reasoning": "Reasoning goes into the message's 'reasoning_content'",
}
_FORM = 'Send parts of the form {"type": "text", "text": ...}'


class _Part(Request):
    """Names what is refused, instead of the first of its keys that is unknown."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_others(cls, part: Any) -> Any:
        if isinstance(part, dict) and (kind := part.get("type")) not in ("text", "refusal"):
            raise ValueError(_refused(kind))
        return part


def _refused(kind: Any) -> str:
    if not isinstance(kind, str):
        return f"this part has no type. {_FORM}"
    if kind in _KINDS:
        return (
            f"this part is {_KINDS[kind]} (type '{kind}'), and this server's models read text "
            f"only. {_FORM}"
        )
    return f"a part cannot have the type {kind[:64]!r}. {_ELSEWHERE.get(kind, _FORM)}"


class TextPart(_Part):
    type: Literal["text"]
    text: str


class RefusalPart(_Part):
    """Of an assistant's message: what it said in place of an answer."""

    type: Literal["refusal"]
    refusal: str


def _is_refusal(part: Any) -> bool:
    return isinstance(part, RefusalPart) or (
        isinstance(part, dict) and part.get("type") == "refusal"
    )


# By what was given, so that a client is told only what is wrong with that.
ContentPart = Annotated[
    Annotated[TextPart, Tag("a text part")] | Annotated[RefusalPart, Tag("a refusal part")],
    Discriminator(lambda part: "a refusal part" if _is_refusal(part) else "a text part"),
]
Content = Annotated[
    Annotated[str, Tag("a text")] | Annotated[list[ContentPart], Tag("some parts")],
    Discriminator(lambda content: "some parts" if isinstance(content, list) else "a text"),
]


def said(part: Mapping[str, Any]) -> str:
    """The text of a part that was found in order."""
    return part["refusal"] if part.get("type") == "refusal" else part["text"]
