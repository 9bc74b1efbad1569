"""Files in parts: byte for byte what was sent, in the order asked for, or nothing."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from servers import REPOSITORY, Server
from tunewright.app import Tunewright
from tunewright.records.uploads import Upload
from tunewright.work import expiry


def create(server: Server, size: int, **more: Any) -> dict:
    body = {
        "bytes": size,
        "filename": "a/b/rows.jsonl",
        "mime_type": "text/jsonl",
        "purpose": "fine-tune",
        **more,
    }
    answer = server.http.post("/uploads", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def add(server: Server, upload: dict, data: bytes) -> str:
    files = {"data": ("upload", data)}
    answer = server.http.post(f"/uploads/{upload['id']}/parts", files=files)
    assert answer.status_code == 200, answer.text
    part = answer.json()
    assert part["object"] == "upload.part"
    assert part["upload_id"] == upload["id"]
    return part["id"]


def complete(server: Server, upload: dict, parts: list[str], **more: str) -> Any:
    return server.http.post(f"/uploads/{upload['id']}/complete", json={"part_ids": parts, **more})


def blobs(server: Server) -> set[str]:
    return {path.name for path in (server.home / "blobs").iterdir()}


def refused(answer: Any, status: int = 400) -> tuple[str | None, str | None]:
    assert answer.status_code == status, answer.text
    return answer.json()["error"]["param"], answer.json()["error"]["code"]


def test_parts_become_a_file_in_the_order_asked_for(server: Server) -> None:
    pieces = [os.urandom(size) for size in (1_500_000, 1, 70_000)]
    whole = pieces[2] + pieces[0] + pieces[1]
    upload = create(server, len(whole))
    assert upload["status"] == "pending"
    assert upload["filename"] == "rows.jsonl"
    assert upload["expires_at"] - upload["created_at"] == 3600
    parts = [add(server, upload, piece) for piece in pieces]
    unused = add(server, upload, b"sent again later")
    order = [parts[2], parts[0], parts[1]]

    assert refused(complete(server, upload, parts[:2])) == ("part_ids", "bytes_mismatch")
    assert refused(complete(server, upload, [*order, unused])) == ("part_ids", "bytes_mismatch")
    assert refused(complete(server, upload, [parts[0]] * 2))[0] == "part_ids[1]"
    assert refused(complete(server, upload, ["part_x"]))[0] == "part_ids[0]"
    assert refused(complete(server, upload, [])) == ("part_ids", "array_below_min_length")
    wrong = hashlib.md5(b"").hexdigest()
    assert refused(complete(server, upload, order, md5=wrong)) == ("md5", "md5_mismatch")

    before = {file["id"] for file in server.http.get("/files").json()["data"]}
    right = hashlib.md5(whole).hexdigest().upper()
    done = complete(server, upload, order, md5=right).json()
    assert done["status"] == "completed"
    file = done["file"]
    assert server.http.get(f"/files/{file['id']}").json() == file
    assert server.http.get(f"/files/{file['id']}/content").content == whole
    after = {file["id"] for file in server.http.get("/files").json()["data"]}
    assert after - before == {file["id"]}, "one file, however often it was refused"
    assert not blobs(server) & {*parts, unused}

    assert refused(complete(server, upload, order)) == ("id", "invalid_upload_status")
    url = f"/uploads/{upload['id']}"
    assert refused(server.http.post(f"{url}/cancel"))[1] == "invalid_upload_status"
    more = server.http.post(f"{url}/parts", files={"data": ("upload", b"x")})
    assert refused(more)[1] == "invalid_upload_status"


def test_cancelling_forgets_the_parts(server: Server) -> None:
    upload = create(server, 3)
    part = add(server, upload, b"abc")
    assert part in blobs(server)
    answer = server.http.post(
        f"/uploads/{upload['id']}/cancel", headers={"content-type": "application/json"}
    )
    assert answer.json() == {**upload, "status": "cancelled"}
    assert part not in blobs(server)
    assert refused(complete(server, upload, [part])) == ("id", "invalid_upload_status")


def test_an_hour_later_it_is_over(server: Server) -> None:
    life = {"anchor": "created_at", "seconds": 7200}
    upload, other = create(server, 3), create(server, 3, expires_after=life)
    part, kept = add(server, upload, b"abc"), add(server, other, b"abc")
    tw = Tunewright(server.home)

    def an_hour_ago(record: Upload) -> Upload:
        return record.model_copy(update={"expires_at": record.created_at})

    tw.acting(tw.owner).shelf.change(Upload, upload["id"], an_hour_ago)
    answer = complete(server, upload, [part])
    assert refused(answer) == ("id", "invalid_upload_status")
    assert "expired" in answer.json()["error"]["message"]
    assert part in blobs(server)
    expiry.expire(tw)
    tw.close()
    assert part not in blobs(server)
    file = complete(server, other, [kept]).json()["file"]
    assert file["bytes"] == 3
    assert file["expires_at"] - file["created_at"] == 7200


@pytest.mark.parametrize(
    ("given", "param", "code"),
    [
        ({"bytes": 0}, "bytes", "integer_below_min_value"),
        ({"bytes": 9 * 1024**3}, "bytes", "integer_above_max_value"),
        ({"bytes": "3"}, "bytes", "invalid_type"),
        ({"purpose": "fine-tune-results"}, "purpose", "invalid_value"),
        ({"filename": ""}, "filename", "string_below_min_length"),
        (
            {"expires_after": {"anchor": "created_at", "seconds": 2_592_001}},
            "expires_after.seconds",
            "integer_above_max_value",
        ),
        ({"size": 3}, "size", "unknown_parameter"),
    ],
)
def test_what_cannot_be_is_refused(server: Server, given: dict, param: str, code: str) -> None:
    body = {"bytes": 3, "filename": "x", "mime_type": "text/plain", "purpose": "fine-tune"}
    assert refused(server.http.post("/uploads", json={**body, **given})) == (param, code)


def test_parts_that_cannot_be(server: Server) -> None:
    upload = create(server, 3)
    url, before = f"/uploads/{upload['id']}/parts", blobs(server)
    assert refused(server.http.post(url, files={"data": ("x", b"")})) == ("data", "empty_file")
    assert refused(server.http.post(url, files={"file": ("x", b"y")}))[0] == "file"
    assert refused(server.http.post(url, json={}))[0] is None
    large = server.http.post(url, files={"data": ("x", bytes(64 * 1024 * 1024 + 1))})
    assert refused(large, 413)[0] == "data"
    nowhere = server.http.post("/uploads/upload_x/parts", files={"data": ("x", b"y")})
    assert refused(nowhere, 404)[0] == "id"
    assert blobs(server) == before


def test_the_sdk_sends_a_file_in_chunks(server: Server, tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "rows.jsonl").write_bytes(data)
    script = (
        "import sys, openai\n"
        "from pathlib import Path\n"
        "client = openai.OpenAI(base_url=sys.argv[1], api_key=sys.argv[2])\n"
        "upload = client.uploads.upload_file_chunked(file=Path(sys.argv[3]),\n"
        "    mime_type='text/jsonl', purpose='fine-tune', part_size=131072)\n"
        "print(upload.to_json())\n"
    )
    python = REPOSITORY / ".sdk/3.54.0/bin/python"
    done = subprocess.run(
        [str(python), "-c", script, server.url, server.key, str(tmp_path / "rows.jsonl")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    upload = json.loads(done.stdout)
    assert upload["status"] == "completed"
    assert server.http.get(f"/files/{upload['file']['id']}/content").content == data
