import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tunewright.api.acting import acting
from tunewright.api.bodies import read_query
from tunewright.api.call import Call, changes, drafts, makes, reads
from tunewright.api.crowd import answer
from tunewright.errors import BadRequest
from tunewright.records.jobs import Checkpoint, Event, Job, JobRequest
from tunewright.records.pages import (
    CheckpointPageRequest,
    Deleted,
    JobPageRequest,
    Page,
    PageRequest,
)

_METADATA = re.compile(r"metadata\[(.*)\]", re.DOTALL)


async def list_(request: Request) -> Response:
    query = _with_metadata(read_query(request))
    return await answer(request, lambda: acting(request).jobs.list(**query))


def _with_metadata(query: dict[str, Any]) -> dict[str, Any]:
    """``metadata[key]=value``, as often as there are keys, becomes one object.

    Raises BadRequest where ``metadata=null`` is given beside them.
    """
    named = {name: _METADATA.fullmatch(name) for name in query}
    pairs = {found[1]: query[name] for name, found in named.items() if found}
    if pairs and "metadata" in query:
        raise BadRequest(
            "Give either metadata[key]=value or metadata=null, not both.", param="metadata"
        )
    rest = {name: value for name, value in query.items() if not named[name]}
    return {**rest, "metadata": pairs} if pairs else rest


_JOBS = "/v1/fine_tuning/jobs"
_JOB = _JOBS + "/{id}"
calls = (
    Call(
        "POST",
        _JOBS,
        "fine_tuning.jobs.create",
        "Create a fine-tuning job.",
        Job,
        drafts(lambda it, body: it.jobs.draft(body)),
        takes=JobRequest,
    ),
    Call(
        "GET",
        _JOBS,
        "fine_tuning.jobs.list",
        "List jobs.",
        Page[Job],
        list_,
        query=JobPageRequest,
    ),
    Call(
        "GET",
        _JOB,
        "fine_tuning.jobs.retrieve",
        "A job's record.",
        Job,
        reads(lambda it, id: it.jobs.retrieve(id)),
    ),
    Call(
        "DELETE",
        _JOB,
        "fine_tuning.jobs.delete",
        "Delete a job.",
        Deleted,
        changes(lambda it, id: it.jobs.delete(id)),
    ),
    # A job can be stopped whatever was used up.
    Call(
        "POST",
        f"{_JOB}/cancel",
        "fine_tuning.jobs.cancel",
        "Cancel a job.",
        Job,
        makes(lambda it, id: it.jobs.cancel(id)),
        counts="nothing",
    ),
    Call(
        "POST",
        f"{_JOB}/pause",
        "fine_tuning.jobs.pause",
        "Pause a job.",
        Job,
        makes(lambda it, id: it.jobs.pause(id)),
        counts="nothing",
    ),
    Call(
        "POST",
        f"{_JOB}/resume",
        "fine_tuning.jobs.resume",
        "Resume a job.",
        Job,
        makes(lambda it, id: it.jobs.resume(id)),
        counts="nothing",
    ),
    Call(
        "GET",
        f"{_JOB}/events",
        "fine_tuning.jobs.list_events",
        "List a job's events.",
        Page[Event],
        reads(lambda it, id, /, **query: it.jobs.events(id, **query)),
        query=PageRequest,
    ),
    Call(
        "GET",
        f"{_JOB}/checkpoints",
        "fine_tuning.jobs.checkpoints.list",
        "List a job's checkpoints.",
        Page[Checkpoint],
        reads(lambda it, id, /, **query: it.jobs.checkpoints(id, **query)),
        query=CheckpointPageRequest,
    ),
)
