"""What is told of a record while it is worked on."""

import hashlib
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from tunewright.records.record import Record, now

Level = Literal["info", "warn", "error"]


class RecordEvent(Record):
    """Each noun that is followed has a class of its own. `prefix`: how its ids begin."""

    prefix: ClassVar[str]

    id: str
    created_at: int = Field(default_factory=now)
    level: Level = "info"
    message: str
    data: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, subject: str, key: str, message: str, **fields: Any) -> Self:
        """The event `key` of the record `subject`: its id follows from both, so that it is kept
        once, however often it is said."""
        digest = hashlib.sha256(f"{subject}/{key}".encode()).hexdigest()[:24]
        return cls(id=f"{cls.prefix}{digest}", message=message, **fields)
