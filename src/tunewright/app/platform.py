"""Tunewright: the platform as one object. The library, the CLI, the API and the worker use it."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType

from tunewright import durable, machine
from tunewright.access import Access, Caller
from tunewright.app.acting import Acting
from tunewright.artefacts import Artefacts
from tunewright.blobs.local import LocalBlobs
from tunewright.catalog.catalog import Catalog
from tunewright.embedding import engine_of, open_embedder
from tunewright.embedding.chosen import LongInputs, Precision
from tunewright.embedding.embedder import Embedder
from tunewright.embedding.scheduler import Scheduler
from tunewright.fetching import Listener
from tunewright.home import Home
from tunewright.kept import Kept
from tunewright.processes import Processes
from tunewright.records.models import AddedBase, Loadable, ModelKind, Weights
from tunewright.rendering import Renderer
from tunewright.resources import removals
from tunewright.resources.adding import Adding
from tunewright.resources.bases import Bases
from tunewright.resources.catalogue import Catalogue
from tunewright.resources.embedding_models import Wishes
from tunewright.resources.models import Models
from tunewright.resources.store_contents import StoreContents
from tunewright.serving.client import EngineClient
from tunewright.serving.remote import EngineEncoder
from tunewright.serving.rows import Rows
from tunewright.settings import Settings
from tunewright.tasks import Tasks
from tunewright.usage import Usage
from tunewright.vocabularies import Encoding, Vocabulary, open_encoding, open_vocabulary

KEPT_RENDERERS = 16
"""Some 10 to 150 MB each, by the size of the vocabulary."""
KEPT_CALLERS = 256  # of whom the use cases, some fifty objects, are at hand


class Tunewright(Acting):
    """Everything that one home holds.

        with Tunewright("~/.tunewright") as tw:
            file = tw.files.create(file="chats.jsonl", purpose="fine-tune")
            job = tw.jobs.create(model="gpt-3.5-turbo", training_file=file.id)
            job = tw.jobs.wait(job.id)
            print(tw.chat.create(model=job.fine_tuned_model, messages=[...]))

    Used with `with`, it runs the worker and the engine as well, unless a server on the same home
    runs them already: when that one ends, this one takes over. Without `with` it only reads and
    writes records. Its own use cases (`files`, `jobs`, `chat`, ...) act for the home's first
    organisation, which is its operator's; `acting(caller)` gives the same for another one.
    """

    def __init__(self, home: Path | str | None = None, *, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.read(home)
        self.home = Home(self.settings.home)
        durable.make_directory(self.home.root)
        self.catalog = Catalog(self.home.catalog, served=lambda: durable.in_use(self.home.lock))
        self.blobs = LocalBlobs(self.home.blobs)
        self.artefacts = Artefacts(self.home)
        self.contents = StoreContents(self.home, self.settings.vectors)
        self.tasks = Tasks(self.catalog, self.settings.lease_seconds)
        self.access = Access(self.catalog)
        self.usage = Usage(self.catalog, self.settings, self.blobs.size)
        self.engine = EngineClient(self.home.socket, seconds=self.settings.engine_seconds)
        self.rows = Rows(self.engine, self.settings.generation_rows, self.settings.generator)
        self._encoder = EngineEncoder(
            EngineClient(self.home.socket, seconds=self.settings.engine_seconds),
            on_gpu=machine.embeds_on_gpu(self.settings.embedding_device),
        )
        self.scheduler = Scheduler(self.settings.embedding_tokens, abort=self._encoder.close)
        self.processes = Processes(
            self.home, self.settings, on_worker_death=self.tasks.release_of_dead
        )
        self.bases = Bases(self.catalog, self.artefacts)
        self.catalogue = Catalogue(self.catalog, self.home, self.settings)
        self.bases.ensure_builtin()
        self.owner = self.access.first_organisation(self.settings.organisation)
        super().__init__(self, self.owner)
        self._acting = lru_cache(maxsize=KEPT_CALLERS)(partial(Acting, self))
        self._renderers = Kept[Renderer](KEPT_RENDERERS)
        self._embedders = Kept[Embedder]()
        self._vocabularies = Kept[Vocabulary]()
        self._encodings = Kept[Encoding]()

    def acting(self, caller: Caller, *, admitted: bool = False, background: bool = False) -> Acting:
        """The use cases, bound to the caller's organisation, within what it may use. `admitted`:
        the caller's requests have been counted already. `background`: nobody waits for what is
        generated, so it has turns of its own, and the caller's other requests do not wait for
        it."""
        return self._acting(caller, admitted, background)

    def add_base(
        self,
        name: str,
        source: str | None = None,
        kind: ModelKind | None = None,
        say: Callable[[str], None] = lambda _: None,
        *,
        chat_template: Path | str | None = None,
        measure: bool = True,
        long_inputs: LongInputs = "average",
        matryoshka: Sequence[int] | None = None,
        precision: Precision = "exact",
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> AddedBase:
        """The operator's way to add a base: by its name in the catalogue (`tw.catalogue`), by an id
        on the hub, from a folder or a GGUF file (`source`).

        `kind` is found by itself: embedding where its files say so, chat where there is a chat
        template (or one is given, in the file `chat_template`), else completion.
        `say` hears what is done and what is worth knowing of the base, a sentence each; `progress`,
        bytes fetched and bytes in all, from any thread.
        measure: try how fast it answers. Of an embedding model: long_inputs, what becomes of an
        input beyond its context (the mean of its parts, an error, or what fits); matryoshka, how
        many first components are a vector too, where its own files do not say; precision, exact or
        fast (int8). Raises as `resources.adding.Adding.add` does.
        """
        adding = Adding(self.bases, self.catalogue, self.home, self.settings)
        template = Path(chat_template).expanduser() if chat_template is not None else None
        added = adding.add(
            name,
            source,
            kind,
            chat_template=template,
            measure=measure,
            wishes=Wishes(
                long_inputs, None if matryoshka is None else tuple(matryoshka), precision
            ),
            listener=Listener(say, progress),
        )
        for note in added.base.notes:
            say(note)
        return added

    def renderer(self, weights: Loadable, models: Models) -> Renderer:
        directory = models.directory(weights)
        chat = weights.kind == "chat"
        plain = self._renderers.get(
            f"{directory}:{chat}", lambda: Renderer.load(directory, chat=chat)
        )
        moves = self.settings.system_role == "move"
        return plain.using(moves_system=moves).rendered_as(weights.rendering)

    def embedder(self, weights: Weights, models: Models) -> Embedder:
        directory = models.directory(weights)
        return self._embedders.get(
            str(directory), lambda: open_embedder(directory, encoder=self._encoder)
        )

    def embeds_in_engine(self, model: str) -> bool:
        """Whether the vectors of `model` are computed in the engine process."""
        directory = self.models.directory(self.models.weights(model, ("embedding",)))
        return engine_of(directory, on_gpu=self._encoder.on_gpu) == "torch"

    def vocabulary(self, name: str) -> Vocabulary:
        """One of OpenAI's. Raises BadRequest where this machine has no file of it."""
        own = self.home.vocabularies
        return self._vocabularies.get(name, lambda: open_vocabulary(name, own))

    def encoding(self, name: str) -> Encoding:
        """One of OpenAI's, to count with. Raises BadRequest where its file is not here."""
        own = self.home.vocabularies
        return self._encodings.get(name, lambda: open_encoding(name, own))

    def num_tokens_from_string(self, string: str, encoding_name: str) -> int:
        """Tokens of `string`; the encoding is one of OpenAI's or a model's of this home."""
        return self.counting.count([string], encoding_name).tokens[0]

    def start(self) -> None:
        """Run the worker and the engine. Raises BadRequest if another server has this home."""
        self.processes.lock()
        self._begin()

    def _begin(self) -> None:
        self.catalog.check()
        durable.sweep(self.home.root)
        removals.sweep(self.catalog, self.home, self.blobs)
        self.tasks.release_of_dead()
        self.processes.start()

    def close(self) -> None:
        """Stop what `start` started, giving it 10 seconds, and let go of the files."""
        self.scheduler.close()
        self.engine.close()
        self.processes.stop()
        self.contents.close()
        self.catalog.close()

    def __enter__(self) -> "Tunewright":
        self.processes.start_or_succeed(self._begin)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
