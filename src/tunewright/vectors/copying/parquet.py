"""A Parquet file that is written in pieces, each of which is whole or absent, and put together when
all of them are there: what a killed process has left goes on."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tunewright import durable
from tunewright.errors import BadRequest
from tunewright.tables.writers import EMBEDDING, ParquetSink, pyarrow
from tunewright.vectors.copying.table import ATTRIBUTES, METRIC, OWN, OfTable
from tunewright.vectors.filters import Filter, kind, matches
from tunewright.vectors.index import Described, Floats, Hits, Rows

ID = "id"
_MOST = 200  # columns of attributes; others are in the column `attributes`
_KINDS = b"kinds"
_MIXED = "mixed"


class IntoParquet:
    """Its contract: `Destination`.

    Columns: `id`; each attribute whose values are of one type (text, true or false, double); where
    others are left, `attributes`, an object in JSON with these; `embedding`,
    FixedSizeList<float32>.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadRequest, MissingExtra."""
        if path.suffix.lower() != ".parquet":
            raise BadRequest(
                f"{path.name}: a collection is copied to an index, or to a file that ends in "
                ".parquet."
            )
        if not path.absolute().parent.is_dir():
            raise BadRequest(f"There is no folder {path.absolute().parent}.")
        self._arrow, self._parquet = pyarrow()
        self.path = path
        self.label = str(path.resolve())
        self._parts = path.with_name(f"{path.name}.partial")
        self._about: Described | None = None

    def there(self) -> int:
        if self.path.exists():
            return self._rows_of(self.path)
        return sum(map(self._rows_of, self._parts.glob("*.parquet")))

    def _rows_of(self, path: Path) -> int:
        try:
            return self._parquet.read_metadata(path).num_rows
        except self._arrow.ArrowException:
            return 1  # somebody else's: it is not replaced

    def refusal(self, about: Described, rows: Rows | None = None) -> str | None:
        return None

    def begin(self, about: Described) -> None:
        self._about = about
        if not self.path.exists():
            durable.make_directory(self._parts)

    def put(self, number: int, rows: Rows) -> None:
        arrow = self._arrow
        said = [orjson.dumps(one).decode() for one in rows.attributes]
        vectors = _lists(arrow, rows.vectors)
        kinds = {_KINDS: orjson.dumps(_kinds(rows.attributes))}
        table = arrow.table({ID: rows.ids, ATTRIBUTES: said, EMBEDDING: vectors})
        with durable.Upload(self._part(number)) as out:
            self._parquet.write_table(table.replace_schema_metadata(kinds), ParquetSink(out))
            out.commit()

    def _part(self, number: int) -> Path:
        return self._parts / f"{number:08}.parquet"

    def finish(self, pages: int) -> None:
        if self.path.exists():  # an earlier run has come so far
            durable.remove(self._parts)
            return
        parts = [self._part(number) for number in range(pages)]
        schema = self._schema(parts)
        with durable.Upload(self.path) as out:
            with self._parquet.ParquetWriter(
                ParquetSink(out), schema, use_dictionary=_texts(schema)
            ) as writer:
                for part in parts:
                    writer.write_table(self._columns(self._parquet.read_table(part), schema))
            out.commit()
        durable.remove(self._parts)

    def _schema(self, parts: list[Path]) -> Any:
        arrow, about = self._arrow, self._about
        assert about is not None
        kinds: dict[str, str] = {}
        for part in parts:
            said = orjson.loads(self._parquet.read_schema(part).metadata[_KINDS])
            _merge(kinds, said)
        types = {"string": arrow.string(), "boolean": arrow.bool_(), "number": arrow.float64()}
        reserved = (ID, ATTRIBUTES, EMBEDDING)
        own = [name for name, of in kinds.items() if of != _MIXED and name not in reserved]
        fields = [(ID, arrow.string()), *((name, types[kinds[name]]) for name in own[:_MOST])]
        if kinds.keys() - own[:_MOST]:
            fields.append((ATTRIBUTES, arrow.string()))
        fields.append((EMBEDDING, arrow.list_(arrow.float32(), about.dimensions)))
        return arrow.schema(fields, {METRIC: about.metric, OWN: orjson.dumps(own[:_MOST])})

    def _columns(self, table: Any, schema: Any) -> Any:
        """Of a part, as the whole file has them."""
        arrow = self._arrow
        rows = [orjson.loads(one) for one in table[ATTRIBUTES].to_pylist()]
        own = orjson.loads(schema.metadata[OWN.encode()])
        made = {ID: table[ID], EMBEDDING: table[EMBEDDING]}
        for name in own:
            made[name] = arrow.array([row.pop(name, None) for row in rows], schema.field(name).type)
        if ATTRIBUTES in schema.names:
            made[ATTRIBUTES] = [orjson.dumps(row).decode() if row else None for row in rows]
        return arrow.table([made[name] for name in schema.names], schema=schema)

    def pages(self) -> Iterator[Rows]:
        for _, rows in OfTable(self.path, None, ID).pages(None) if self.count(None) else ():
            yield rows

    def count(self, where: Filter | None) -> int:
        if where is None:
            return self._rows_of(self.path)
        return sum(matches(where, one) for rows in self.pages() for one in rows.attributes)

    def search(self, queries: Floats, k: int) -> Hits | None:
        return None


def _lists(arrow: Any, vectors: Floats) -> Any:
    flat = arrow.array(np.ascontiguousarray(vectors, np.float32).reshape(-1))
    return arrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])


def _kinds(attributes: list[dict[str, str | bool | float]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in attributes:
        _merge(found, {key: kind(value) or _MIXED for key, value in one.items()})
    return found


def _merge(kinds: dict[str, str], more: Mapping[str, str]) -> None:
    for key, of in more.items():
        kinds[key] = of if kinds.get(key, of) == of else _MIXED


def _texts(schema: Any) -> list[str]:
    """Of columns that have a dictionary: texts, and not vectors."""
    return [field.name for field in schema if str(field.type) == "string"]
