import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from servers import Server, chats
from tunewright.app import Tunewright
from tunewright.records.files import File
from tunewright.work import expiry


def test_a_file_comes_back_byte_for_byte(server: Server) -> None:
    data = os.urandom(3_000_000)
    id = server.upload(data, name="/some/dir/x.jsonl")
    file = server.http.get(f"/files/{id}").json()
    assert file["bytes"] == len(data)
    assert file["filename"] == "x.jsonl"
    assert server.http.get(f"/files/{id}/content").content == data


def test_pages_go_on_after_a_deleted_file(server: Server) -> None:
    ids = [server.upload(b"{}") for _ in range(4)]
    page = server.http.get("/files", params={"limit": 2}).json()
    assert [f["id"] for f in page["data"]] == [ids[3], ids[2]]
    assert page["has_more"] is True
    assert page["first_id"] == ids[3]
    assert page["last_id"] == ids[2]
    assert server.http.delete(f"/files/{ids[2]}").json() == {
        "id": ids[2],
        "object": "file",
        "deleted": True,
    }
    after = server.http.get("/files", params={"limit": 2, "after": ids[2]}).json()
    assert [f["id"] for f in after["data"]] == [ids[1], ids[0]]
    oldest = server.http.get("/files", params={"order": "asc", "after": ids[2]}).json()
    assert oldest["data"][0]["id"] == ids[3]


@pytest.mark.parametrize(
    ("data", "files", "status", "param", "code"),
    [
        ({"purpose": "fine-tune"}, None, 400, None, None),
        ({"purpose": "fine-tune"}, {"other": ("x", b"y")}, 400, "other", "unsupported_parameter"),
        ({}, {"file": ("x", b"y")}, 400, "purpose", "missing_required_parameter"),
        ({"purpose": "batch_output"}, {"file": ("x", b"y")}, 400, "purpose", "invalid_value"),
        ({"purpose": "fine-tune"}, {"file": ("x", b"")}, 400, "file", "empty_file"),
        (
            {"purpose": "fine-tune", "expires_after[seconds]": "3600"},
            {"file": ("x", b"y")},
            400,
            "expires_after.anchor",
            "missing_required_parameter",
        ),
        (
            {
                "purpose": "fine-tune",
                "expires_after[anchor]": "created_at",
                "expires_after[seconds]": "3599",
            },
            {"file": ("x", b"y")},
            400,
            "expires_after.seconds",
            "integer_below_min_value",
        ),
    ],
)
def test_what_an_upload_lacks_is_named(
    server: Server,
    data: dict,
    files: dict | None,
    status: int,
    param: str | None,
    code: str | None,
) -> None:
    answer = server.http.post("/files", data=data, files=files)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (status, param, code), error
    assert error["type"] == "invalid_request_error"


def test_a_file_may_delete_itself(server: Server) -> None:
    forever = server.http.get(f"/files/{server.upload(b'x')}").json()
    assert "expires_at" not in forever
    answer = server.http.post(
        "/files",
        data={
            "purpose": "fine-tune",
            "expires_after[anchor]": "created_at",
            "expires_after[seconds]": "3600",
        },
        files={"file": ("x", b"y")},
    )
    file = answer.json()
    assert file["expires_at"] - file["created_at"] == 3600
    tw = Tunewright(server.home)
    expiry.expire(tw)
    assert server.http.get(f"/files/{file['id']}").json() == file

    def an_hour_ago(record: File) -> File:
        return record.model_copy(update={"expires_at": record.created_at})

    tw.acting(tw.owner).shelf.change(File, file["id"], an_hour_ago)
    expiry.expire(tw)
    tw.close()
    assert server.http.get(f"/files/{file['id']}").status_code == 404
    assert not (server.home / "blobs" / file["id"]).exists()
    assert server.http.get(f"/files/{forever['id']}").status_code == 200


def test_half_a_form_leaves_nothing(server: Server) -> None:
    before = {p.name for p in (server.home / "blobs").iterdir()}
    body = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + b"y" * 100_000
    )
    answer = server.http.post(
        "/files", content=body, headers={"content-type": "multipart/form-data; boundary=B"}
    )
    assert answer.status_code == 400
    # What an earlier test broke off may only now be swept.
    assert {p.name for p in (server.home / "blobs").iterdir()} <= before


def test_a_client_that_leaves_in_the_middle_leaves_nothing(server: Server) -> None:
    before = sorted(p.name for p in (server.home / "blobs").iterdir())

    def body() -> Iterator[bytes]:
        yield b'--B\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(40):
            yield b"y" * 100_000
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        httpx.post(
            f"{server.url}/files",
            content=body(),
            headers={
                "content-type": "multipart/form-data; boundary=B",
                "authorization": f"Bearer {server.key}",
            },
        )
    for _ in range(100):
        if sorted(p.name for p in (server.home / "blobs").iterdir()) == before:
            return
        time.sleep(0.05)
    raise AssertionError("the half upload is still there")


