"""What a job starts from is kept before its transaction: nobody waits for a large model's copy, and
nothing is left of a job that came to nothing."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers import chats
from tuned_models import put_tuned
from tunewright import durable
from tunewright.api.application import create_api
from tunewright.app import Tunewright
from tunewright.durable import files
from tunewright.errors import Unavailable
from tunewright.records.jobs import Event, Job
from tunewright.records.keys import KeyRequest
from tunewright.records.models import Start
from tunewright.resources import removals
from tunewright.settings import Settings

PATIENCE = 60.0


@pytest.fixture
def tw(tmp_path: Path) -> Tunewright:
    return Tunewright(tmp_path / "home")


@pytest.fixture
def file(tw: Tunewright) -> str:
    return tw.files.create(file=chats(12), purpose="fine-tune").id


class Held:
    """A file system that knows no hard links, and whose first copy waits until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.release = threading.Event(), threading.Event()
        self._copy = files.copy
        monkeypatch.setattr(files.os, "link", self._no_link)
        monkeypatch.setattr(files, "copy", self._held_copy)

    def _no_link(self, *_: object) -> None:
        raise PermissionError("no hard links here")

    def _held_copy(self, source: Path, target: Path) -> None:
        self.begun.set()
        assert self.release.wait(PATIENCE)
        self._copy(source, target)


def folders(tw: Tunewright) -> list[str]:
    return [path.name for path in tw.home.jobs.iterdir()] if tw.home.jobs.exists() else []


def made(tw: Tunewright) -> tuple[int, int]:
    """Jobs, and events of any."""
    return len(tw.catalog.ids(Job)), len(tw.catalog.ids(Event))


def while_it_is_copied(
    tw: Tunewright, held: Held, body: dict[str, Any], act: Callable[[httpx.AsyncClient], Coroutine]
) -> httpx.Response:
    """The answer to a job's making during whose copy `act` was done."""

    async def run() -> httpx.Response:
        key = tw.access.create_key(tw.owner, KeyRequest(name="tests", role="owner")).value
        transport = httpx.ASGITransport(create_api(tw))
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1/v1/", headers=headers
        ) as client:
            making = asyncio.create_task(client.post("fine_tuning/jobs", json=body))
            while not held.begun.is_set() and not making.done():
                await asyncio.sleep(0.01)
            try:
                await act(client)
                assert not making.done()
            finally:
                held.release.set()
            return await making

    return asyncio.run(run())


