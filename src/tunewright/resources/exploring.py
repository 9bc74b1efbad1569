"""Opens a table to be explored: with the vectors that it has, or that are made of its texts."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest, TunewrightError
from tunewright.records.models import Weights
from tunewright.resources.embedding_prompts import prompt_of_side
from tunewright.resources.embedding_tables import MODEL
from tunewright.resources.explored import Explored
from tunewright.resources.explored_table import rule_of
from tunewright.resources.index_search import IndexHit, search_index
from tunewright.resources.models import Models
from tunewright.resources.whole_tables import Progress, WholeTable, WholeTables, quiet
from tunewright.tables.saved import said_of
from tunewright.tables.texts import missing
from tunewright.wording import counted

Floats = NDArray[np.float32]


class Exploring:
    def __init__(
        self,
        models: Models,
        embedder: Callable[[Weights], Embedder],
        tables: WholeTables,
        in_engine: Callable[[str], bool],
    ) -> None:
        self._in_engine = in_engine
        self._models = models
        self._embedder = embedder
        self.tables = tables

    def open(
        self,
        path: Path | str,
        column: str | None = None,
        *,
        template: str | None = None,
        sheet: str | None = None,
        model: str | None = None,
        prompt_name: str | None = None,
        label: str | None = None,
        number: str | None = None,
        user: str | None = None,
        item: str | None = None,
        progress: Progress = quiet,
    ) -> Explored:
        """A table (.csv, .tsv, .xlsx, .parquet, .json, .jsonl) with a vector of each row, which are
        computed once and kept in the home by what the texts are; or what ``tunewright embed
        --output`` wrote, whose vectors are used.

        column: of the texts, or several with commas between (default: those of the template, or
        ``text``). model: default text-embedding-ada-002, or the one that a file with vectors says
        it was made by. label, number, user, item: the columns that have a class, a number, who
        chose and what was chosen. progress: hears which share of the texts is embedded.

        Raises BadRequest for a table or a column that cannot be, for vectors of another model than
        the one that is asked for, and where no row has a vector.
        """
        place = Path(path).expanduser().absolute()
        name = self.model_for(place, model)
        table = self.tables.read(
            place,
            name,
            column=column,
            template=template,
            sheet=sheet,
            prompt_name=prompt_name,
            progress=progress,
        )
        columns = list(dict.fromkeys(each for row in table.values.values() for each in row))
        asked = {
            "column": column,
            "template": template,
            "sheet": sheet,
            "model": model,
            "prompt_name": prompt_name,
        }
        named = {"label": label, "number": number, "user": user, "item": item}
        for param, wanted in named.items():
            if param == "label" and wanted is not None:
                rule_of(wanted, columns)
            elif wanted is not None and wanted not in columns:
                raise BadRequest(missing(wanted, columns), param=param)
        vectors, notes = _of_length_one(table)
        made_by = self._made_by(table, name, model)
        return Explored(
            place,
            table.lines,
            table.texts,
            vectors,
            table.values,
            table.left_out,
            columns,
            lambda texts: self._queries(texts, made_by or name, vectors.shape[1]),
            made_by.id if made_by else (table.said or {}).get("model"),
            made_by.base_fingerprint if made_by else (table.said or {}).get("fingerprint"),
            **named,
            sheet=sheet,
            before=table.before,
            notes=(*_of_tokens(table), *notes),
            text_columns=table.columns,
            given=str(path),
            options={**asked, **named},
        )

    def search_index(
        self,
        url: str,
        collection: str,
        query: str,
        *,
        top: int = 10,
        where: Mapping[str, Any] | None = None,
        model: str | None = None,
    ) -> list[IndexHit]:
        """The rows nearest to a query in a collection of a vector index: the embedded one
        (``local:DIRECTORY``) or a database (``qdrant+http://127.0.0.1:6333``; `open_index`).

        where: a filter on attributes, as OpenAI writes it. model: the one that made the vectors
        (default text-embedding-ada-002). Raises BadRequest for a model whose vectors are longer or
        shorter than the collection's, and NotFound for a collection that is not there.
        """
        name = model or MODEL
        return search_index(
            url,
            collection,
            query,
            lambda texts, dimensions: self._queries(texts, name, dimensions),
            top=top,
            where=where,
        )

    def model_for(self, path: Path, model: str | None) -> str:
        """What the texts of a table are embedded by, or the vectors in it were made by."""
        return model or said_of(path).get("model") or MODEL

    def in_engine(self, model: str) -> bool:
        """Whether vectors of `model` are computed in the engine process. False of one that is not
        here: the vectors that it made can be explored all the same."""
        try:
            return self._in_engine(model)
        except TunewrightError:
            return False

    def _made_by(self, table: WholeTable, name: str, asked: str | None) -> Weights | None:
        """The model of the vectors, where it is here. Raises BadRequest where another one was
        asked for."""
        if table.said is None:
            return self._models.weights(name, ("embedding",))
        if asked is None and not table.said.get("model"):
            return None
        try:
            weights = self._models.weights(name, ("embedding",))
        except TunewrightError:
            if asked is not None:
                raise
            return None  # whose vectors they are is no longer here: all but new texts can be used
        fingerprint, its = table.said.get("fingerprint"), weights.base_fingerprint
        dimensions = self._embedder(weights).dimensions
        other = fingerprint is not None and fingerprint != its
        if (other or dimensions != table.vectors.shape[1]) and asked is not None:
            raise BadRequest(
                f"The vectors of this table are of another model than {asked}: "
                f"{_what(table)}, and those of {asked} have {dimensions} dimensions and the "
                f"fingerprint {its[:12]}. Leave --model out, or embed the table's texts again.",
                param="model",
            )
        return None if other or dimensions != table.vectors.shape[1] else weights

    def _queries(self, texts: Sequence[str], model: Weights | str, dimensions: int) -> Floats:
        """Vectors [m, d] of texts to be searched for."""
        name = model.id if isinstance(model, Weights) else model
        weights = self._models.weights(name, ("embedding",))
        embedder = self._embedder(weights)
        if embedder.dimensions != dimensions:
            raise BadRequest(
                f"The vectors have {dimensions} dimensions, and those of {name} have "
                f"{embedder.dimensions}. Name the model that made them with --model.",
                param="model",
            )
        prompts = embedder.declared.prompts
        query = prompt_of_side(embedder.declared, "query")
        side = next((each for each, text in prompts.items() if text == query), None)
        found = self.tables.of_texts(texts, name, side)
        for at, why in found.left_out.items():
            raise BadRequest(
                f"'{texts[at - 1]}' cannot be searched for by meaning: {why}. Search by words: "
                '--method words (method="words").',
                param="query",
            )
        return found.vectors


def _what(table: WholeTable) -> str:
    said = table.said or {}
    named = said.get("model", "a model that is not named")
    print_ = f" with the fingerprint {said['fingerprint'][:12]}" if "fingerprint" in said else ""
    return f"they are of {named}{print_} and have {table.vectors.shape[1]} dimensions"


def _of_tokens(table: WholeTable) -> list[str]:
    if not table.unknown:
        return []
    return [
        f"The model does not know {table.unknown:,} of {table.tokens:,} tokens: it cannot tell "
        "other languages and emoji apart. A multilingual embedding model can."
    ]


def _of_length_one(table: WholeTable) -> tuple[Floats, list[str]]:
    """Vectors [n, d]; what is not of length 1 is scaled, and that is said."""
    lengths = np.sqrt(np.einsum("ij,ij->i", table.vectors, table.vectors))  # [n]
    other = np.abs(lengths - 1) > 1e-3
    if not other.any():
        return table.vectors, []
    said = f"{counted(int(other.sum()), 'vector')} were not of length 1 and were scaled to it."
    return (table.vectors / lengths[:, None]).astype(np.float32), [said]
