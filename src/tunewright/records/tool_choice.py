"""Which functions an answer may call, and whether it must."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from tunewright.records.messages import FunctionName
from tunewright.records.record import Request


class NamedFunction(Request):
    """The one function that is called."""

    name: FunctionName


class NamedTool(Request):
    type: Literal["function"]
    function: NamedFunction


class AllowedTools(Request):
    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedTool], Field(min_length=1, max_length=128)]


class OnlyAllowed(Request):
    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


def _arm(choice: Any) -> str:
    """Which arm is meant, so that a client is told only what is wrong with that one.

    The tags are no identifiers: they are left out of the parameter's name.
    """
    if isinstance(choice, OnlyAllowed) or _type(choice) == "allowed_tools":
        return "allowed tools"
    return "a function" if isinstance(choice, (Request, dict)) else "a word"


def _type(choice: Any) -> Any:
    return choice.get("type") if isinstance(choice, dict) else None


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("a word")]
    | Annotated[NamedTool, Tag("a function")]
    | Annotated[OnlyAllowed, Tag("allowed tools")],
    Discriminator(_arm),
]
FunctionChoice = Annotated[
    Annotated[Literal["none", "auto"], Tag("a word")] | Annotated[NamedFunction, Tag("a function")],
    Discriminator(lambda choice: "a function" if isinstance(choice, (Request, dict)) else "a word"),
]
