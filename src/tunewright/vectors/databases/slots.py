"""Names and values that every database takes as they are, whatever a user's were.

A row's attributes are kept twice: as one JSON text, which comes back exactly, and each in a field
of its own, to be filtered by. The type is part of the field's name (``s_lang``, ``n_year``,
``b_done``): no field has values of two types, and no database compares true with 1.
"""

import hashlib
import re
import struct
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from tunewright.vectors.databases.database import Plain
from tunewright.vectors.filters import Kind, Value, kind

_PREFIX: dict[Kind, str] = {"string": "s_", "number": "n_", "boolean": "b_"}
_READABLE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_LONGEST = 48  # bytes of what is written as hexadecimal digits, and not as its hash


def field(key: str, of: Kind) -> str:
    """Of the letters a to z, digits and _, at most 99: the same for no two keys or types."""
    named = key if _READABLE.fullmatch(key) else f"_{token(key)}"
    return _PREFIX[of] + named


def fields(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Each attribute in its field."""
    found: dict[str, Any] = {}
    for key, value in attributes.items():
        of = kind(value)
        assert of is not None
        found[field(key, of)] = value
    return found


def token(text: str) -> str:
    """Hexadecimal digits instead of a text: equal ones of equal texts only, for databases that
    change the case of texts, cut them into words, or have signs of their own in them."""
    raw = text.encode()
    return raw.hex() if len(raw) <= _LONGEST else "h" + hashlib.sha256(raw).hexdigest()


def untoken(token: str) -> str | None:
    """The text of a `token`; None where that is a hash."""
    return None if token.startswith("h") else bytes.fromhex(token).decode()


def word(key: str, value: Value) -> str:
    """An attribute as one word of letters and digits, the same for no two attributes: for databases
    that look for words in a field of many."""
    of = kind(value)
    assert of is not None
    text = str(value) if of != "number" else float(value or 0.0).hex()  # 0.0 and -0.0 are one
    spelled = f"{of} {len(key)} {key} {text}".encode()
    return of[0] + hashlib.sha256(spelled).hexdigest()[:40]


def ordered(number: float) -> int:
    """A whole number of 64 bits that is in the order of doubles, for databases whose numbers are
    narrower. -0.0 and 0.0 are one."""
    (bits,) = struct.unpack("<q", struct.pack("<d", number + 0.0))
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF) - 1


def packed(attributes: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(attributes)).decode()


def unpacked(text: str | bytes) -> Plain:
    return orjson.loads(text)


def uuid_of(id: str) -> str:
    """For databases whose ids are UUIDs; the id itself is kept in a field."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, id))
