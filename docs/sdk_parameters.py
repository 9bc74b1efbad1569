"""Prints, as JSON, the parameters that the calls of an official SDK take, from its own types.

Run by docs/parameters.py in the SDK's environment: {call: {parameter: {nested ...} or null}}.
"""

import importlib
import json
import sys
import typing
from typing import Any

import typing_extensions

# The SDK's name of a call -> the type of its parameters in openai.types.
TYPES = {
    "files.create": "file_create_params.FileCreateParams",
    "files.list": "file_list_params.FileListParams",
    "uploads.create": "upload_create_params.UploadCreateParams",
    "uploads.complete": "upload_complete_params.UploadCompleteParams",
    "uploads.parts.create": "uploads.part_create_params.PartCreateParams",
    "fine_tuning.jobs.create": "fine_tuning.job_create_params.JobCreateParams",
    "fine_tuning.jobs.list": "fine_tuning.job_list_params.JobListParams",
    "fine_tuning.jobs.list_events": "fine_tuning.job_list_events_params.JobListEventsParams",
    "fine_tuning.jobs.checkpoints.list": (
        "fine_tuning.jobs.checkpoint_list_params.CheckpointListParams"
    ),
    "fine_tuning.checkpoints.permissions.create": (
        "fine_tuning.checkpoints.permission_create_params.PermissionCreateParams"
    ),
    "fine_tuning.checkpoints.permissions.list": (
        "fine_tuning.checkpoints.permission_list_params.PermissionListParams"
    ),
    "chat.completions.create": "chat.completion_create_params.CompletionCreateParams",
    "completions.create": "completion_create_params.CompletionCreateParams",
    "embeddings.create": "embedding_create_params.EmbeddingCreateParams",
    "batches.create": "batch_create_params.BatchCreateParams",
    "batches.list": "batch_list_params.BatchListParams",
    "vector_stores.create": "vector_store_create_params.VectorStoreCreateParams",
    "vector_stores.list": "vector_store_list_params.VectorStoreListParams",
    "vector_stores.update": "vector_store_update_params.VectorStoreUpdateParams",
    "vector_stores.search": "vector_store_search_params.VectorStoreSearchParams",
    "vector_stores.files.create": "vector_stores.file_create_params.FileCreateParams",
    "vector_stores.files.list": "vector_stores.file_list_params.FileListParams",
    "vector_stores.files.update": "vector_stores.file_update_params.FileUpdateParams",
    "vector_stores.file_batches.create": (
        "vector_stores.file_batch_create_params.FileBatchCreateParams"
    ),
    "vector_stores.file_batches.list_files": (
        "vector_stores.file_batch_list_files_params.FileBatchListFilesParams"
    ),
    "admin.organization.admin_api_keys.create": (
        "admin.organization.admin_api_key_create_params.AdminAPIKeyCreateParams"
    ),
    "admin.organization.admin_api_keys.list": (
        "admin.organization.admin_api_key_list_params.AdminAPIKeyListParams"
    ),
}


def main() -> None:
    found = {}
    for call, where in TYPES.items():
        module, _, name = where.rpartition(".")
        found[call] = parameters(getattr(importlib.import_module(f"openai.types.{module}"), name))
    json.dump(found, sys.stdout, indent=1)


def parameters(kind: Any) -> dict[str, Any]:
    """The keys of a TypedDict, or of all arms of a union of them."""
    hints: dict[str, Any] = {}
    for arm in typing.get_args(kind) or (kind,):
        hints |= typing.get_type_hints(arm)
    return {name: nested(hint) for name, hint in hints.items()}


def nested(hint: Any) -> dict[str, Any] | None:
    """The parameters inside a parameter that is one object; None for any other."""
    arms = typing.get_args(hint) if typing.get_origin(hint) is typing.Union else (hint,)
    objects = [arm for arm in arms if typing_extensions.is_typeddict(arm)]
    others = [arm for arm in arms if arm not in objects and arm is not type(None)]
    return parameters(objects[0]) if len(objects) == 1 and not others else None


if __name__ == "__main__":
    main()
