"""What each route takes and gives, one line a route.

The OpenAPI document and `docs/parameters.md` are made from this list; a route without a line here
fails the tests. `name` is what the official SDK calls it.
"""

from dataclasses import dataclass
from typing import Any

from tunewright.records.checks import FileCheck, FileCheckRequest
from tunewright.records.completions import (
    ChatCompletion,
    ChatRequest,
    Completion,
    CompletionRequest,
)
from tunewright.records.embeddings import EmbeddingList, EmbeddingRequest
from tunewright.records.files import File, FileForm
from tunewright.records.jobs import Checkpoint, Event, Job, JobRequest
from tunewright.records.keys import CreatedKey, Key, KeyPageRequest, KeyRequest
from tunewright.records.models import Engine, Model
from tunewright.records.pages import (
    CheckpointPageRequest,
    Deleted,
    FilePageRequest,
    JobPageRequest,
    Page,
    PageRequest,
)
from tunewright.records.permissions import (
    CheckpointPermission,
    PermissionPageRequest,
    PermissionRequest,
)
from tunewright.records.record import Record, Request
from tunewright.records.uploads import (
    CompleteRequest,
    PartForm,
    Upload,
    UploadPart,
    UploadRequest,
)

JSON: dict[str, Any] = {"type": "object"}


@dataclass(frozen=True)
class Call:
    """One method of one path. `gives` is a record, a JSON schema, or None for bytes.

    takes: the JSON body.  form: the parts of a multipart body.  query: the query's fields.
    optional: required fields that may be left out, as the path gives them.
    empty: the body may be left out.  streams: server-sent events as well.  open: needs no key.
    """

    method: str
    path: str
    name: str
    summary: str
    gives: type[Record] | dict[str, Any] | None
    takes: type[Request] | None = None
    form: type[Request] | None = None
    query: type[Request] | None = None
    optional: tuple[str, ...] = ()
    empty: bool = False
    streams: bool = False
    open: bool = False


_FILES = "/v1/files"
_JOBS = "/v1/fine_tuning/jobs"
_UPLOADS = "/v1/uploads"
_PERMISSIONS = "/v1/fine_tuning/checkpoints/{checkpoint}/permissions"
_KEYS = "/v1/organization/admin_api_keys"