def test_a_file_that_a_job_needs_stays(server: Server) -> None:
    # Another long job fills the lane, so that this one is still waiting.
    file = server.upload(chats(12))
    busy = server.job(model="gpt-3.5-turbo", training_file=file, hyperparameters={"n_epochs": 50})
    try:
        refused = server.http.delete(f"/files/{file}")
        assert refused.status_code == 400
        assert refused.json()["error"]["code"] == "file_in_use"
    finally:
        server.http.post(f"/fine_tuning/jobs/{busy['id']}/cancel")
    assert server.http.delete(f"/files/{file}").status_code == 200


def test_memory_stays_flat_and_the_limit_holds(server: Server) -> None:
    """200 MB flow through; one byte above the limit of 512 MB is refused."""
    process = psutil.Process(server.process.pid)
    peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    before = peak
    watcher = threading.Thread(target=watch)
    watcher.start()
    piece = b"x" * (1024 * 1024)
    digest = hashlib.sha256()

    def body(pieces: int) -> Iterator[bytes]:
        yield (
            b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n'
            b'--B\r\nContent-Disposition: form-data; name="file"; filename="big"\r\n\r\n'
        )
        for _ in range(pieces):
            digest.update(piece)
            yield piece
        yield b"\r\n--B--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=B"}
    answer = server.http.post("/files", content=body(200), headers=headers)
    done.set()
    watcher.join()
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes"] == 200 * len(piece)
    stored = server.home / "blobs" / answer.json()["id"]
    assert hashlib.sha256(stored.read_bytes()).digest() == digest.digest()
    assert peak - before < 60_000_000, f"{(peak - before) / 1e6:.0f} MB more"
    server.http.delete(f"/files/{answer.json()['id']}")


def test_the_limit_of_a_file(tmp_path: object) -> None:
    """The limit itself, on the resource: half a gigabyte through HTTP would prove no more."""
    script = (
        "import tempfile\n"
        "from tunewright import Tunewright\n"
        "from tunewright.errors import PayloadTooLarge\n"
        "from tunewright.settings import Settings\n"
        "home = tempfile.mkdtemp()\n"
        "tw = Tunewright(settings=Settings.read(home, upload_limit=10))\n"
        "tw.files.create(file=b'x' * 10, purpose='fine-tune')\n"
        "try:\n"
        "    tw.files.create(file=b'x' * 11, purpose='fine-tune')\n"
        "except PayloadTooLarge as error:\n"
        "    print('refused:', error.message)\n"
        "assert len(list((tw.home.blobs).iterdir())) == 1\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert re.search(r"refused: .* 10 bytes", done.stdout), done.stderr


def _form(part: str, boundary: str = "b") -> bytes:
    purpose = 'Content-Disposition: form-data; name="purpose"\r\n\r\nfine-tune'
    parts = [f"--{boundary}\r\n{each}\r\n" for each in (purpose, f"{part}\r\n\r\n{{}}")]
    return "".join([*parts, f"--{boundary}--\r\n"]).encode()


@pytest.mark.parametrize(
    ("part", "boundary", "said"),
    [
        ("name=\"file\"; filename*=utf-8''%E7%A9%BA%2Fa.jsonl", "b", "a.jsonl"),
        ('name="file"; filename="x"; filename*=UTF-8\'\'%E7%A9%BA.jsonl', "b", "空.jsonl"),
        ("name=\"file\"; filename*=iso-8859-1'de'%E9.jsonl", "b", "é.jsonl"),
        ('name="file"; filename="x"', "b" * 70, "x"),
        ('name="file"; filename="x"', "b" * 300, "boundary"),
        ('filename="x"', "b", "no name"),
        ('name="file"; filename="x"\r\nContent-Transfer-Encoding: BASE64', "b", "encoded"),
    ],
)
def test_forms_as_other_clients_write_them(
    server: Server, part: str, boundary: str, said: str
) -> None:
    answer = server.http.post(
        "/files",
        content=_form(f"Content-Disposition: form-data; {part}", boundary),
        headers={"content-type": f"multipart/form-data; boundary={boundary}"},
    )
    body = answer.json()
    if answer.status_code == 200:
        assert body["filename"] == said
    else:
        assert answer.status_code == 400
        assert said in body["error"]["message"]


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=--5", "limit"), ("limit=%D9%A3", "limit"), ("limit=" + "9" * 30, "limit"),
     ("limit=1&limit=2", "limit"), ("after=a&after=b", "after")],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/files", "/fine_tuning/jobs", "/organization/admin_api_keys"])
def test_a_query_is_read_to_the_letter(server: Server, path: str, query: str, param: str) -> None:
    answer = server.http.get(f"{path}?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param


def test_an_empty_after_is_the_beginning(server: Server) -> None:
    id = server.upload(b"{}")
    assert server.http.get("/files", params={"after": "", "limit": 1}).json()["first_id"] == id
