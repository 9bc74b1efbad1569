"""What form an answer must have."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from tunewright.errors import BadRequest
from tunewright.records.record import Request


class NamedSchema(Request):
    """`strict` or not, the answer holds to the schema; `name` and `description` tell people."""

    model_config = ConfigDict(serialize_by_alias=True)

    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    strict: bool | None = None


class ResponseFormat(Request):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None

    def held_to(self) -> dict[str, Any] | None:
        """The JSON schema that the answer must follow; None: any text.

        Raises BadRequest where `type` and `json_schema` do not go together.
        """
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise BadRequest(
                "'response_format.json_schema' belongs to the type 'json_schema', and that type "
                "needs it.",
                param="response_format.json_schema",
            )
        if self.type == "text":
            return None
        schema = self.json_schema.schema_ if self.json_schema else None
        return {"type": "object"} if schema is None else schema
