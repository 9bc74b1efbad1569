"""A model's weights through HTTP: asked for, followed, downloaded, deleted, and nobody else's."""

import io
import json
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tunewright
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
    assert listed["data"][0]["id"] == made["id"]  # others may have been made of this model before
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
        ("builtin-chat", {"to": "merged", "dtype": "q8_0"}, 400, "give bf16 or fp32"),
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


@pytest.mark.slow
def test_one_whose_process_is_killed_goes_on_and_one_that_is_cancelled_leaves_nothing(
    new_server: Callable[..., Server],
) -> None:
    server = new_server()
    path = "/models/builtin-chat/exports"
    first = server.http.post(path, json={"to": "merged"}).json()["id"]
    server.child("tunewright.exporting").kill()
    done = ended(server, f"{path}/{first}")
    assert done["status"] == "succeeded", done
    second = server.http.post(path, json={"to": "merged"}).json()["id"]
    child = server.child("tunewright.exporting")
    assert server.http.post(f"{path}/{second}/cancel").json()["status"] == "cancelled"
    child.wait(20)
    third = server.http.post(path, json={"to": "gguf", "dtype": "q8_0"}).json()["id"]
    server.child("tunewright.exporting")
    server.stop(signal.SIGKILL)
    again = new_server(key=server.key)
    done = ended(again, f"{path}/{third}")
    assert done["status"] == "succeeded", done
    kept = {folder.name for folder in (server.home / "exports").iterdir()}
    assert kept == {first, third}


QUESTIONS = ("What is the capital of France?", "How many legs has a dog?", "Is water wet?")


def answers(server: Server, model: str) -> list[str]:
    asked = [{"role": "user", "content": question} for question in QUESTIONS]
    given = {"model": model, "temperature": 0, "max_tokens": 16}
    replies = [
        server.http.post("/chat/completions", json={**given, "messages": [each]}).json()
        for each in asked
    ]
    return [reply["choices"][0]["message"]["content"] for reply in replies]


def file_of(server: Server, model: str, folder: Path, **asked: object) -> Path:
    """The folder with the files of an export."""
    made = server.http.post(f"/models/{model}/exports", json=asked).json()
    path = f"/models/{model}/exports/{made['id']}"
    done = ended(server, path)
    assert done["status"] == "succeeded", done
    content = server.http.get(f"{path}/content").content
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    return folder / made["id"]


@pytest.mark.slow
def test_a_gguf_export_becomes_a_base_that_answers_the_same(
    server: Server, tuned: dict, tmp_path: Path
) -> None:
    model = tuned["fine_tuned_model"]
    folder = file_of(server, model, tmp_path, to="gguf", dtype="f16")
    with tunewright.Tunewright(server.home) as tw:
        tw.add_base("tests-roundtrip", str(folder / "model.gguf"), measure=False)
    assert answers(server, "tests-roundtrip") == answers(server, model)
    assert answers(server, model) != answers(server, "builtin-chat")


@pytest.mark.slow
def test_llama_cpp_answers_the_same(server: Server, tuned: dict, tmp_path: Path) -> None:
    program = shutil.which("llama-cli")
    if program is None:
        pytest.skip("llama-cli is not on the PATH: llama.cpp's own reading was not tried")
    model = tuned["fine_tuned_model"]
    folder = file_of(server, model, tmp_path, to="gguf", dtype="f16")
    for question, expected in zip(QUESTIONS, answers(server, model), strict=True):
        prompt = f"<|user|>{question}<|end|><|assistant|>"
        command = [program, "-m", str(folder / "model.gguf"), "-p", prompt, "-n", "16", "--temp",
                   "0", "-no-cnv", "--no-display-prompt", "--special"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        assert done.stdout.strip().removeprefix(prompt).strip().startswith(expected.strip())


@pytest.mark.slow
def test_ollama_answers_the_same(server: Server, tuned: dict, tmp_path: Path) -> None:
    program = shutil.which("ollama")
    if program is None:
        pytest.skip("ollama is not on the PATH: its reading of the Modelfile was not tried")
    model = tuned["fine_tuned_model"]
    folder = file_of(server, model, tmp_path, to="ollama", dtype="f16")
    with (folder / "Modelfile").open("a") as file:
        file.write("PARAMETER temperature 0\nPARAMETER num_predict 16\n")
    subprocess.run([program, "create", "tw-tests", "-f", "Modelfile"], cwd=folder, check=True)
    for question, expected in zip(QUESTIONS, answers(server, model), strict=True):
        done = subprocess.run(
            [program, "run", "tw-tests", question],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        assert done.stdout.strip().startswith(expected.strip())
