"""The use cases of one caller."""

from functools import cached_property, partial
from typing import TYPE_CHECKING

from tunewright.access import Caller
from tunewright.embedding.embedder import Embedder
from tunewright.records.models import Weights
from tunewright.rendering import Renderer
from tunewright.resources.attachments import Attachments
from tunewright.resources.batches import Batches
from tunewright.resources.chat import Chat
from tunewright.resources.checking import Checking
from tunewright.resources.completions import Completions
from tunewright.resources.counting import Counting
from tunewright.resources.embedding_anew import EmbeddingAnew
from tunewright.resources.embedding_tables import EmbeddingTables
from tunewright.resources.embeddings import Embeddings
from tunewright.resources.estimating import Estimating
from tunewright.resources.exploring import Exploring
from tunewright.resources.exports import Exports
from tunewright.resources.failures import Failures
from tunewright.resources.files import Files
from tunewright.resources.foreign_ids import OpenAIs
from tunewright.resources.ingestion import Ingestion
from tunewright.resources.job_drafts import JobDrafts
from tunewright.resources.jobs import Jobs
from tunewright.resources.judging import Judging
from tunewright.resources.keys import Keys
from tunewright.resources.models import Models
from tunewright.resources.permissions import Permissions
from tunewright.resources.reembeddings import Reembeddings
from tunewright.resources.removals import Removals
from tunewright.resources.store_models import StoreModels
from tunewright.resources.store_search import StoreSearch
from tunewright.resources.tables import Tables
from tunewright.resources.uploads import Uploads
from tunewright.resources.vector_stores import VectorStores
from tunewright.resources.verifications import Verifications
from tunewright.resources.whole_tables import WholeTables
from tunewright.serving.rows import OwnRows
from tunewright.vectors import name_of

if TYPE_CHECKING:
    from tunewright.app.platform import Tunewright


