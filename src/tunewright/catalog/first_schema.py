"""What step 1 makes: the tables of version 0.1, as they stood in its homes. Frozen: a change here
would part new homes from old ones. What came later is a step in `migrations`."""

from collections.abc import Iterator


def statements() -> Iterator[str]:
    for name, searched in _RECORDS.items():
        yield _RECORD_TABLE.format(
            name=name, searched="".join(f"{column} VARCHAR(128), " for column in searched)
        )
        yield f"CREATE INDEX {name}_by_organisation ON {name} (organisation, subject, sequence)"
    yield from _OTHERS


_RECORDS = {
    "files": ("purpose",),
    "jobs": ("status", "training_file", "validation_file"),
    "events": (),
    "checkpoints": (),
    "checkpoint_permissions": ("project_id",),
    "uploads": ("status",),
    "upload_parts": ("upload_id",),
    "models": (),
    "switched": (),
    "weights": ("directory", "base_directory", "job"),
}

_RECORD_TABLE = """CREATE TABLE {name} (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id VARCHAR(256) NOT NULL,
    organisation VARCHAR(64) NOT NULL,
    version INTEGER NOT NULL,
    deleted BOOLEAN NOT NULL,
    {searched}subject VARCHAR(256),
    body TEXT NOT NULL,
    UNIQUE (id)
)"""

_OTHERS = (
    """CREATE TABLE organisations (
    sequence INTEGER NOT NULL,
    id VARCHAR(64) NOT NULL,
    name VARCHAR(64) NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (sequence),
    UNIQUE (id),
    UNIQUE (name)
)""",
    """CREATE TABLE keys (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id VARCHAR(64) NOT NULL,
    organisation VARCHAR(64) NOT NULL,
    name VARCHAR(128) NOT NULL,
    role VARCHAR(16) NOT NULL,
    sha256 VARCHAR(64) NOT NULL,
    hint VARCHAR(32) NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    UNIQUE (id),
    FOREIGN KEY(organisation) REFERENCES organisations (id),
    UNIQUE (sha256)
)""",
    """CREATE TABLE tasks (
    sequence INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id VARCHAR(64) NOT NULL,
    kind VARCHAR(32) NOT NULL,
    lane VARCHAR(16) NOT NULL,
    subject VARCHAR(128) NOT NULL,
    organisation VARCHAR(64) NOT NULL,
    state VARCHAR(16) NOT NULL,
    attempt INTEGER NOT NULL,
    fruitless INTEGER NOT NULL,
    reached INTEGER NOT NULL,
    worker VARCHAR(128),
    lease_until FLOAT,
    turn INTEGER,
    held BOOLEAN NOT NULL,
    UNIQUE (id)
)""",
    "CREATE INDEX tasks_by_lane ON tasks (lane, state, sequence)",
    "CREATE INDEX tasks_by_subject ON tasks (subject)",
    "CREATE INDEX tasks_by_turn ON tasks (lane, organisation, turn)",
    "CREATE INDEX tasks_in_turn ON tasks (turn)",
    """CREATE TABLE replies (
    id VARCHAR(64) NOT NULL,
    organisation VARCHAR(64) NOT NULL,
    request VARCHAR(64) NOT NULL,
    subject VARCHAR(128),
    status INTEGER NOT NULL,
    body TEXT NOT NULL,
    until FLOAT NOT NULL,
    PRIMARY KEY (id)
)""",
    "CREATE INDEX replies_by_subject ON replies (organisation, subject)",
    "CREATE INDEX replies_by_end ON replies (until)",
    "CREATE TABLE schema (version INTEGER NOT NULL, PRIMARY KEY (version))",
)
