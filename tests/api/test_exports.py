"""A model's weights through HTTP: asked for, followed, downloaded, deleted, and nobody else's."""

import io
import json
import tarfile
import time
from pathlib import Path

import pytest

from servers import Server
from tunewright.durable import sha256


def ended(server: Server, path: str, seconds: float = 120) -> dict:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = server.http.get(path).json()
        if found["status"] not in ("queued", "running"):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{found}\n{server.log.read_text()[-3000:]}")


def test_a_tuned_model_is_exported_followed_and_downloaded(
    server: Server, tuned: dict, tmp_path: Path
) -> None:
    model = tuned["fine_tuned_model"]
    made = server.http.post(f"/models/{model}/exports", json={"to": "merged"}).json()
    assert (made["object"], made["status"], made["dtype"]) == ("model.export", "queued", "bf16")
    path = f"/models/{model}/exports/{made['id']}"
    early = server.http.get(f"{path}/content")
    assert (early.status_code, early.json()["error"]["param"]) == (400, "export_id")
    done = ended(server, path)
    assert done["status"] == "succeeded", done
    assert done["parity"]["rows"] == 8
    assert 0 < done["parity"]["difference"] <= done["parity"]["tolerance"]
    assert done["parity"]["kept"] == pytest.approx(1, abs=0.1)
    events = server.http.get(f"{path}/events").json()["data"]
    assert events[-1]["message"] == f"Created export: {made['id']}"
    assert events[1]["message"].startswith("The files are the model: on 8 rows")

    answer = server.http.get(f"{path}/content")
    assert answer.headers["content-type"] == "application/x-tar"
    assert int(answer.headers["content-length"]) == len(answer.content)
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / made["id"]
    assert {f["name"]: f["sha256"] for f in done["files"]} == {
        file.name: sha256(file) for file in folder.iterdir()
    }
    card = (folder / "README.md").read_text("utf-8")
    assert 'base_model: "builtin-chat"' in card
    assert "license: apache-2.0" in card
    for expected in ("| n_epochs | 2 |", "| seed | 7 |", "| purpose | tests |", "data.jsonl"):
        assert expected in card
    assert json.loads((folder / "config.json").read_text())["torch_dtype"] == "bfloat16"

    listed = server.http.get(f"/models/{model}/exports").json()
    assert [each["id"] for each in listed["data"]] == [made["id"]]
    late = server.http.post(f"{path}/cancel")
    assert (late.status_code, late.json()["error"]["code"]) == (400, "invalid_export_status")
    assert server.http.delete(path).json() == {
        "id": made["id"], "object": "model.export", "deleted": True,
    }  # fmt: skip
    assert not (server.home / "exports" / made["id"]).exists()
    assert server.http.get(path).status_code == 404


@pytest.mark.parametrize(
    ("model", "body", "status", "said"),
    [
        ("builtin-chat", {"to": "onnx"}, 400, "Supported values are: 'peft'"),
        ("builtin-chat", {}, 400, "Missing required parameter: 'to'"),
        ("builtin-chat", {"to": "merged", "dtype": "q8_0"}, 400, "'dtype'"),
        ("builtin-chat", {"to": "peft", "dtype": "bf16"}, 400, "leave 'dtype' out"),
        ("builtin-chat", {"to": "gguf", "adapter": True, "dtype": "f16"}, 400, "an adapter is not"),
        ("builtin-chat", {"to": "merged", "adaptor": True}, 400, "Unknown parameter: 'adaptor'"),
        ("builtin-chat", {"to": "peft"}, 400, "is a base, so it has no adapter"),
        ("builtin-mini", {"to": "merged"}, 400, "is an embedding model"),
        ("builtin-chatt", {"to": "merged"}, 404, "builtin-chat"),
        ("ft:builtin-chat:personal::none", {"to": "merged"}, 404, "does not exist"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(
    server: Server, model: str, body: dict, status: int, said: str
) -> None:
    answer = server.http.post(f"/models/{model}/exports", json=body)
    assert answer.status_code == status
    assert said in answer.json()["error"]["message"]
