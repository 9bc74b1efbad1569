"""Search in a vector store: by vectors, by words, or by both; and the text of its files.

By vectors, a result's score is the cosine similarity of its chunk and the query (0 where it is
less). With `hybrid_search` it is the reciprocal rank fusion of two lists, that of the vectors and
that of BM25: a chunk gets weight / (60 + its place) from each list that it is in, as a share of
what the first place in both would give. Of several queries each is searched, and a chunk has the
best of its scores.
"""

from collections.abc import Iterable, Mapping, Sequence

from tunewright.analysis.fusion import DEPTH, fused
from tunewright.catalog import many
from tunewright.catalog.catalog import Shelf
from tunewright.chunks import Chunk, place_of
from tunewright.embedding.batching import Vectors
from tunewright.errors import BadRequest, NotFound
from tunewright.records.embeddings import check_tokens
from tunewright.records.files import File
from tunewright.records.store_verifications import StoreVerification
from tunewright.records.vector_store_files import VectorStoreFile, attached
from tunewright.records.vector_store_search import (
    FileContent,
    HybridSearch,
    SearchRequest,
    SearchResult,
    SearchResults,
    TextContent,
)
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.store_contents import StoreContents
from tunewright.resources.store_models import StoreModels, Submit, Texts
from tunewright.resources.store_rows import StoreRows
from tunewright.resources.store_verifying import Progress, verified
from tunewright.usage import Quota
from tunewright.vectors import filters
from tunewright.vectors.filters import Filter

Ranked = list[tuple[str, float]]  # (id of a chunk, score), best first


class StoreSearch:
    def __init__(
        self,
        shelf: Shelf,
        contents: StoreContents,
        models: StoreModels,
        submit: Submit,
        quota: Quota,
    ) -> None:
        self._shelf = shelf
        self._contents = contents
        self._models = models
        self._submit = submit
        self._quota = quota

    def search(self, store: VectorStore, request: SearchRequest) -> SearchResults:
        """Raises BadRequest for a filter that is none, a query that is too long, and where the
        model of the store is another one now; Busy."""
        where = None if request.filters is None else filters.parse(request.filters)
        files = _Files(self._shelf, store.id, where)
        try:
            ranked = self._ranked(store, request, files)
        except _Replaced as other:
            ranked = self._ranked(other.store, request, files)
        least, most = request.ranking_options.score_threshold, request.max_num_results
        best = [(id, score) for id, score in ranked if score >= least][:most]
        texts = self._contents.chunks(store.id).texts([id for id, _ in best])
        return SearchResults(search_query=request.queries, data=files.results(best, texts))

    def content(self, store: str, file: str) -> FileContent:
        """What was read of a file, a text a page where it has pages."""
        pieces = _pieces(self._contents.chunks(store).of(file))
        return FileContent(data=[TextContent(text=text) for text in pieces])

    def rows(self, store: VectorStore, text: str) -> StoreRows:
        return StoreRows(self._shelf, self._contents, store, text)

    def verify(self, store: VectorStore, queries: int, progress: Progress) -> StoreVerification:
        return verified(self._shelf, self._contents, store, queries, progress)

    def _ranked(self, store: VectorStore, request: SearchRequest, files: "_Files") -> Ranked:
        hybrid, most = request.ranking_options.hybrid_search, request.max_num_results
        if hybrid is None:
            return _merged(self._nearest(store, request.queries, most, files))
        by_vector: list[Ranked] = [[] for _ in request.queries]
        by_words = by_vector
        if hybrid.embedding_weight:
            by_vector = self._nearest(store, request.queries, DEPTH, files)
        if hybrid.text_weight:
            chunks = self._contents.chunks(store.id)
            by_words = [chunks.words(query, DEPTH, files.wanted) for query in request.queries]
        pairs = zip(by_vector, by_words, strict=True)
        return _merged([_fused(hybrid, vectors, words) for vectors, words in pairs])

    def _nearest(
        self, store: VectorStore, queries: Sequence[str], k: int, files: "_Files"
    ) -> list[Ranked]:
        """Of each query the k nearest chunks of files that are wanted.

        A file that is being read, or is about to go, has vectors in the index too: where they take
        places, more are asked for.
        """
        vectors = self._embedded(store, queries)
        index, name = self._contents.index, store.embedding.collection_of(store.id)
        found: list[Ranked] = [[] for _ in queries]
        left, asked = list(range(len(queries))), k
        while left:
            try:
                hits = index.search(name, vectors[left], asked, files.where)
            except NotFound:  # nothing was ever read into it, or it was embedded anew
                now = self._shelf.get(VectorStore, store.id)
                if now and now.embedding != store.embedding:
                    raise _Replaced(now) from None
                return found
            wanted = files.wanted({place_of(id)[0] for ids in hits.ids for id in ids})
            for query, ids, scores in zip(left, hits.ids, hits.scores, strict=True):
                pairs = zip(ids, scores.tolist(), strict=True)
                found[query] = [pair for pair in pairs if place_of(pair[0])[0] in wanted][:k]
            whole = bool(hits.ids) and len(hits.ids[0]) < asked  # these are all that there are
            left = [query for query in left if len(found[query]) < k and not whole]
            asked *= 4
        return found

    def _embedded(self, store: VectorStore, queries: Sequence[str]) -> Vectors:
        """[queries, d]"""
        embedder = self._models.open(store)
        try:
            texts = Texts(embedder, queries, "query")
            check_tokens([len(ids) for ids in texts.ids])
        except BadRequest as error:
            error.param = "query"
            raise
        self._quota.reserve(texts.tokens)
        return texts.embedded(self._submit)