class Acting:
    """The use cases on behalf of one caller, each made when it is first asked for. Every record
    that they touch is of the caller's organisation."""

    def __init__(
        self,
        tw: "Tunewright",
        caller: Caller,
        admitted: bool = False,
        background: bool = False,
    ) -> None:
        self._tw = tw
        self.caller = caller
        self._queue = f"{caller.organisation}/batch" if background else caller.organisation
        self.quota = tw.usage.of(caller.organisation, admitted=admitted)
        self.shelf = tw.catalog.shelf(caller.organisation)

    @cached_property
    def files(self) -> Files:
        tw, limit = self._tw, self._tw.settings.upload_limit
        return Files(
            self.shelf,
            tw.blobs,
            limit,
            self.removals,
            self.checking,
            self.quota,
            self.attachments,
        )

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.shelf, self._tw.blobs, self._tw.settings.upload_limit, self.quota)

    @cached_property
    def checking(self) -> Checking:
        cut = self._tw.settings.long_examples == "cut"
        return Checking(self.models, self._renderer, self._tw.encoding, cut=cut)

    @cached_property
    def estimating(self) -> Estimating:
        return Estimating(self.models, self._tw.settings)

    @cached_property
    def judging(self) -> Judging:
        return Judging(self.models, self._embedder)

    @cached_property
    def counting(self) -> Counting:
        return Counting(self.models, self._renderer, self._embedder, self._tw.encoding)

    @cached_property
    def jobs(self) -> Jobs:
        tw, caller, names = self._tw, self.caller, self._tw.settings.tuned_names
        drafts = JobDrafts(
            caller,
            self.shelf,
            self.models,
            tw.tasks,
            tw.home,
            tw.artefacts,
            self.removals,
            names,
            self.quota,
        )
        return Jobs(caller, self.shelf, self.models, tw.tasks, self.removals, drafts)

    @cached_property
    def permissions(self) -> Permissions:
        return Permissions(self.caller, self.shelf, self.models, self.quota)

    @cached_property
    def models(self) -> Models:
        tw = self._tw
        return Models(
            self.caller,
            self.shelf,
            tw.settings.aliases,
            tw.artefacts,
            self.removals,
            lambda *model, **asked: self.exports.export(*model, **asked),
        )

    @cached_property
    def exports(self) -> Exports:
        tw = self._tw
        return Exports(self.shelf, self.models, tw.tasks, tw.artefacts, self.removals, self.quota)

    @cached_property
    def removals(self) -> Removals:
        tw = self._tw
        contents = tw.contents
        return Removals(self.shelf, tw.tasks, tw.home, tw.artefacts, tw.blobs, contents)

    @cached_property
    def verifications(self) -> Verifications:
        return Verifications(self.shelf, self._tw.artefacts, self._tw.tasks)

    @cached_property
    def keys(self) -> Keys:
        return Keys(self.caller, self._tw.catalog, self._tw.access, self.quota)

    @cached_property
    def embeddings(self) -> Embeddings:
        openais = OpenAIs(self._tw.vocabulary, self._tw.encoding)
        unknown_text = self._tw.settings.unknown_text
        submit = partial(self._tw.scheduler.submit, self.caller.organisation)
        return Embeddings(
            self.models,
            self._embedder,
            openais,
            self.quota,
            submit,
            unknown_text,
            self._embedding_tables,
        )

    @cached_property
    def tables(self) -> Tables:
        return Tables(self.shelf, self._embedding_tables, self._tw.tasks, self.quota)

    @cached_property
    def explore(self) -> Exploring:
        tables = WholeTables(self.models, self._embedding_tables, self._tw.home)
        return Exploring(self.models, self._embedder, tables, self._tw.embeds_in_engine)

    @cached_property
    def _embedding_tables(self) -> EmbeddingTables:
        tw = self._tw
        unknown_text = tw.settings.unknown_text
        return EmbeddingTables(self.models, self._embedder, self.quota, tw.home, unknown_text)

    @cached_property
    def chat(self) -> Chat:
        return Chat(self.models, self._engine, self._renderer, self.quota)

    @cached_property
    def completions(self) -> Completions:
        return Completions(self.models, self._engine, self._renderer, self.quota)

    @cached_property
    def batches(self) -> Batches:
        return Batches(self.shelf, self.files, self._tw.tasks, self.quota)

    @cached_property
    def vector_stores(self) -> VectorStores:
        model = self._tw.settings.vector_stores_model
        keeping = (self.shelf, self.attachments, self.removals, self.quota)
        reembeddings = Reembeddings(
            self.shelf, self._tw.tasks, self.removals, self._store_models, self.quota
        )
        using = (self._store_models, self._searching, reembeddings)
        return VectorStores(*keeping, self.files, *using, model)

    @cached_property
    def embedding_anew(self) -> EmbeddingAnew:
        tw = self._tw
        submit = partial(tw.scheduler.submit, self.caller.organisation)
        return EmbeddingAnew(self.shelf, tw.contents, self._store_models, submit)

    @cached_property
    def ingestion(self) -> Ingestion:
        tw = self._tw
        submit = partial(tw.scheduler.submit, self.caller.organisation)
        return Ingestion(self.shelf, tw.blobs, tw.contents, self._store_models, submit)

    @cached_property
    def _searching(self) -> StoreSearch:
        submit = partial(self._tw.scheduler.submit, self.caller.organisation)
        return StoreSearch(self.shelf, self._tw.contents, self._store_models, submit, self.quota)

    @cached_property
    def _store_models(self) -> StoreModels:
        return StoreModels(self.models, self._embedder, name_of(self._tw.settings.vectors))

    @cached_property
    def attachments(self) -> Attachments:
        return Attachments(self.shelf, self._tw.tasks, self.removals, self.quota)

    @cached_property
    def failures(self) -> Failures:
        return Failures(
            self.jobs, self.files, self.models, self.judging, self.chat, self.completions
        )

    @cached_property
    def _engine(self) -> OwnRows:
        quota = self.quota
        return self._tw.rows.of(self._queue, quota.reserve, quota.spend)

    def _renderer(self, weights: Weights) -> Renderer:
        return self._tw.renderer(weights, self.models)

    def _embedder(self, weights: Weights) -> Embedder:
        return self._tw.embedder(weights, self.models)
