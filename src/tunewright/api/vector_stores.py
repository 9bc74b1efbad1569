from tunewright.api.call import Call, changes, makes, reads, searches
from tunewright.records.pages import Page
from tunewright.records.vector_store_search import SearchRequest, SearchResults
from tunewright.records.vector_stores import (
    DeletedStore,
    StoreChange,
    StorePageRequest,
    StoreRequest,
    VectorStore,
)

_STORES = "/v1/vector_stores"
_STORE = _STORES + "/{vector_store_id}"
calls = (
    Call(
        "POST",
        _STORES,
        "vector_stores.create",
        "Make a vector store.",
        VectorStore,
        makes(lambda it, /, **body: it.vector_stores.create(**body)),
        takes=StoreRequest,
        empty=True,
    ),
    Call(
        "GET",
        _STORES,
        "vector_stores.list",
        "List vector stores.",
        Page[VectorStore],
        reads(lambda it, /, **query: it.vector_stores.list(**query)),
        query=StorePageRequest,
    ),
    Call(
        "GET",
        _STORE,
        "vector_stores.retrieve",
        "A vector store's record.",
        VectorStore,
        reads(lambda it, id: it.vector_stores.retrieve(id)),
    ),
    Call(
        "POST",
        _STORE,
        "vector_stores.update",
        "Change a vector store.",
        VectorStore,
        makes(lambda it, id, /, **body: it.vector_stores.modify(id, body)),
        takes=StoreChange,
        empty=True,
    ),
    Call(
        "POST",
        f"{_STORE}/search",
        "vector_stores.search",
        "Search a vector store.",
        SearchResults,
        searches(lambda it, id, /, **body: it.vector_stores.search_for(id, body)),
        takes=SearchRequest,
        counts="tokens",
    ),
    Call(
        "DELETE",
        _STORE,
        "vector_stores.delete",
        "Delete a vector store.",
        DeletedStore,
        changes(lambda it, id: it.vector_stores.delete(id)),
    ),
)
