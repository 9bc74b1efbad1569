"""Places that are named: ``PLACE#COLLECTION``, or a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.errors import BadRequest
from tunewright.vectors import name_of, open_index
from tunewright.vectors.checking import may_be_name
from tunewright.vectors.copying.ends import Destination, IntoIndex, OfIndex, Source
from tunewright.vectors.copying.foreign import foreign, foreign_names
from tunewright.vectors.copying.parquet import IntoParquet
from tunewright.vectors.copying.table import OfTable
from tunewright.vectors.databases.connected import Connected
from tunewright.vectors.databases.place import place_of
from tunewright.vectors.index import Metric, VectorIndex

_TABLES = (".parquet", ".jsonl", ".json", ".csv", ".tsv", ".xlsx")


@dataclass(frozen=True)
class Reading:
    """What a place does not tell of itself: see `copy`."""

    metric: Metric | None = None
    id: str | None = None
    text: str = "text"
    numbers: tuple[str, ...] = ()


class Places:
    """Opens each place once, and closes all of them at the end."""

    def __init__(self) -> None:
        self._opened: dict[str, VectorIndex] = {}

    def __enter__(self) -> "Places":
        return self

    def __exit__(self, *_: Any) -> None:
        for index in self._opened.values():
            index.close()

    def source(self, given: "str | Path | Source", reading: Reading) -> Source:
        """Raises BadRequest, NotFound."""
        if not isinstance(given, str | Path):
            return given
        if table := table_of(given):
            return OfTable(table, reading.metric, reading.id, numbers=reading.numbers)
        place, collection = split(given)
        index = self._index(place)
        if not collection:
            raise BadRequest(f"Which collection of {shown(place)}? {_which(place, index)}")
        if (
            isinstance(index, Connected)
            and collection not in index.collections()
            and (found := foreign(index, collection, reading.metric, reading.text))
        ):
            return found
        _untold(reading.metric, index, collection)
        return OfIndex(index, shown(place), collection)

    def destination(self, given: "str | Path | Destination", collection: str) -> Destination:
        """Raises BadRequest."""
        if not isinstance(given, str | Path):
            return given
        if table := table_of(given):
            return IntoParquet(table)
        place, named = split(given)
        name = named or collection
        if not may_be_name(name):
            raise BadRequest(
                f"'{name[:200]}' cannot be a collection's name: letters, digits, _ and - only, at "
                f"most 128. Say what it is called at the destination: {shown(place)}#NAME."
            )
        return IntoIndex(self._index(place), shown(place), name)

    def _index(self, place: str) -> VectorIndex:
        if place not in self._opened:
            self._opened[place] = open_index(place)
        return self._opened[place]


def split(given: "str | Path") -> tuple[str, str]:
    """(place, collection). The last # counts: names have none."""
    place, sign, name = str(given).rpartition("#")
    if not sign:
        return str(given), ""
    if not place or not name:
        raise BadRequest(f"'{given}' does not name a collection. Give PLACE#COLLECTION.")
    return place, name


def table_of(given: "str | Path") -> Path | None:
    """A place that is a file. `file:` may stand before it."""
    text = str(given)
    path = Path(text.removeprefix("file:"))
    plain = ":" not in text or text.startswith("file:")
    return path if plain and path.suffix.lower() in _TABLES and not path.is_dir() else None


def shown(place: str) -> str:
    """Without what may be a password; a folder as it is wherever one stands."""
    if name_of(place) == "local":
        scheme, _, path = place.rpartition(":")
        return f"{scheme or 'local'}:{Path(path).expanduser().resolve()}"
    return str(place_of(place))


def _which(place: str, index: VectorIndex) -> str:
    names = index.collections()
    if isinstance(index, Connected):
        names = sorted({*names, *foreign_names(index)})
    if not names:
        return "It has none."
    listed = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"It has {listed}. Give {shown(place)}#{names[0]}, for example."


def _untold(metric: Metric | None, index: VectorIndex, collection: str) -> None:
    """A metric that is given is for sources that do not tell theirs."""
    told = index.describe(collection).metric
    if metric not in (None, told):
        raise BadRequest(
            f"The collection '{collection}' has the metric {told}: it is kept. Leave out 'metric'.",
            param="metric",
        )
