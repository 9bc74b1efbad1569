from tunewright.api.call import Call, makes, reads
from tunewright.records.batches import Batch, BatchRequest
from tunewright.records.pages import Page, PageRequest

_BATCHES = "/v1/batches"
_BATCH = _BATCHES + "/{id}"
calls = (
    Call(
        "POST",
        _BATCHES,
        "batches.create",
        "Have the requests of a file answered.",
        Batch,
        makes(lambda it, /, **body: it.batches.create(**body)),
        takes=BatchRequest,
    ),
    Call(
        "GET",
        _BATCHES,
        "batches.list",
        "List batches.",
        Page[Batch],
        reads(lambda it, /, **query: it.batches.list(**query)),
        query=PageRequest,
    ),
    Call(
        "GET",
        _BATCH,
        "batches.retrieve",
        "A batch's record.",
        Batch,
        reads(lambda it, id: it.batches.retrieve(id)),
    ),
    # It can be stopped whatever was used up.
    Call(
        "POST",
        f"{_BATCH}/cancel",
        "batches.cancel",
        "Cancel a batch.",
        Batch,
        makes(lambda it, id: it.batches.cancel(id)),
        counts="nothing",
    ),
)
