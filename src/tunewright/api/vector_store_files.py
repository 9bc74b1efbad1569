from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.acting import acting
from tunewright.api.bodies import read_json
from tunewright.api.call import Call, changes, makes, reads
from tunewright.api.crowd import lanes
from tunewright.api.once import once
from tunewright.api.turns import in_turn
from tunewright.records.pages import Page
from tunewright.records.vector_store_files import (
    AttachedPageRequest,
    AttachRequest,
    AttributesChange,
    BatchOfFilesRequest,
    DetachedFile,
    VectorStoreFile,
    VectorStoreFileBatch,
)
from tunewright.records.vector_store_search import FileContent


async def update(request: Request) -> Response:
    body = await read_json(request)
    files, path = acting(request).vector_stores.files, request.path_params
    changed: list[VectorStoreFile] = []

    def effect() -> VectorStoreFile:
        changed.append(files.describe(path["vector_store_id"], path["file_id"], body))
        return changed[0]

    answer = await once(request, effect)
    for file in changed:  # none where it is a repetition
        await in_turn(request, lanes(request).writing, lambda file=file: files.settle(file))
    return answer


_FILES = "/v1/vector_stores/{vector_store_id}/files"
_FILE = _FILES + "/{file_id}"
_BATCHES = "/v1/vector_stores/{vector_store_id}/file_batches"
_BATCH = _BATCHES + "/{batch_id}"
calls = (
    Call(
        "POST",
        _FILES,
        "vector_stores.files.create",
        "Have a file read into a vector store.",
        VectorStoreFile,
        makes(lambda it, store, /, **body: it.vector_stores.files.attach(store, body)),
        takes=AttachRequest,
    ),
    Call(
        "GET",
        _FILES,
        "vector_stores.files.list",
        "List the files of a vector store.",
        Page[VectorStoreFile],
        reads(lambda it, store, /, **query: it.vector_stores.files.page(store, query)),
        query=AttachedPageRequest,
    ),
    Call(
        "GET",
        _FILE,
        "vector_stores.files.retrieve",
        "A file of a vector store.",
        VectorStoreFile,
        reads(lambda it, store, id: it.vector_stores.files.retrieve(id, vector_store_id=store)),
    ),
    Call(
        "GET",
        f"{_FILE}/content",
        "vector_stores.files.content",
        "The text that was read of a file.",
        FileContent,
        reads(lambda it, store, id: it.vector_stores.files.content(id, vector_store_id=store)),
    ),
    Call(
        "POST",
        _FILE,
        "vector_stores.files.update",
        "Replace the attributes of a file.",
        VectorStoreFile,
        update,
        takes=AttributesChange,
    ),
    Call(
        "DELETE",
        _FILE,
        "vector_stores.files.delete",
        "Take a file out of a vector store.",
        DetachedFile,
        changes(lambda it, store, id: it.vector_stores.files.delete(id, vector_store_id=store)),
    ),
    Call(
        "POST",
        _BATCHES,
        "vector_stores.file_batches.create",
        "Have files read into a vector store.",
        VectorStoreFileBatch,
        makes(lambda it, store, /, **body: it.vector_stores.file_batches.attach(store, body)),
        takes=BatchOfFilesRequest,
    ),
    Call(
        "GET",
        _BATCH,
        "vector_stores.file_batches.retrieve",
        "A file batch's record.",
        VectorStoreFileBatch,
        reads(
            lambda it, store, id: it.vector_stores.file_batches.retrieve(id, vector_store_id=store)
        ),
    ),
    # It can be stopped whatever was used up.
    Call(
        "POST",
        f"{_BATCH}/cancel",
        "vector_stores.file_batches.cancel",
        "Cancel what of a file batch has not begun.",
        VectorStoreFileBatch,
        makes(
            lambda it, store, id: it.vector_stores.file_batches.cancel(id, vector_store_id=store)
        ),
        counts="nothing",
    ),
    Call(
        "GET",
        f"{_BATCH}/files",
        "vector_stores.file_batches.list_files",
        "List the files of a file batch.",
        Page[VectorStoreFile],
        reads(
            lambda it, store, id, /, **query: it.vector_stores.file_batches.page(store, id, query)
        ),
        query=AttachedPageRequest,
    ),
)
