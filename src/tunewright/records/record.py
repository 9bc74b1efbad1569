"""What every record shares, and how a client's JSON becomes one."""

import secrets
import string
import time
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from tunewright.errors import BadRequest, Unsupported

MAX_KEYS = 256  # of one object in a request; none has so many fields

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """A fresh id such as ``file-…``: the prefix and `length` random letters and digits."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(length))


def now() -> int:
    """Unix time, whole seconds: what every `created_at` holds."""
    return int(time.time())


class Record(BaseModel):
    # Of one that the catalog keeps: its table, and the fields that are columns to search by.
    table: ClassVar[str] = ""
    searched: ClassVar[tuple[str, ...]] = ()
    # Nothing of a deleted one stays: its id is a name that a client chose, or nobody pages through
    # them.
    goes_wholly: ClassVar[bool] = False

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        json_schema_serialization_defaults_required=True,  # no field is absent from the wire
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """What is left out where it is None is never null, and not always there."""
        schema = handler(core)
        inner = handler.resolve_ref_schema(schema)
        for name, field in cls.model_fields.items():
            if field.exclude_if and name in inner.get("properties", {}):
                inner["required"] = [each for each in inner.get("required", ()) if each != name]
                inner["properties"][name] = _never_null(inner["properties"][name])
        return schema

    @property
    def kept_as(self) -> str:
        """The id of its row in the catalog, where its own `id` is of something else as well."""
        return str(getattr(self, "id"))  # noqa: B009

    @property
    def poll_after_ms(self) -> int | None:
        """How long a client that waits for its end does well to wait before it asks again."""
        return None

    def wire(self) -> dict[str, Any]:
        """The JSON object that clients get."""
        return self.model_dump(mode="json")


def _never_null(schema: JsonSchemaValue) -> JsonSchemaValue:
    arms = [arm for arm in schema.get("anyOf", ()) if arm != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**rest, **arms[0]} if len(arms) == 1 else schema


class Request(BaseModel):
    """What a client sends. Numbers stay numbers (strict), and unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, protected_namespaces=())

    # Parameters of OpenAI's that are not offered, with the values that ask for nothing.
    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {}
    # What to do without them, as a sentence, where there is something to say.
    instead: ClassVar[dict[str, str]] = {}
    # Fields that are taken and change nothing, with the reason why that is no loss.
    without_effect: ClassVar[dict[str, str]] = {}
    # Optional fields with a value of their own, which null asks for: SDKs dump what they were not
    # given as null.
    _defaults: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        fields = cls.model_fields.items()
        cls._defaults = frozenset(
            name for name, f in fields if not f.is_required() and f.default is not None
        )

    @model_validator(mode="before")
    @classmethod
    def _refuse_by_name(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if len(given) > MAX_KEYS:  # one complaint, not one for each
            unknown = next((name for name in given if name not in cls.model_fields), "")
            raise PydanticCustomError("extra_forbidden", "{name}", {"name": unknown})
        if not cls.unsupported and not cls._defaults:
            return given
        for name, value in given.items():
            nothing = cls.unsupported.get(name)
            if nothing is not None and value is not None and value not in nothing:
                context = {"name": name, "instead": cls.instead.get(name)}
                raise PydanticCustomError("unsupported_parameter", "{name}", context)
        return {
            name: value
            for name, value in given.items()
            if name not in cls.unsupported and not (value is None and name in cls._defaults)
        }

    @classmethod
    def parse(cls, body: Any) -> "Any":
        """Check a decoded JSON body; return an instance.

        Raises BadRequest in OpenAI's words for the first thing that is wrong, Unsupported for a
        parameter that OpenAI has and Tunewright does not offer.
        """
        if not isinstance(body, dict):
            raise BadRequest(
                "We expected a JSON object as the body of your request, but got "
                f"{json_type(body)} instead."
            )
        try:
            return cls.model_validate(body)
        except ValidationError as error:
            raise bad_request(error) from None


def bad_request(error: ValidationError) -> BadRequest:
    """OpenAI's words for the most telling of pydantic's complaints."""
    first = min(error.errors(include_url=False), key=_rank)
    place = first["loc"]
    if name := first.get("ctx", {}).get("name"):
        place = (*place, name)
    param = _param(place)
    if first["type"] == "unsupported_parameter":
        return _unsupported(param, first.get("ctx", {}).get("instead"))
    message, code = _WORDS.get(first["type"], _other)(param, first)
    return BadRequest(message, param=param or None, code=code)


def _unsupported(param: str, instead: str | None) -> Unsupported:
    said = f"Unsupported parameter: '{param}' is not supported by this server."
    return Unsupported(f"{said} {instead}" if instead else said, param=param)


def _rank(detail: Any) -> tuple[int, int]:
    """A union complains once for each arm: a bound that is broken tells more than a type that
    does not fit, and the deeper place more than the shallow one."""
    kind = detail["type"]
    order = (kind == "missing") * 4 or (kind == "literal_error") * 3 or kind.endswith("_type") * 2
    return order, -len(detail["loc"])


def _param(loc: tuple[int | str, ...]) -> str:
    """``messages[0].content`` from ('messages', 0, 'content'); names of union arms left out."""
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part.isidentifier() and part not in _ARMS:
            path += f".{part}" if path else part
    return path


_ARMS = {"str", "int", "float", "bool", "list", "dict"}


def json_type(value: Any) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "a string",
        bool: "a boolean",
        int: "an integer",
        float: "a number",
    }
    return names.get(type(value), "null")