def test_others_write_while_weights_are_copied(
    tw: Tunewright, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the same server, by another process, and by a server that starts and sweeps."""
    parent = put_tuned(tw)
    held = Held(monkeypatch)

    async def act(client: httpx.AsyncClient) -> None:
        for number in range(12):  # more than there are places for writing
            files = {"file": (f"{number}.jsonl", chats(2))}
            form = {"purpose": "fine-tune"}
            assert (await client.post("files", data=form, files=files)).status_code == 200
        assert made(tw) == (0, 0)
        other = Tunewright(tw.home.root)
        await asyncio.to_thread(other.files.create, file=b"x", purpose="fine-tune")
        durable.sweep(other.home.root)
        removals.sweep(other.catalog, other.home, other.blobs)
        other.close()
        assert len(folders(tw)) == 1, "what is being made is nobody's left-over"

    answer = while_it_is_copied(tw, held, {"model": parent.id, "training_file": file}, act)
    assert answer.status_code == 200, answer.text
    id = answer.json()["id"]
    assert folders(tw) == [id]
    assert len(tw.files.list().data) == 14
    start = tw.acting(tw.owner).shelf.get(Start, id)
    assert start is not None
    assert durable.verify(tw.artefacts.path(start.directory or "")) == durable.verify(
        tw.artefacts.path(parent.directory or "")
    )
    removals.sweep(tw.catalog, tw.home, tw.blobs)
    assert folders(tw) == [id]


@pytest.mark.parametrize("bytes_too", [False, True])
def test_a_parent_that_goes_meanwhile_is_not_available(
    tw: Tunewright, file: str, monkeypatch: pytest.MonkeyPatch, bytes_too: bool
) -> None:
    """Its record alone, or its bytes as well, under the copy."""
    parent = put_tuned(tw)

    async def act(client: httpx.AsyncClient) -> None:
        assert (await client.delete(f"models/{parent.id}")).json()["deleted"]
        if bytes_too:
            await asyncio.to_thread(tw.acting(tw.owner).removals.carry_out_all)

    body = {"model": parent.id, "training_file": file}
    answer = while_it_is_copied(tw, Held(monkeypatch), body, act)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "model_not_available")
    assert (folders(tw), made(tw)) == ([], (0, 0))
    tw.acting(tw.owner).removals.carry_out_all()
    assert list(tw.home.models.iterdir()) == []


def test_a_file_that_goes_meanwhile_is_not_found(
    tw: Tunewright, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = put_tuned(tw)

    async def act(client: httpx.AsyncClient) -> None:
        assert (await client.delete(f"files/{file}")).status_code == 200

    body = {"model": parent.id, "training_file": file}
    answer = while_it_is_copied(tw, Held(monkeypatch), body, act)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "file_not_found")
    assert (folders(tw), made(tw)) == ([], (0, 0))


def test_a_name_that_stands_for_another_model_meanwhile_is_asked_for_again(tmp_path: Path) -> None:
    tw = Tunewright(settings=Settings.read(tmp_path / "home"))
    file = tw.files.create(file=chats(12), purpose="fine-tune").id
    first, second = put_tuned(tw), put_tuned(tw, "ft:builtin-chat:personal:parent:2", job="x")
    tw.models.switching.switch("ft:davinci:acme::9", first.id)
    draft = tw.jobs.draft({"model": "ft:davinci:acme::9", "training_file": file})
    draft.seal()
    tw.models.switching.switch("ft:davinci:acme::9", second.id)
    with pytest.raises(Unavailable, match="changed at this very moment"):
        draft.publish()
    draft.close()
    assert (folders(tw), made(tw)) == ([], (0, 0))


MAKE = """
import sys
from tunewright.app import Tunewright
Tunewright(sys.argv[1]).jobs.create(model=sys.argv[2], training_file=sys.argv[3])
"""


@pytest.mark.parametrize("point", ["job.sealed", "job.creating"])
def test_killed_before_the_commit_there_is_no_job_and_the_next_start_tidies(
    tw: Tunewright, file: str, point: str
) -> None:
    parent = put_tuned(tw, adaptation="full")
    killed = subprocess.run(
        [sys.executable, "-c", MAKE, str(tw.home.root), parent.id, file],
        env={"TUNEWRIGHT_FAULT": f"{point}:kill", "PATH": ""},
        timeout=PATIENCE,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (left,) = folders(tw)
    assert (tw.home.job(left) / "start" / "base" / "more.safetensors").exists()
    assert made(tw) == (0, 0)
    durable.sweep(tw.home.root)
    removals.sweep(tw.catalog, tw.home, tw.blobs)
    assert folders(tw) == []
    assert durable.verify(tw.artefacts.path(parent.directory or ""))
    id = tw.jobs.create(model=parent.id, training_file=file).id
    assert folders(tw) == [id]


def test_a_new_folder_is_claimed_though_a_sweep_takes_it_at_that_moment(
    tw: Tunewright, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its claim it is nobody's."""
    from tunewright.resources import claims

    folder, swept = tw.home.job("ftjob-" + "a" * 24), []
    real = claims.fcntl.flock

    def flock(lock: Any, how: int) -> None:
        if not swept:
            swept.append(folder)
            removals.sweep(tw.catalog, tw.home, tw.blobs)
        real(lock, how)

    monkeypatch.setattr(claims.fcntl, "flock", flock)
    with claims.claim_new(folder):
        removals.sweep(tw.catalog, tw.home, tw.blobs)
        assert (folder / "lock").exists()
    removals.sweep(tw.catalog, tw.home, tw.blobs)
    assert folders(tw) == []
