"""What a client may ask to be embedded, and what it gets."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, WrapValidator

from tunewright.errors import BadRequest
from tunewright.records.record import Record, Request

MAX_INPUTS = 2048
MAX_TOKENS_EACH = 8192
MAX_TOKENS_TOGETHER = 300_000

_REFERENCE = "Please check the API reference: https://platform.openai.com/docs/api-reference."


def invalid_input(reason: str) -> BadRequest:
    """OpenAI's words, which name no reason, and the reason."""
    return BadRequest(f"'$.input' is invalid. {reason} {_REFERENCE}", param="input")


def check_tokens(counts: list[int]) -> None:
    """Raises BadRequest where an input, or all together, have more tokens than OpenAI takes."""
    longest, total = max(counts, default=0), sum(counts)
    if longest > MAX_TOKENS_EACH:
        raise too_long(str(longest))
    if total > MAX_TOKENS_TOGETHER:
        raise too_many(str(total))


def too_long(tokens: str, most: int = MAX_TOKENS_EACH) -> BadRequest:
    return BadRequest(
        f"This model's maximum context length is {most} tokens, however you requested "
        f"{tokens} tokens ({tokens} in your prompt; 0 for the completion). Please reduce your "
        "prompt; or completion length.",
        param="input",
    )


def too_many(tokens: str) -> BadRequest:
    return BadRequest(
        f"Requested {tokens} tokens, max {MAX_TOKENS_TOGETHER} tokens per request.",
        param="input",
        code="max_tokens_per_request",
    )


def _input(value: Any, _: Any) -> Any:
    """One text, texts, one list of token ids, or lists of them: nothing empty, nothing mixed."""
    if not isinstance(value, str | list):
        raise invalid_input("It must be a string, or an array of strings or of token ids.")
    if not value:
        raise invalid_input(
            "An input must not be an empty string."
            if isinstance(value, str)
            else "It must not be an empty array."
        )
    if isinstance(value, list):
        _check_list(value)
    return value


def _check_list(value: list[Any]) -> None:
    if isinstance(value[0], int):
        _check_ids(value, "$.input")
        return
    if len(value) > MAX_INPUTS:
        raise BadRequest(
            f"Invalid 'input': array too long. Expected an array with maximum length {MAX_INPUTS}, "
            f"but got an array with length {len(value)} instead.",
            param="input",
            code="array_above_max_length",
        )
    if isinstance(value[0], list):
        _check_lists(value)
    else:
        _check_texts(value)


def _check_texts(value: list[Any]) -> None:
    for index, text in enumerate(value):
        if not isinstance(text, str):
            raise invalid_input(f"'$.input[{index}]' is not a string, as the first one is.")
        if not text:
            raise invalid_input(f"'$.input[{index}]' is an empty string.")


def _check_lists(value: list[Any]) -> None:
    for index, ids in enumerate(value):
        if not isinstance(ids, list):
            raise invalid_input(f"'$.input[{index}]' is not an array, as the first one is.")
        if not ids:
            raise invalid_input(f"'$.input[{index}]' is an empty array.")
    check_tokens([len(ids) for ids in value])  # before millions of ids are looked at
    for index, ids in enumerate(value):
        _check_ids(ids, f"$.input[{index}]")


def _check_ids(ids: list[Any], place: str) -> None:
    check_tokens([len(ids)])
    for index, id in enumerate(ids):
        if type(id) is not int or id < 0:
            raise invalid_input(f"'{place}[{index}]' is not a token id (a whole number from 0).")


_Text = Annotated[str, Field(min_length=1)]
_Ids = Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1, max_length=MAX_TOKENS_EACH)]
Input = (
    _Text
    | Annotated[list[_Text], Field(min_length=1, max_length=MAX_INPUTS)]
    | _Ids
    | Annotated[list[_Ids], Field(min_length=1, max_length=MAX_INPUTS)]
)


class EmbeddingRequest(Request):
    without_effect: ClassVar[dict[str, str]] = {
        "user": "tells OpenAI's abuse monitoring who asks; there is none here, and it is not kept"
    }

    model: Annotated[str, StringConstraints(min_length=1)]
    input: Annotated[Input, WrapValidator(_input)]
    dimensions: Annotated[int, Field(ge=1)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    prompt_name: str | None = None
    user: str | None = None

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        """The texts, or the token ids, each as a list of inputs."""
        value: Any = self.input
        return [value] if isinstance(value, str) or isinstance(value[0], int) else value


class Embedding(Record):
    """`embedding`: floats, or little-endian float32 in base64 where the client asked for that."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(Record):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(Record):
    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