def _wrong_type(expected: str) -> Any:
    def words(param: str, detail: Any) -> tuple[str, str]:
        got = json_type(detail["input"])
        return (
            f"Invalid type for '{param}': expected {expected}, but got {got} instead.",
            "invalid_type",
        )

    return words


def _integer(param: str, detail: Any) -> tuple[str, str]:
    """Beyond 64 bits the parser makes a float of a whole number."""
    given = detail["input"]
    whole = isinstance(given, int) or (isinstance(given, float) and given.is_integer())
    if whole and abs(given) >= 2**63:
        edge = "above maximum" if given > 0 else "below minimum"
        return (
            f"Invalid '{param}': integer {edge} value.",
            f"integer_{edge[:5]}_{edge[6:9]}_value",
        )
    return _wrong_type("an integer")(param, detail)


def _size(kind: str, bound: str, key: str) -> Any:
    long, most = ("long", "maximum") if bound == "max" else ("short", "minimum")
    article, edge = ("an", "above") if kind == "array" else ("a", "above")
    edge = edge if bound == "max" else "below"

    def words(param: str, detail: Any) -> tuple[str, str]:
        limit, got = detail["ctx"][key], len(detail["input"])
        if isinstance(detail["input"], dict):
            return _many_properties(param, limit, got)
        return (
            f"Invalid '{param}': {kind} too {long}. Expected {article} {kind} with {most} length "
            f"{limit}, but got {article} {kind} with length {got} instead.",
            f"{kind}_{edge}_{bound}_length",
        )

    return words


def _many_properties(param: str, most: int, got: int) -> tuple[str, str]:
    return (
        f"Invalid '{param}': too many properties. Expected an object with at most {most} "
        f"properties, but got an object with {got} properties instead.",
        "object_above_max_properties",
    )


def _range(sign: str, key: str, edge: str) -> Any:
    def words(param: str, detail: Any) -> tuple[str, str]:
        limit = detail["ctx"][key]
        kind = "integer" if isinstance(limit, int) else "decimal"
        shown = limit if isinstance(limit, int) else f"{limit:g}"
        bound = "minimum" if edge == "below_min" else "maximum"
        return (
            f"Invalid '{param}': {kind} {edge.split('_')[0]} {bound} value. Expected a value "
            f"{sign} {shown}, but got {detail['input']} instead.",
            f"{kind}_{edge}_value",
        )

    return words


def _pattern(param: str, detail: Any) -> tuple[str, str]:
    return (
        f"Invalid '{param}': string does not match pattern. Expected a string that matches the "
        f"pattern '{detail['ctx']['pattern']}'.",
        "invalid_value",
    )


def _missing(param: str, _: Any) -> tuple[str, str]:
    return f"Missing required parameter: '{param}'.", "missing_required_parameter"


def _unknown(param: str, _: Any) -> tuple[str, str]:
    return f"Unknown parameter: '{param}'.", "unknown_parameter"


def _not_listed(param: str, detail: Any) -> tuple[str, str]:
    if not isinstance(detail["input"], str | int) or isinstance(detail["input"], bool):
        return _wrong_type(f"one of {detail['ctx']['expected']}")(param, detail)
    return (
        f"Invalid value for '{param}': {detail['input']!r}. "
        f"Supported values are: {detail['ctx']['expected']}.",
        "invalid_value",
    )


def _other(param: str, detail: Any) -> tuple[str, str]:
    reason = str(detail["msg"]).removeprefix("Value error, ")
    return (f"Invalid '{param}': {reason}." if param else f"{reason}."), "invalid_value"


_WORDS: dict[str, Any] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _not_listed,
    "string_type": _wrong_type("a string"),
    "int_type": _integer,
    "int_from_float": _integer,
    "float_type": _wrong_type("a number"),
    "bool_type": _wrong_type("a boolean"),
    "list_type": _wrong_type("an array"),
    "dict_type": _wrong_type("an object"),
    "attribute_type": _wrong_type("a string, a number or a boolean"),
    "none_required": _wrong_type("null"),
    "bytes_type": _wrong_type("a file"),
    "int_parsing_size": _integer,
    "string_pattern_mismatch": _pattern,
    "model_type": _wrong_type("an object"),
    "model_attributes_type": _wrong_type("an object"),
    "string_too_long": _size("string", "max", "max_length"),
    "string_too_short": _size("string", "min", "min_length"),
    "too_long": _size("array", "max", "max_length"),
    "too_short": _size("array", "min", "min_length"),
    "greater_than_equal": _range(">=", "ge", "below_min"),
    "greater_than": _range(">", "gt", "below_min"),
    "less_than_equal": _range("<=", "le", "above_max"),
    "less_than": _range("<", "lt", "above_max"),
}
