"""Packages of somebody else beside a real server: an embedder and a generator, by entry point."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from distributions import PACKAGES, described, installed
from servers import REPOSITORY, Server, start_server
from tunewright import Tunewright, durable
from tunewright.embedding import open_embedder
from tunewright.errors import BadRequest, Corrupt, MissingExtra
from tunewright.records.completions import ChatRequest
from tunewright.resources.embedding_bases import check
from tunewright.settings import Settings

MODEL = PACKAGES / "byte_grams" / "model"
TEXT = "東京 The cat sat on the mat."


@dataclass
class Beside:
    """A server, and what is installed beside it for the Python that runs it."""

    server: Server
    environment: dict[str, str]


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    made = tmp_path_factory.mktemp("packages")
    sites = [installed(name, made / name) for name in ("byte_grams", "copying")]
    environment = {"PYTHONPATH": os.pathsep.join(map(str, sites))}
    add = ["models", "add", "grams", str(MODEL), "--home", str(made / "home")]
    done = subprocess.run(
        [sys.executable, "-m", "tunewright", *add],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert "Added grams: an embedding model of 256 dimensions, 1,024 tokens" in done.stdout, (
        done.stderr
    )
    server = start_server(made / "home", TUNEWRIGHT_GENERATOR="copying", **environment)
    yield Beside(server, environment)
    server.stop()


def test_its_embedder_answers_the_sdk(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    server = beside.server
    done = subprocess.run(
        [
            str(REPOSITORY / ".sdk/3.54.0/bin/python"),
            str(REPOSITORY / "tests/sdk/embedded.py"),
            *("grams", TEXT),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key},
    )
    found = json.loads(done.stdout or "{}")
    assert found, done.stderr
    for site in beside.environment["PYTHONPATH"].split(os.pathsep):
        monkeypatch.syspath_prepend(site)
    expected = open_embedder(MODEL, verify=False).embed([TEXT])
    np.testing.assert_allclose([found["whole"]], expected.vectors, atol=1e-6)
    assert found["tokens"] == len(TEXT.encode())
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libtorch" not in mapped


def test_its_generator_answers_a_chat(beside: Beside) -> None:
    """It copies: what came after the same question before is the answer again."""
    said = [("user", "Hi"), ("assistant", "Hello there, you."), ("user", "Hi")]
    messages = [{"role": role, "content": text} for role, text in said]
    body = {"model": "builtin-chat", "messages": messages}
    answer = beside.server.http.post("/chat/completions", json=body).json()
    [choice] = answer["choices"]
    assert choice["message"]["content"] == "Hello there, you."
    assert choice["finish_reason"] == "stop"
    engine = beside.server.child("tunewright.serving")
    assert "libtorch" not in Path(f"/proc/{engine.pid}/maps").read_text()


def test_without_its_package_a_base_says_what_is_missing(beside: Beside) -> None:
    tw = Tunewright(beside.server.home)
    with pytest.raises(
        Corrupt, match=r"engine 'byte-grams'.*Known: .*static, .*transformer\. .*install"
    ):
        tw.embeddings.create(model="grams", input="a")
    ask = {"model": "builtin-mini", "input": "a"}
    assert len(tw.embeddings.create(**ask).data[0].embedding) == 384


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import not_here", r"poor 1\.0 .*cannot be loaded: ModuleNotFoundError: .*'not_here'"),
        ("def make(directory): return 5", r"poor 1\.0 .*lacks declared, dimensions"),
        (
            "from byte_grams import ByteGrams\n"
            "class make(ByteGrams):\n"
            "    def embed_tokens(self, batch):\n"
            "        return 2 * super().embed_tokens(batch)",
            "its vectors are not of length 1",
        ),
    ],
    ids=["not loaded", "half", "long vectors"],
)
def test_a_model_whose_engine_is_no_good_is_not_added(
    beside: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, reason: str
) -> None:
    site = described(
        tmp_path / "site", "poor", "1.0", {"tunewright.embedders": {"weak": "poor:make"}}
    )
    (site / "poor.py").write_text(source)
    path = [str(site), beside.environment["PYTHONPATH"]]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))  # the child's
    model = tmp_path / "model"
    model.mkdir()
    durable.write_json(model / "config.json", {"engine": "weak", "dimensions": 8})
    tw = Tunewright(tmp_path / "home")
    with pytest.raises(BadRequest, match=f"embedding model of .* cannot be used: .*{reason}"):
        tw.add_base("bad", str(model))
    assert "bad" not in [known.id for known in tw.models.list().data]


def test_every_file_of_an_embedding_model_is_kept(
    beside: Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its form: what a GGUF file holds, its own engine reads."""
    monkeypatch.setenv("PYTHONPATH", beside.environment["PYTHONPATH"])
    model = shutil.copytree(MODEL, tmp_path / "model")
    (model / "weights.gguf").write_bytes(b"its own")
    tw = Tunewright(tmp_path / "home")
    tw.add_base("grams", str(model))
    kept = tw.models.directory(tw.models.weights("grams", ("embedding",)))
    assert {file.name for file in kept.iterdir()} == {
        "config.json",
        "weights.gguf",
        "manifest.json",
    }


def test_what_is_no_embedding_model_of_ours_is_refused(tmp_path: Path) -> None:
    """Nothing of a folder is lost without a word."""
    tw = Tunewright(tmp_path / "home")
    durable.write_json(tmp_path / "config.json", {"model_type": "bert"})
    with pytest.raises(BadRequest, match=r"has no tokenizer\.json"):
        tw.add_base("bert", str(tmp_path), "embedding")
    durable.write_json(tmp_path / "config.json", {"engine": "static", "dimensions": 8})
    (tmp_path / ".git").mkdir()
    with pytest.raises(BadRequest, match="home is not a plain file"):
        tw.add_base("folders", str(tmp_path))
    (tmp_path / "home").rename(tmp_path / ".home")
    for name in ("pytorch_model.bin", "modeling.py"):
        (tmp_path / name).touch()
        with pytest.raises(BadRequest, match=f"{name} is in a format that can run code"):
            check(tmp_path)
        (tmp_path / name).unlink()
    check(tmp_path)


def test_an_engine_that_nobody_has_is_refused_with_those_that_are_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed("byte_grams", tmp_path / "site"))
    durable.write_json(tmp_path / "model" / "config.json", {"engine": "grams", "dimensions": 8})
    known = r"names the engine 'grams'.* Known: .*static, .*byte-grams"
    with pytest.raises(Corrupt, match=known):
        open_embedder(tmp_path / "model", verify=False)


@pytest.mark.parametrize("generator", ["embedded", "copying"])
def test_without_torch_a_chat_is_refused_where_the_generator_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, generator: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # neither found nor imported
    request = ChatRequest.parse(
        {"model": "builtin-chat", "messages": [{"role": "user", "content": "Hi"}]}
    )
    tw = Tunewright(settings=Settings.read(tmp_path / "home", generator=generator))
    if generator == "copying":
        assert tw.chat.prepare(request).choices == 1
    else:
        with pytest.raises(MissingExtra, match=r"pip install 'tunewright\[train\]'"):
            tw.chat.prepare(request)
    tw.close()
