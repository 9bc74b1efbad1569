"""The open models that are known by name: the shipped ones, and those of HOME/catalogue.toml."""

import difflib
import tomllib
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tunewright import machine
from tunewright.catalog.catalog import SHARED, Catalog
from tunewright.errors import BadRequest, NotFound
from tunewright.home import Home
from tunewright.records.catalogue import CatalogueModel, Fit, Found
from tunewright.records.models import Model
from tunewright.settings import Settings

SHIPPED = Path(__file__).with_name("catalogue.toml")
_SPARE = 0.9  # of the machine's memory: the system and other programs need some


class Catalogue:
    def __init__(self, catalog: Catalog, home: Home, settings: Settings) -> None:
        self._shelf = catalog.shelf(SHARED)
        self._own = home.root / "catalogue.toml"
        self._wide = machine.computes_wide(settings.compute_dtype)

    @cached_property
    def _models(self) -> dict[str, CatalogueModel]:
        own = read(self._own) if self._own.is_file() else {}
        return {**read(SHIPPED), **own}

    def search(self, *words: str) -> list[Found]:
        """Those whose facts contain every one of `words`, in the catalogue's order; all without
        words."""
        wanted = [word.casefold() for word in words]
        return [
            self._seen(model)
            for model in self._models.values()
            if all(word in _text(model) for word in wanted)
        ]

    def retrieve(self, name: str) -> Found:
        """Raises NotFound, with the names that are nearly the same."""
        return self._seen(self.model(name))

    def model(self, name: str) -> CatalogueModel:
        """Raises NotFound, with the names that are nearly the same."""
        if found := self.get(name):
            return found
        raise self.unknown(name)

    def unknown(self, name: str) -> NotFound:
        near = near_misses(name, self._models)
        meant = f" Do you mean {' or '.join(near)}?" if near else ""
        return NotFound(
            f"The catalogue has no model '{name}'.{meant} tunewright models search lists what it "
            "has. A model that is not in it is added with a name of your choice and a hub id, a "
            "folder or a GGUF file: tunewright models add NAME SOURCE",
            param="name",
        )

    def get(self, name: str) -> CatalogueModel | None:
        return self._models.get(name.casefold())

    def _seen(self, model: CatalogueModel) -> Found:
        added = self._shelf.get(Model, model.name) is not None
        return Found(**model.model_dump(), fit=self._fit(model), added=added)

    def _fit(self, model: CatalogueModel) -> Fit:
        room = machine.memory() / 1e9 * _SPARE
        more = model.weights_gb if self._wide else 0  # float32: 4 bytes for each weight
        if model.memory.serve + more > room:
            return "too large"
        fits = model.memory.train is not None and model.memory.train + more <= room
        return "trains" if fits else "serves"


def read(file: Path) -> dict[str, CatalogueModel]:
    """By name. Raises BadRequest naming what is wrong with the file."""
    table: dict[str, Any] = {}
    try:
        table = tomllib.loads(file.read_text("utf-8"))
        models = [CatalogueModel.model_validate(each) for each in table.get("model", [])]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{file} cannot be read: {error}", param="catalogue") from error
    except ValidationError as error:
        raise BadRequest(_unusable(file, table, error), param="catalogue") from error
    return {model.name: model for model in models}


def _unusable(file: Path, table: dict[str, Any], error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"])) or "an entry"
    names = [each.get("name") for each in table["model"] if isinstance(each, dict)]
    return f"{file}: {where} cannot be used ({first['msg']}). Its models: {names}."


def near_misses(name: str, known: Iterable[str]) -> Sequence[str]:
    """At most three, the nearest first: by spelling, else those that contain `name`."""
    names, wanted = list(known), name.casefold()
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.6)
    return near or [each for each in names if len(wanted) > 2 and wanted in each][:3]


def _text(model: CatalogueModel) -> str:
    sources = " ".join(str(each.model_dump()) for each in model.source)
    tools = "tools" if model.tools else ""
    facts = (model.name, model.about, model.kind, model.licence, tools, sources)
    return " ".join(facts).casefold()