class _Replaced(Exception):
    """The store has changed over to other vectors since it was read."""

    def __init__(self, store: VectorStore) -> None:
        super().__init__(store.id)
        self.store = store


class _Files:
    """Files of a store, as their records are at the time of a search. `where`: which are meant."""

    def __init__(self, shelf: Shelf, store: str, where: Filter | None) -> None:
        self.where = where
        self._shelf = shelf
        self._store = store
        self._known: dict[str, VectorStoreFile | None] = {}

    def wanted(self, ids: set[str]) -> set[str]:
        """Those of these that are there as a whole, and have the attributes that are asked for."""
        self._learn(ids)
        return {id for id in ids if (file := self._known[id]) and self._meant(file)}

    def results(self, best: Ranked, texts: Mapping[str, Chunk]) -> list[SearchResult]:
        """In their order, without those that have gone since."""
        uploaded = many.found(self._shelf, File, [*{chunk.file for chunk in texts.values()}])
        return [
            self._result(texts[id], uploaded[texts[id].file].filename, score)
            for id, score in best
            if id in texts and texts[id].file in uploaded
        ]

    def _result(self, chunk: Chunk, filename: str, score: float) -> SearchResult:
        file = self._known[chunk.file]
        return SearchResult(
            file_id=chunk.file,
            filename=filename,
            score=min(1.0, max(0.0, score)),
            attributes=file.attributes if file else None,
            content=[TextContent(text=chunk.text)],
            page=chunk.page,
            heading=chunk.heading,
        )

    def _meant(self, file: VectorStoreFile) -> bool:
        if file.status != "completed":
            return False
        return self.where is None or filters.matches(self.where, file.attributes)

    def _learn(self, ids: set[str]) -> None:
        keys = {attached(self._store, id): id for id in ids - self._known.keys()}
        if keys:
            found = many.found(self._shelf, VectorStoreFile, [*keys])
            self._known |= {id: found.get(key) for key, id in keys.items()}


def _merged(lists: Sequence[Ranked]) -> Ranked:
    """The chunks of several queries, each with its best score."""
    best: dict[str, float] = {}
    for id, score in (pair for ranked in lists for pair in ranked):
        best[id] = max(score, best.get(id, score))
    return sorted(best.items(), key=lambda pair: (-pair[1], pair[0]))


def _fused(weights: HybridSearch, vectors: Ranked, words: Ranked) -> Ranked:
    lists = ((weights.embedding_weight, vectors), (weights.text_weight, words))
    scores = fused((weight, [id for id, _ in ranked]) for weight, ranked in lists)
    return list(scores.items())


def _pieces(chunks: Iterable[Chunk]) -> list[str]:
    """The text of consecutive chunks without what two of them share, page by page."""
    end = 0
    pages: list[tuple[int | None, list[bytes]]] = []
    for chunk in chunks:
        if not pages or pages[-1][0] != chunk.page:
            pages.append((chunk.page, []))
        elif chunk.start > end:
            pages[-1][1].append(b"\n")  # blanks, which no chunk begins or ends with
        pages[-1][1].append(chunk.text.encode()[max(0, end - chunk.start) :])
        end = max(end, chunk.end)
    return [text for _, parts in pages if (text := b"".join(parts).decode())]
