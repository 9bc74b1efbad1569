"""Tunewright: the platform as one object. The library, the CLI, the API and the worker use it."""

import threading
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Generic, TypeVar

from tunewright import durable
from tunewright.access import Access, Caller
from tunewright.blobs.local import LocalBlobs
from tunewright.catalog.catalog import Catalog
from tunewright.embedding import open_embedder
from tunewright.embedding.embedder import Embedder
from tunewright.errors import BadRequest, Corrupt
from tunewright.home import Home
from tunewright.probing import probe
from tunewright.processes import Processes
from tunewright.records.models import Model, ModelKind, Weights
from tunewright.rendering import Renderer
from tunewright.rendering.configuration import Configuration
from tunewright.resources import orphans
from tunewright.resources.bases import Bases, check_directory
from tunewright.resources.chat import Chat
from tunewright.resources.checking import Checking
from tunewright.resources.completions import Completions
from tunewright.resources.counting import Counting
from tunewright.resources.embeddings import Embeddings
from tunewright.resources.estimating import Estimating
from tunewright.resources.failures import Failures
from tunewright.resources.files import Files
from tunewright.resources.foreign_ids import OpenAIs
from tunewright.resources.job_drafts import JobDrafts
from tunewright.resources.jobs import Jobs
from tunewright.resources.judging import Judging
from tunewright.resources.keys import Keys
from tunewright.resources.models import Models
from tunewright.resources.permissions import Permissions
from tunewright.resources.removals import Removals
from tunewright.resources.uploads import Uploads
from tunewright.resources.verifications import Verifications
from tunewright.serving.client import EngineClient
from tunewright.serving.metering import Metered
from tunewright.serving.rows import Rows
from tunewright.settings import Settings
from tunewright.tasks import Tasks
from tunewright.usage import Usage
from tunewright.vocabularies import Encoding, Vocabulary, open_encoding, open_vocabulary

T = TypeVar("T")
KEPT_RENDERERS = 16
"""Some 10 to 150 MB each, by the size of the vocabulary."""
KEPT_CALLERS = 256  # of whom the use cases, some fifty objects, are at hand


