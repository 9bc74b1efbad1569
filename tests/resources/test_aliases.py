"""OpenAI's names: what each stands for, and who goes before whom."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tunewright import Tunewright
from tunewright.errors import BadRequest, NotFound
from tunewright.records.models import ModelKind
from tunewright.resources.aliases import NAMES, Aliases, side, vocabulary
from tunewright.settings import DEFAULT_ALIASES, Settings

EVERY_KIND: tuple[ModelKind, ...] = ("chat", "completion", "embedding")


@pytest.fixture(scope="module")
def tw(tmp_path_factory: pytest.TempPathFactory) -> Tunewright:
    return Tunewright(tmp_path_factory.mktemp("aliases") / "home")


def test_every_name_that_openai_offered_is_listed_and_resolves(tw: Tunewright) -> None:
    listed = [model.id for model in tw.models.list().data]
    assert len(listed) == len(set(listed))
    assert set(NAMES) <= set(listed)
    for name in listed:
        assert tw.models.retrieve(name).id == name
        assert tw.models.weights(name, EVERY_KIND).base.startswith("builtin-")
    first_generation = [name for name in NAMES if name.startswith(("text-s", "code-s"))]
    assert len(first_generation) == 16


@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("gpt-3.5-turbo-0125", "builtin-chat"),
        ("gpt-3.5-turbo-instruct", "builtin-completion"),  # the longer pattern
        ("gpt-4o-mini-2024-07-18", "builtin-chat"),
        ("gpt-4o-2031-01-01", "builtin-chat"),  # a date that nobody knows yet
        ("gpt-4.1-nano-2025-04-14", "builtin-chat"),
        ("davinci-002", "builtin-completion"),
        ("text-embedding-3-large", "builtin-mini"),
        ("code-search-babbage-text-001", "builtin-mini"),
    ],
)
def test_names_and_their_defaults(tw: Tunewright, name: str, base: str) -> None:
    assert tw.models.weights(name, EVERY_KIND).base == base
    assert tw.models.retrieve(name).id == name


@pytest.mark.parametrize(
    "name", ["gpt-3.5", "gpt-4", "gpt-5", "xgpt-4o", "GPT-4o", "", "*", "ft:gpt-4o:acme::abc"]
)
def test_other_names_stand_for_nothing(tw: Tunewright, name: str) -> None:
    with pytest.raises(NotFound):
        tw.models.retrieve(name)
    with pytest.raises(NotFound):
        tw.models.weights(name, EVERY_KIND)


def test_the_exact_name_goes_before_the_longest_pattern() -> None:
    aliases = Aliases({"a*": "one", "a-b*": "two", "a-b-c": "three", "*": "rest"})
    found = [aliases.target(name) for name in ("a", "a-b", "a-b-x", "a-b-c", "a-b-c-d", "z")]
    assert found == ["one", "two", "two", "three", "two", "rest"]
    assert aliases.target("ft:z") is None


def test_settings_toml_maps_names_and_patterns(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        '[aliases]\n"gpt-4o*" = "builtin-completion"\n"gpt-3.5-turbo-0125" = "gone"\n'
        '"ours" = "builtin-static"\n'
    )
    tw = Tunewright(tmp_path)
    assert tw.models.weights("gpt-4o-2024-08-06", EVERY_KIND).base == "builtin-completion"
    assert tw.models.weights("gpt-4.1", EVERY_KIND).base == "builtin-chat"
    listed = [model.id for model in tw.models.list().data]
    assert "ours" in listed
    assert "gpt-3.5-turbo-0125" not in listed  # what it stands for is not there
    with pytest.raises(NotFound):
        tw.models.retrieve("gpt-3.5-turbo-0125")


def test_a_base_goes_before_a_pattern_that_covers_its_name(tmp_path: Path) -> None:
    settings = Settings.read(tmp_path, aliases={**DEFAULT_ALIASES, "builtin-*": "builtin-static"})
    tw = Tunewright(settings=settings)
    assert tw.models.weights("builtin-chat", EVERY_KIND).base == "builtin-chat"
    assert tw.models.weights("builtin-other", EVERY_KIND).base == "builtin-static"


def test_a_star_stands_at_the_end_only(tmp_path: Path) -> None:
    with pytest.raises((BadRequest, ValidationError), match="ends in it"):
        Settings.read(tmp_path, aliases={"gpt-*-mini": "builtin-chat"})


def test_what_a_name_says_besides() -> None:
    sides = {name: side(name) for name in NAMES if side(name)}
    assert len(sides) == 12
    assert sides["text-search-ada-doc-001"] == sides["code-search-ada-code-001"] == "document"
    assert sides["text-search-ada-query-001"] == sides["code-search-ada-text-001"] == "query"
    assert vocabulary("text-embedding-ada-002") == "cl100k_base"
    assert vocabulary("text-search-ada-doc-001") == "r50k_base"
    assert vocabulary("builtin-static") is None
