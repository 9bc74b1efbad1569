"""The answers that a batch has so far, on disk: what is in them is never asked again."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import orjson

from tunewright.durable import Place, Spool
from tunewright.records.batches import BatchUsage, RequestCounts
from tunewright.work.batch_lines import Answered

NAME = "answers.spool"


class Answers:
    """Each stands in the spool behind a JSON list of what is counted: number of its line, whether
    it failed, tokens read, tokens written."""

    def __init__(self, folder: Path) -> None:
        """Raises InUse where somebody still adds to them."""
        self._places: dict[int, tuple[bool, Place]] = {}
        self._failed = 0
        self._read = 0
        self._written = 0
        self._spool = Spool(folder / NAME)
        for place, stored in self._spool.lines():
            self._count(_parsed(stored), place)

    def __contains__(self, number: int) -> bool:
        return number in self._places

    def __len__(self) -> int:
        return len(self._places)

    @property
    def size(self) -> int:
        """In bytes."""
        return self._spool.bytes

    def add(self, answered: Sequence[Answered]) -> None:
        """All of them or, where it raises, none."""
        new = [one for one in answered if one.number not in self]
        places = self._spool.append([_stored(one) for one in new])
        for one, place in zip(new, places, strict=True):
            self._count(one, place)

    def counts(self, total: int) -> RequestCounts:
        return RequestCounts(total=total, completed=len(self) - self._failed, failed=self._failed)

    def usage(self) -> BatchUsage:
        return BatchUsage(
            input_tokens=self._read,
            output_tokens=self._written,
            total_tokens=self._read + self._written,
        )

    def good(self) -> Iterator[bytes]:
        """Lines of the output file, in the order of the requests."""
        for number in sorted(self._places):
            failed, place = self._places[number]
            if not failed:
                yield _parsed(self._spool.read(place)).line

    def bad(self, missing: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        """Lines of the error file, in that order too. `missing`: line numbers and lines of
        requests that were never asked."""
        failed = {number: place for number, (bad, place) in self._places.items() if bad}
        lines = dict(missing)
        for number in sorted(failed.keys() | lines.keys()):
            place = failed.get(number)
            yield lines[number] if place is None else _parsed(self._spool.read(place)).line

    def close(self) -> None:
        self._spool.close()

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close()

    def _count(self, one: Answered, place: Place) -> None:
        if one.number in self:
            return
        self._places[one.number] = one.failed, place
        self._failed += one.failed
        self._read += one.read
        self._written += one.written


def _stored(one: Answered) -> bytes:
    head = orjson.dumps([one.number, one.failed, one.read, one.written])
    return head + b" " + one.line


def _parsed(stored: bytes) -> Answered:
    head, _, line = stored.partition(b" ")
    number, failed, read, written = orjson.loads(head)
    return Answered(number, line, failed, read, written)