CALLS = (
    Call("POST", _FILES, "files.create", "Store a file.", File, form=FileForm),
    Call("GET", _FILES, "files.list", "List files.", Page[File], query=FilePageRequest),
    Call("GET", f"{_FILES}/{{id}}", "files.retrieve", "A file's record.", File),
    Call("DELETE", f"{_FILES}/{{id}}", "files.delete", "Delete a file.", Deleted),
    Call("GET", f"{_FILES}/{{id}}/content", "files.content", "A file's bytes.", None),
    Call(
        "POST",
        f"{_FILES}/{{id}}/check",
        "files.check",
        "Check a file as a job would.",
        FileCheck,
        takes=FileCheckRequest,
        empty=True,
    ),
    Call(
        "POST",
        _UPLOADS,
        "uploads.create",
        "Begin to upload a file in parts.",
        Upload,
        takes=UploadRequest,
    ),
    Call(
        "POST",
        f"{_UPLOADS}/{{id}}/parts",
        "uploads.parts.create",
        "Send a part, at most 64 MiB.",
        UploadPart,
        form=PartForm,
    ),
    Call(
        "POST",
        f"{_UPLOADS}/{{id}}/complete",
        "uploads.complete",
        "Join the parts into a file.",
        Upload,
        takes=CompleteRequest,
    ),
    Call(
        "POST",
        f"{_UPLOADS}/{{id}}/cancel",
        "uploads.cancel",
        "Cancel an upload and remove its parts.",
        Upload,
    ),
    Call(
        "POST", _JOBS, "fine_tuning.jobs.create", "Create a fine-tuning job.", Job, takes=JobRequest
    ),
    Call("GET", _JOBS, "fine_tuning.jobs.list", "List jobs.", Page[Job], query=JobPageRequest),
    Call("GET", f"{_JOBS}/{{id}}", "fine_tuning.jobs.retrieve", "A job's record.", Job),
    Call("DELETE", f"{_JOBS}/{{id}}", "fine_tuning.jobs.delete", "Delete a job.", Deleted),
    Call("POST", f"{_JOBS}/{{id}}/cancel", "fine_tuning.jobs.cancel", "Cancel a job.", Job),
    Call("POST", f"{_JOBS}/{{id}}/pause", "fine_tuning.jobs.pause", "Pause a job.", Job),
    Call("POST", f"{_JOBS}/{{id}}/resume", "fine_tuning.jobs.resume", "Resume a job.", Job),
    Call(
        "GET",
        f"{_JOBS}/{{id}}/events",
        "fine_tuning.jobs.list_events",
        "List a job's events.",
        Page[Event],
        query=PageRequest,
    ),
    Call(
        "GET",
        f"{_JOBS}/{{id}}/checkpoints",
        "fine_tuning.jobs.checkpoints.list",
        "List a job's checkpoints.",
        Page[Checkpoint],
        query=CheckpointPageRequest,
    ),
    Call(
        "POST",
        _PERMISSIONS,
        "fine_tuning.checkpoints.permissions.create",
        "Allow projects to use a checkpoint.",
        Page[CheckpointPermission],
        takes=PermissionRequest,
    ),
    Call(
        "GET",
        _PERMISSIONS,
        "fine_tuning.checkpoints.permissions.list",
        "List the permissions of a checkpoint.",
        Page[CheckpointPermission],
        query=PermissionPageRequest,
    ),
    Call(
        "DELETE",
        f"{_PERMISSIONS}/{{id}}",
        "fine_tuning.checkpoints.permissions.delete",
        "Delete a permission.",
        Deleted,
    ),
    Call("GET", "/v1/models", "models.list", "List bases, aliases and tuned models.", Page[Model]),
    Call("GET", "/v1/models/{id}", "models.retrieve", "A model's record.", Model),
    Call("DELETE", "/v1/models/{id}", "models.delete", "Delete a tuned model.", Deleted),
    Call(
        "POST",
        "/v1/chat/completions",
        "chat.completions.create",
        "Continue a chat.",
        ChatCompletion,
        takes=ChatRequest,
        streams=True,
    ),
    Call(
        "POST",
        "/v1/completions",
        "completions.create",
        "Continue a text.",
        Completion,
        takes=CompletionRequest,
        streams=True,
    ),
    Call(
        "POST",
        "/v1/embeddings",
        "embeddings.create",
        "Turn texts into vectors.",
        EmbeddingList,
        takes=EmbeddingRequest,
    ),
    Call(
        "POST",
        "/v1/engines/{engine}/chat/completions",
        "engines.chat.completions.create",
        "Continue a chat; the path names the model.",
        ChatCompletion,
        takes=ChatRequest,
        optional=("model",),
        streams=True,
    ),
    Call(
        "POST",
        "/v1/engines/{engine}/completions",
        "engines.completions.create",
        "Continue a text; the path names the model.",
        Completion,
        takes=CompletionRequest,
        optional=("model",),
        streams=True,
    ),
    Call(
        "POST",
        "/v1/engines/{engine}/embeddings",
        "engines.embeddings.create",
        "Turn texts into vectors; the path names the model.",
        EmbeddingList,
        takes=EmbeddingRequest,
        optional=("model",),
    ),
    Call("GET", "/v1/engines", "engines.list", "Models, as SDK 0.28 knew them.", Page[Engine]),
    Call("GET", "/v1/engines/{id}", "engines.retrieve", "A model, as SDK 0.28 knew it.", Engine),
    Call(
        "POST",
        _KEYS,
        "admin.organization.admin_api_keys.create",
        "Create a key; its value is shown only this once.",
        CreatedKey,
        takes=KeyRequest,
    ),
    Call(
        "GET",
        _KEYS,
        "admin.organization.admin_api_keys.list",
        "List the organisation's keys.",
        Page[Key],
        query=KeyPageRequest,
    ),
    Call(
        "GET",
        f"{_KEYS}/{{id}}",
        "admin.organization.admin_api_keys.retrieve",
        "A key's record.",
        Key,
    ),
    Call(
        "DELETE",
        f"{_KEYS}/{{id}}",
        "admin.organization.admin_api_keys.delete",
        "Revoke a key.",
        Deleted,
    ),
    Call("GET", "/healthz", "health", "Whether the server answers.", JSON, open=True),
    Call("GET", "/openapi.json", "openapi", "This document.", JSON, open=True),
)
