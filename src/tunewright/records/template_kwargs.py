"""Values for the variables of a chat template, under vLLM's name: ``chat_template_kwargs``."""

import re
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints

from tunewright.records.record import Record

_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
# What a request says elsewhere, and what a template takes for granted.
_TAKEN = {
    "add_generation_prompt", "chat_template", "continue_final_message", "conversation", "cycler",
    "dict", "documents", "joiner", "loop", "messages", "namespace", "raise_exception", "range",
    "self", "strftime_now", "tokenize", "tools", "varargs", "kwargs", "caller",
}  # fmt: skip


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name[:64]!r} is not a valid name of a variable")
    if name in _TAKEN or name.endswith(("_token", "_tokens")):
        raise ValueError(f"{name!r} cannot be set by a request")
    return name


Scalar: TypeAlias = (
    bool
    | Annotated[int, Field(ge=-(2**31), lt=2**31)]
    | Annotated[float, Field(ge=-(2**31), lt=2**31, allow_inf_nan=False)]
    | Annotated[str, StringConstraints(max_length=256)]
    | None
)
TemplateKwargs: TypeAlias = Annotated[
    dict[Annotated[str, AfterValidator(_variable)], Scalar], Field(max_length=16)
]


class Rendering(Record):
    """How the rows of a job were rendered, and so how its model is prompted.

    `date`: what its template took for now, in ISO 8601 without a zone.
    """

    kwargs: TemplateKwargs = Field(default_factory=dict)
    date: str
