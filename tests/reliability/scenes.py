"""What holds while an attack runs, and what else the bystander asks meanwhile."""

import contextlib
import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from arena import CALLS, Arena
from wire import CLOSE, field, form, posts, request

from servers import chats
from training.tiny import write_base
from tunewright import Tunewright

TINY_ROWS = b"{}\n" * 3_000_000


def client(arena: Arena, key: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=arena.server.url, headers=headers, timeout=120)


def uploaded(arena: Arena, key: str, data: bytes) -> str:
    with client(arena, key) as http:
        form = {"data": {"purpose": "fine-tune"}, "files": {"file": ("a.jsonl", data)}}
        return http.post("/files", **form).json()["id"]


def checked(arena: Arena) -> int:
    """Another organisation's file of three rows is checked."""
    if arena.file is None:
        arena.file = uploaded(arena, arena.bystander, chats(3))
    return arena.call("POST", f"/files/{arena.file}/check", {"model": "gpt-3.5-turbo"})[0]


def completed(arena: Arena) -> int:
    """Asked again as an SDK does, where the engine ended meanwhile."""
    while (status := CALLS["completion"](arena)) == 503:
        time.sleep(0.2)
    return status


def stored(arena: Arena) -> int:
    """Another organisation writes."""
    body = {"bytes": 1, "filename": "a", "mime_type": "text/jsonl", "purpose": "fine-tune"}
    return arena.call("POST", "/uploads", body)[0]


def validated(arena: Arena) -> int:
    """Another organisation's job of a file with a fault is refused by the worker."""
    if arena.bad_file is None:
        arena.bad_file = uploaded(arena, arena.bystander, b"{}\n" * 20)
    job = {"model": "gpt-3.5-turbo", "training_file": arena.bad_file}
    status, made = arena.call("POST", "/fine_tuning/jobs", job)
    while status == 200 and made["status"] != "failed":
        time.sleep(0.1)
        status, made = arena.call("GET", f"/fine_tuning/jobs/{made['id']}")
    return status


@contextlib.contextmanager
def long_base(arena: Arena) -> Iterator[None]:
    """The model `long` reads more than any prompt has."""
    with TemporaryDirectory() as folder, contextlib.closing(Tunewright(arena.server.home)) as tw:
        base = write_base(Path(folder), "llama")
        (base / "chat_template.jinja").unlink()
        config = json.loads((base / "config.json").read_text())
        config["max_position_embeddings"] = 200_000
        (base / "config.json").write_text(json.dumps(config))
        tw.bases.add("long", base, "completion", lambda *_: None)
    yield


@contextlib.contextmanager
def engine_stopped(arena: Arena) -> Iterator[None]:
    """It hangs."""
    engine = arena.server.child("tunewright.serving")
    engine.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        if engine.is_running():
            engine.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def held_catalog(arena: Arena) -> Iterator[None]:
    """Another process writes, and does not come to an end."""
    with contextlib.closing(sqlite3.connect(arena.server.home / "catalog.db")) as catalog:
        catalog.isolation_level = None
        catalog.execute("BEGIN IMMEDIATE")
        yield
        catalog.execute("ROLLBACK")


@contextlib.contextmanager
def foreign_reader(arena: Arena) -> Iterator[None]:
    """Another process reads, and does not come to an end."""
    with contextlib.closing(sqlite3.connect(arena.server.home / "catalog.db")) as catalog:
        catalog.isolation_level = None
        catalog.execute("BEGIN")
        catalog.execute("SELECT count(*) FROM files").fetchone()
        yield


COPY = """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count)
INSERT INTO files (id, organisation, version, deleted, purpose, subject, body)
SELECT 'file-copy' || i, organisation, 1, 0, purpose, subject, {body} FROM files, n
WHERE files.id = :id"""


@contextlib.contextmanager
def copies(arena: Arena, count: int, body: str) -> Iterator[None]:
    """So many more records of files of the attacker's; `body`: SQL of what they hold."""
    id = uploaded(arena, arena.attacker, chats(1))
    path = arena.server.home / "catalog.db"
    with contextlib.closing(sqlite3.connect(path)) as catalog:
        with catalog:
            catalog.execute(COPY.format(body=body), {"count": count, "id": id})
        yield
        with catalog:
            catalog.execute("DELETE FROM files WHERE id LIKE 'file-copy%'")


def many_files(arena: Arena) -> AbstractContextManager[None]:
    return copies(arena, 10_000, "replace(body, files.id, 'file-copy' || i)")


def unreadable_files(arena: Arena) -> AbstractContextManager[None]:
    """As after a downgrade, or damage."""
    return copies(arena, 2_000, """replace(body, '"purpose":', '"purposes":')""")


@contextlib.contextmanager
def jobs_ended(arena: Arena) -> Iterator[None]:
    """The attacker's jobs end with the attack."""
    yield
    with client(arena, arena.attacker) as http:
        for job in http.get("/fine_tuning/jobs", params={"limit": 100}).json()["data"]:
            if job["status"] not in ("succeeded", "failed", "cancelled"):
                http.post(f"/fine_tuning/jobs/{job['id']}/cancel")


def checks_of_tiny_rows(arena: Arena, key: str) -> list[bytes]:
    id = uploaded(arena, key, TINY_ROWS)
    return posts(f"/files/{id}/check", lambda: {"model": "gpt-3.5-turbo"})(arena, key)


def jobs_of_tiny_rows(arena: Arena, key: str) -> list[bytes]:
    job = {"model": "gpt-3.5-turbo", "training_file": uploaded(arena, key, TINY_ROWS)}
    return posts("/fine_tuning/jobs", lambda: job)(arena, key)


def deletions(arena: Arena, key: str) -> list[bytes]:
    """Each of a file that is there once."""
    ids = [uploaded(arena, key, b"a") for _ in range(400)]
    return [request("DELETE", f"/files/{id}", key, more=CLOSE) for id in ids]


def many_parts(arena: Arena, key: str) -> list[bytes]:
    body = {"bytes": 10**8, "filename": "a", "mime_type": "text/jsonl", "purpose": "fine-tune"}
    with client(arena, key) as http:
        id = http.post("/uploads", json=body).json()["id"]
    return form(f"/uploads/{id}/parts", field("data", b"a" * 10, '; filename="a"'))(arena, key)
