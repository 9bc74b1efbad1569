"""All calls. Each is declared in the file of its resource."""

from tunewright.api import (
    about,
    batches,
    embeddings,
    engines,
    exports,
    files,
    fine_tuning,
    generating,
    keys,
    models,
    permissions,
    uploads,
    vector_store_files,
    vector_stores,
)
from tunewright.api.call import Call

CALLS: tuple[Call, ...] = (
    *files.calls,
    *uploads.calls,
    *fine_tuning.calls,
    *permissions.calls,
    *exports.calls,  # before models: their names may hold a slash
    *models.calls,
    *generating.calls,
    *embeddings.calls,
    *engines.calls,
    *batches.calls,
    *vector_stores.calls,
    *vector_store_files.calls,
    *keys.calls,
    *about.calls,
)
