"""The operator's side of models: which bases there are."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from tunewright import builtin, durable, names
from tunewright.artefacts import Artefacts, base_place
from tunewright.catalog.catalog import SHARED, Catalog
from tunewright.errors import BadRequest, NotFound
from tunewright.records.models import Model, ModelKind, Weights
from tunewright.rendering.configuration import read_object
from tunewright.resources import embedding_bases
from tunewright.resources.removals import remove_directories
from tunewright.suggestions import command

_KEPT = re.compile(
    r".*\.safetensors|.*\.safetensors\.index\.json|config\.json|generation_config\.json"
    r"|tokenizer.*\.json|special_tokens_map\.json|vocab\..*|merges\.txt|chat_template\.(?:jinja|json)"
    r"|LICENSE.*|README\.md"
)


def kept(directory: Path, kind: ModelKind = "completion") -> list[Path]:
    """The files of `directory` that a base keeps."""
    if kind == "embedding":
        return [directory / file for file in embedding_bases.files(directory)]
    files = [file for file in sorted(directory.iterdir()) if file.is_file()]
    return [file for file in files if _KEPT.fullmatch(file.name)]


class Bases:
    def __init__(self, catalog: Catalog, artefacts: Artefacts) -> None:
        self._shelf = catalog.shelf(SHARED)
        self._artefacts = artefacts

    def ensure_builtin(self) -> None:
        """Make the built-in models known. Their files are kept in the home as well, so that an
        upgrade of the package never takes the base from under a tuned model."""
        for base in builtin.BASES:
            fingerprint = durable.fingerprint(base.directory)
            known = self._shelf.get(Weights, base.name)
            if known is None or known.base_fingerprint != fingerprint:
                self._register(base.name, base.kind, base.directory)

    def add(
        self,
        name: str,
        source: Path,
        kind: ModelKind,
        probe: Callable[[Path, ModelKind], None],
        about: Mapping[str, Any] | None = None,
    ) -> Model:
        """Make a model directory known as the base `name`.

        `source` holds safetensors weights, config.json and tokenizer.json. `probe` loads its
        tokenizer and template in a limited child and raises BadRequest where that fails. `about`:
        what its manifest says of where it came from.
        """
        self.refuse_taken(name)
        check_directory(source, kind)
        probe(source, kind)
        self.refuse_taken(name)  # trying took a while
        return self._register(name, kind, source, about)

    def refuse_taken(self, name: str) -> None:
        """Raises BadRequest for what cannot be a base's name, or is one already."""
        names.base(name)
        if self._shelf.get(Model, name):
            raise BadRequest(
                f"There is a base '{name}' already. Choose another name, or delete that one first: "
                f"{command('models', 'delete', name)}",
                param="name",
            )

    def delete(self, name: str) -> None:
        """Forget a base. Its files stay while models or jobs need them: those still answer."""
        if any(base.name == name for base in builtin.BASES):
            raise BadRequest(f"{name} is built in and stays.", param="model")
        with self._shelf.catalog.transaction():
            if not self._shelf.delete(Model, name):
                raise NotFound(f"There is no base '{name}'.", param="model", code="model_not_found")
            weights = self._shelf.get(Weights, name)
            self._shelf.delete(Weights, name)
        if weights is not None:
            remove_directories(self._shelf.catalog, self._artefacts, weights)

    def _register(
        self,
        name: str,
        kind: ModelKind,
        source: Path,
        about: Mapping[str, Any] | None = None,
    ) -> Model:
        kept = self._keep(name, source, kind, about or {})
        weights = Weights(
            id=name,
            kind=kind,
            base=name,
            base_directory=kept,
            base_fingerprint=self._artefacts.fingerprint(kept),
        )
        model = Model(id=name, owned_by="tunewright")
        with self._shelf.catalog.transaction():
            self._shelf.put(model)
            if not self._shelf.put(weights):
                self._shelf.change(Weights, name, lambda _: weights)
        return model

    def _keep(self, name: str, source: Path, kind: ModelKind, about: Mapping[str, Any]) -> str:
        """The files in the home. Copied: what is linked to changes with the user's own file. The
        built-in ones are the package's, and what was made for the occasion goes away: nobody
        writes to these, and they are linked."""
        staging = self._artefacts.staging(base_place(name, "new"))
        with durable.directory(staging, about={**about, "name": name}) as filling:
            for file in filter(_builtin_file, sorted(source.iterdir())):
                durable.link_or_copy(file.resolve(), filling / file.name)
            for file in kept(source, kind):
                if not _builtin_file(file):
                    place = filling / file.relative_to(source)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    there = file.resolve()
                    ours = any(map(durable.is_temporary, there.parents))
                    (durable.link_or_copy if ours else durable.copy)(there, place)
        place = base_place(name, durable.fingerprint(staging))
        self._artefacts.publish(staging, place)
        return place


def check_directory(directory: Path, kind: ModelKind = "completion") -> None:
    """Raises BadRequest unless this is a model that can be loaded safely: whole safetensors, no
    code."""
    if not directory.is_dir():
        raise BadRequest(f"{directory} is not a directory.", param="source")
    if kind == "embedding":
        return embedding_bases.check(directory)
    if not list(directory.glob("*.safetensors")):
        other = [p.name for p in directory.glob("*") if p.suffix in (".bin", ".pt", ".pth")]
        found = f" (found {', '.join(sorted(other))})" if other else ""
        raise BadRequest(
            f"{directory} holds no *.safetensors{found}. Only weights in safetensors or GGUF are "
            "read: the other formats can run code.",
            param="source",
        )
    for file in directory.glob("*.safetensors"):
        try:
            with safe_open(file, framework="numpy"):
                pass
        except SafetensorError as error:
            raise BadRequest(
                f"{file} is broken: {error}. Fetch it again.", param="source"
            ) from error
    for name in ("config.json", "tokenizer.json"):
        if not (directory / name).is_file():
            raise BadRequest(f"{directory} has no {name}.", param="source")
    config = read_object(directory / "config.json")
    if found := config.get("quantization_config"):
        method = found.get("quant_method") if isinstance(found, dict) else None
        raise BadRequest(
            f"{directory} is quantised{f' ({method})' if method else ''}. Quantised weights are "
            "neither trained nor served here: add the model that they were made of, which its "
            "README names.",
            param="source",
        )
    if "auto_map" in config:
        raise BadRequest(
            f"{directory}/config.json names code of its own (auto_map). Such models are refused: "
            "Tunewright runs no code that comes with weights.",
            param="source",
        )
    return None


def _builtin_file(file: Path) -> bool:
    return file.parent.parent == builtin.ROOT and file.name != durable.MANIFEST
