"""Filters for PostgreSQL: keys and values are parameters, never a part of the statement."""

from hypothesis import given
from hypothesis import strategies as st

from tunewright.testing.vectors.both import KEYS, VALUES
from tunewright.vectors.databases.jsonb import compiled, packed, plain_of, text_of, unpacked
from tunewright.vectors.filters import parse

texts = st.text(st.sampled_from("\0\1\2a'"), max_size=8)


@given(texts, texts)
def test_texts_without_nul_keep_their_order(one: str, other: str) -> None:
    assert "\0" not in text_of(one)
    assert plain_of(text_of(one)) == one
    assert (text_of(one) < text_of(other)) == (one < other)


def test_attributes_come_back() -> None:
    import json

    given = {"a\0": "b\1\0", "yes": True, "n": 1e300, "m": -2.5, "東": "\U0001f9f5"}
    found = unpacked(json.loads(packed(given)))
    assert found == given
    assert [type(value) for value in found.values()] == [str, bool, float, float, str]


def test_the_statement_is_the_same_whatever_is_asked() -> None:
    for op in ("eq", "ne", "gt", "in", "nin"):
        of_texts: set[str] = set()
        for key in [*KEYS, "'); DROP TABLE x; --"]:
            for value in VALUES:
                if isinstance(value, str):
                    asked = [value] if op in ("in", "nin") else value
                    said, values = compiled(parse({"type": op, "key": key, "value": asked}))
                    of_texts.add(said)
                    assert said.count("%s") == len(values)
        assert len(of_texts) == 1