class Tunewright:
    """Everything that one home holds.

        with Tunewright("~/.tunewright") as tw:
            file = tw.files.create(file="chats.jsonl", purpose="fine-tune")
            job = tw.jobs.create(model="gpt-3.5-turbo", training_file=file.id)
            job = tw.jobs.wait(job.id)
            print(tw.chat.create(model=job.fine_tuned_model, messages=[...]))

    Used with `with`, it runs the worker and the engine as well, unless a server on the same home
    runs them already: when that one ends, this one takes over. Without `with` it only reads and
    writes records. `files`, `uploads`, `jobs`, `permissions`, `models`, `chat`, `completions` and
    `embeddings` act for the home's first organisation; `acting(caller)` gives the same for another
    one.
    """

    def __init__(self, home: Path | str | None = None, *, settings: Settings | None = None) -> None:
        self.settings = settings or Settings.read(home)
        self.home = Home(self.settings.home)
        durable.make_directory(self.home.root)
        self.catalog = Catalog(self.home.catalog)
        self.blobs = LocalBlobs(self.home.blobs)
        self.tasks = Tasks(self.catalog, self.settings.lease_seconds)
        self.access = Access(self.catalog)
        self.usage = Usage(self.catalog, self.settings, self.blobs.size)
        self.engine = EngineClient(self.home.socket, seconds=self.settings.engine_seconds)
        self.rows = Rows(self.engine, self.settings.generation_rows)
        self.processes = Processes(
            self.home, self.settings, on_worker_death=self.tasks.release_of_dead
        )
        self.bases = Bases(self.catalog, self.home)
        self.bases.ensure_builtin()
        self.owner = self.access.first_organisation(self.settings.organisation)
        self._acting = lru_cache(maxsize=KEPT_CALLERS)(partial(Acting, self))
        self._renderers = _Kept[Renderer](KEPT_RENDERERS)
        self._embedders = _Kept[Embedder]()
        self._vocabularies = _Kept[Vocabulary]()
        self._encodings = _Kept[Encoding]()

    def acting(self, caller: Caller, *, admitted: bool = False) -> "Acting":
        """The use cases, bound to the caller's organisation, within what it may use. `admitted`:
        the caller's requests have been counted already."""
        return self._acting(caller, admitted)

    @cached_property
    def _own(self) -> "Acting":
        return self.acting(self.owner)

    @property
    def files(self) -> Files:
        return self._own.files

    @property
    def jobs(self) -> Jobs:
        return self._own.jobs

    @property
    def uploads(self) -> Uploads:
        return self._own.uploads

    @property
    def permissions(self) -> Permissions:
        return self._own.permissions

    @property
    def models(self) -> Models:
        return self._own.models

    @property
    def chat(self) -> Chat:
        return self._own.chat

    @property
    def completions(self) -> Completions:
        return self._own.completions

    @property
    def embeddings(self) -> Embeddings:
        return self._own.embeddings

    @property
    def checking(self) -> Checking:
        return self._own.checking

    @property
    def estimating(self) -> Estimating:
        return self._own.estimating

    @property
    def judging(self) -> Judging:
        return self._own.judging

    @property
    def failures(self) -> Failures:
        return self._own.failures

    @property
    def counting(self) -> Counting:
        return self._own.counting

    @property
    def verifications(self) -> Verifications:
        return self._own.verifications

    def add_base(
        self,
        name: str,
        source: str,
        kind: ModelKind | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> Model:
        """The operator's way to add a base: `source` is a directory, or an id on the hub.

        `kind` is found by itself: chat where there is a chat template, else completion. `say` hears
        what is worth knowing of the base, a sentence each.
        """

        def examine(directory: Path, kind: ModelKind) -> None:
            for note in probe(directory, kind):
                say(note)

        directory = Path(source).expanduser()
        if not directory.exists():
            directory = _download(source)
        try:
            check_directory(directory)
            return self.bases.add(name, directory, kind or _kind(directory), examine)
        except Corrupt as error:  # of ours it would be damage, of somebody else's a bad file
            raise BadRequest(error.message, param="source") from error

    def renderer(self, weights: Weights, models: Models) -> Renderer:
        directory = models.directory(weights)
        chat = weights.kind == "chat"
        plain = self._renderers.get(
            f"{directory}:{chat}", lambda: Renderer.load(directory, chat=chat)
        )
        moves = self.settings.system_role == "move"
        return plain.using(moves_system=moves).rendered_as(weights.rendering)

    def embedder(self, weights: Weights, models: Models) -> Embedder:
        directory = models.directory(weights)
        return self._embedders.get(str(directory), lambda: open_embedder(directory))

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
        return self._own.counting.count([string], encoding_name).tokens[0]

    def start(self) -> None:
        """Run the worker and the engine. Raises BadRequest if another server has this home."""
        self.processes.lock()
        self._begin()

    def _begin(self) -> None:
        self.catalog.check()
        durable.sweep(self.home.root)
        orphans.sweep(self.catalog, self.home, self.blobs)
        self.tasks.release_of_dead()
        self.processes.start()

    def close(self) -> None:
        """Stop what `start` started, giving it 10 seconds, and let go of the files."""
        self.engine.close()
        self.processes.stop()
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


class Acting:
    """The use cases on behalf of one caller; every record they touch is of its organisation."""

    def __init__(self, tw: Tunewright, caller: Caller, admitted: bool) -> None:
        self.caller = caller
        self.quota = quota = tw.usage.of(caller.organisation, admitted=admitted)
        self.shelf = tw.catalog.shelf(caller.organisation)
        self.removals = Removals(self.shelf, tw.tasks, tw.home, tw.blobs)
        self.models = Models(caller, self.shelf, tw.settings.aliases, tw.home, self.removals)

        def renderer(weights: Weights) -> Renderer:
            return tw.renderer(weights, self.models)

        def embedder(weights: Weights) -> Embedder:
            return tw.embedder(weights, self.models)

        cut = tw.settings.long_examples == "cut"
        self.checking = Checking(self.models, renderer, tw.encoding, cut=cut)
        self.estimating = Estimating(self.models, tw.settings)
        self.judging = Judging(self.models, embedder)
        self.counting = Counting(self.models, renderer, embedder, tw.encoding)
        limit = tw.settings.upload_limit
        self.files = Files(self.shelf, tw.blobs, limit, self.removals, self.checking, quota)
        names = tw.settings.tuned_names
        drafts = JobDrafts(caller, self.shelf, self.models, tw.tasks, tw.home, names, quota)
        self.jobs = Jobs(caller, self.shelf, self.models, tw.tasks, self.removals, drafts)
        self.uploads = Uploads(self.shelf, tw.blobs, limit, quota)
        self.permissions = Permissions(caller, self.shelf, self.models, quota)
        self.verifications = Verifications(self.shelf, self.models, tw.tasks)
        self.keys = Keys(caller, tw.catalog, tw.access, quota)
        self.embeddings = Embeddings(
            self.models,
            embedder,
            OpenAIs(tw.vocabulary, tw.encoding),
            quota,
            tw.settings.unknown_text,
        )
        engine = Metered(tw.rows.of(caller.organisation), quota.reserve, quota.spend)
        self.chat = Chat(self.models, engine, renderer, quota)
        self.completions = Completions(self.models, engine, renderer, quota)
        self.failures = Failures(
            self.jobs, self.files, self.models, self.judging, self.chat, self.completions
        )


class _Kept(Generic[T]):
    """What is costly to open and the same for everybody, opened once; at most `most` are kept,
    those that were used last. Who wants one that is there does not wait for another's opening."""

    def __init__(self, most: int | None = None) -> None:
        self._lock = threading.Lock()
        self._items: dict[str, _Once[T]] = {}
        self._most = most

    def get(self, key: str, make: Callable[[], T]) -> T:
        with self._lock:
            found = self._items.pop(key) if key in self._items else _Once[T]()
            self._items[key] = found  # the latest last
            while self._most and len(self._items) > self._most:
                del self._items[next(iter(self._items))]
        return found.get(make)


class _Once(Generic[T]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: list[T] = []

    def get(self, make: Callable[[], T]) -> T:
        with self._lock:
            if not self._made:
                self._made.append(make())
            return self._made[0]


def _kind(directory: Path) -> ModelKind:
    return "completion" if Configuration.read(directory).template() is None else "chat"


def _download(hub_id: str) -> Path:
    """A model of the hub, in the hub's own cache. Only safetensors and text files are fetched."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(
            snapshot_download(
                hub_id, allow_patterns=["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]
            )
        )
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise BadRequest(
            f"'{hub_id}' is not a folder here, and it could not be fetched from the hub: {error}",
            param="source",
        ) from error
