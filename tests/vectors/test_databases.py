"""What connectors have in common. The whole of it is tried by the contract, on `poor_database`."""

import threading
import time
from itertools import pairwise
from typing import Any

import pytest

from tunewright.errors import BadRequest, MissingExtra, TunewrightError, Unavailable
from tunewright.registry import Registry
from tunewright.vectors.databases import slots
from tunewright.vectors.databases.calling import Calls
from tunewright.vectors.databases.connected import pieces
from tunewright.vectors.databases.database import Limits
from tunewright.vectors.databases.making import Made
from tunewright.vectors.databases.place import place_of
from tunewright.vectors.databases.splitting import weaker
from tunewright.vectors.filters import EVERY, NONE, Comparison, parse


@pytest.mark.parametrize(
    ("url", "host", "port", "path", "shown"),
    [
        ("chroma:some/where", "", None, "some/where", "chroma:some/where"),
        ("chroma+http://h:8000", "h", 8000, "", "chroma+http://h:8000"),
        ("qdrant+https://[::1]:6333/a", "::1", 6333, "a", "qdrant+https://::1:6333/a"),
        ("pinecone://Docs-2", "Docs-2", None, "", "pinecone://Docs-2"),
        ("redis://me:s3cret@h:1/2?password=s3cret", "h", 1, "2", "redis://h:1/2?password=..."),
        ("postgresql://u:s3%40ret@h/db", "h", None, "db", "postgresql://h/db"),
    ],
)
def test_a_place_is_read_and_shown_without_its_password(
    url: str, host: str, port: int | None, path: str, shown: str
) -> None:
    place = place_of(url)
    assert (place.host, place.port, place.path) == (host, port, path)
    assert str(place) == repr(place) == shown
    assert place.local == (not host)


def test_where_a_key_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    place = place_of("postgresql://u:s3%40ret@h/db")
    assert place.secret("DB_KEY") == "s3@ret"
    monkeypatch.setenv("DB_KEY", "from the database's own variable")
    assert place.secret("DB_KEY") == "from the database's own variable"
    monkeypatch.setenv("TUNEWRIGHT_DB_KEY", "ours\n")
    assert place.needed("DB_KEY") == "ours"
    with pytest.raises(Unavailable, match="OTHER_KEY"):
        place_of("pinecone://docs").needed("OTHER_KEY")


@pytest.mark.parametrize(
    "url", ["chroma", "chroma:", "chroma+http:x", "a+ftp://h", "redis://:s3cret@", "redis://h:x9"]
)
def test_places_that_are_none(url: str) -> None:
    with pytest.raises(BadRequest) as refused:
        place_of(url)
    assert "s3cret" not in str(refused.value)


def test_a_client_that_is_absent_is_named_with_its_extra() -> None:
    table = Registry("index", "none", {"x": "missing_client:open"}, extras={"x": "chroma"})
    with pytest.raises(MissingExtra, match=r"'x' \(missing_client .* 'tunewright\[chroma\]'"):
        table.make("x", "x://h")


def test_fields_and_texts_that_every_database_takes() -> None:
    keys = ["lang", "Lang", "_lang", "lang ", "ключ", "k'k", "$k", "", "x" * 64, "é" * 500, "a__b"]
    names = [slots.field(key, kind) for key in keys for kind in ("string", "number", "boolean")]
    assert names[0] == "s_lang"
    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.replace("_", "").isalnum() for name in names)
    assert all(name == name.lower() and len(name) < 100 for name in names)
    texts = ["", " ", "b", "B", "é", "e\u0301", "x" * 512, "x" * 513, "' or 1==1"]
    assert len({slots.token(text) for text in texts}) == len(texts)
    assert slots.unpacked(slots.packed({"é": "\n", "k": 1e300})) == {"é": "\n", "k": 1e300}


def test_doubles_as_whole_numbers_are_in_the_same_order() -> None:
    numbers = [-1e308, -2.5, -1.0, -5e-324, 0.0, 5e-324, 0.1, 1.0, 2.0**53, 2.0**53 + 2, 1e308]
    for less, more in pairwise(numbers):
        assert slots.ordered(less) < slots.ordered(more)
    assert slots.ordered(-0.0) == slots.ordered(0.0)
    assert all(-(2**63) <= slots.ordered(number) < 2**63 for number in numbers)


def test_the_part_of_a_filter_that_is_expressed() -> None:
    def comparison(op: str, key: str = "k") -> dict[str, Any]:
        return {"type": op, "key": key, "value": 1}

    def both(kind: str, *filters: Any) -> dict[str, Any]:
        return {"type": kind, "filters": list(filters)}

    def expresses(one: Comparison) -> bool:
        return one.op == "eq"

    eq, ne = comparison("eq"), comparison("ne")
    for given, left in [
        (eq, parse(eq)),
        (ne, EVERY),
        (both("and", eq, ne), parse(eq)),
        (both("or", eq, ne), EVERY),
        (both("and", both("or", eq, ne), comparison("eq", "m")), parse(comparison("eq", "m"))),
        (both("or"), NONE),
    ]:
        assert weaker(parse(given), expresses) == left


def test_pieces_of_what_is_written() -> None:
    rows: list[dict[str, Any]] = [{"k": "x" * 100}] * 10
    assert list(pieces(rows, 4, Limits(rows=4))) == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert list(pieces(rows, 4, Limits(size=1))) == [slice(at, at + 1) for at in range(10)]
    assert list(pieces([], 4, Limits())) == []


class Slow:
    """What `Calls` needs of a database."""

    limits = Limits(seconds=0.1)

    def error_of(self, error: Exception) -> None:
        return None


def test_calls_keep_the_deadline_and_give_our_errors_only() -> None:
    calls = Calls(Slow(), place_of("redis://:s3cret@h:1"))  # pyright: ignore[reportArgumentType]

    def raising(error: Exception) -> Any:
        raise error

    with pytest.raises(Unavailable, match=r"redis://h:1 has not answered within 0\.1 seconds"):
        calls(lambda: time.sleep(5))
    assert calls(lambda: 7) == 7
    for raised, kind in [
        (ConnectionError("redis://:s3cret@h:1 is down"), Unavailable),
        (BadRequest("as it is"), BadRequest),
        (ValueError("\n\n2 lines"), Unavailable),
    ]:
        with pytest.raises(kind) as found:
            calls(lambda raised=raised: raising(raised))
        assert "s3cret" not in str(found.value)
    refused = ValueError("bad")
    refused.status_code = 400  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TunewrightError, match="refuses what we ask: ValueError: bad"):
        calls(lambda: raising(refused))
    calls.close()
    with pytest.raises(Unavailable, match="closed"):
        calls(lambda: 7)


def test_a_server_that_is_silent_keeps_nobody_from_the_client_of_another() -> None:
    """Nor from a second try at the same one; what comes late is ended."""
    silent, started, ended = threading.Event(), threading.Event(), list[str]()

    def first() -> str:
        started.set()
        silent.wait()
        return "late"

    answers = iter([first, lambda: "other", lambda: "again"])
    one, other = (Made(lambda: next(answers)(), ended.append) for _ in range(2))
    waiting = threading.Thread(target=one)
    waiting.start()
    started.wait()
    assert other() == "other"
    assert one() == "again"
    silent.set()
    waiting.join()
    assert ended == ["late"]
    one.close()
    assert ended == ["late", "again"]
