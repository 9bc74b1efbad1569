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


MAP_IT = 'under [aliases]: "{name}" = "{base}"'


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt-4o-mni", "Did you mean `gpt-4o-mini`?"),
        ("gpt-4.1-mini-2025-4-14", "Did you mean `gpt-4.1-mini-2025-04-14`?"),
        ("gpt-35-turbo", "Did you mean `gpt-3.5-turbo`?"),
        ("gpt-3.5-turbo-9999", "Did you mean `gpt-3.5-turbo"),
        ("gpt-4o-2024-02-30", "Did you mean `gpt-4o-2024"),
        ("gpt-3.5-turbo-0931", "Did you mean `gpt-3.5-turbo"),
        ("GPT-4o", "Did you mean `gpt-4o`?"),
        ("gtp-4o", "Did you mean `gpt-4o`?"),
        ("text-embedding-3-smal", "Did you mean `text-embedding-3-small`?"),
        ("text-embedding-3-small-0125", "Did you mean `text-embedding-3-small`?"),
        ("builtin-chatt", "Did you mean `builtin-chat`?"),
        *((name, MAP_IT.format(name=name, base="builtin-chat")) for name in (
            "gpt-4", "gpt-4-0613", "gpt-4-turbo", "gpt-5", "gpt-5-mini-2025-08-07", "gpt-5.1",
            "o1", "o3-mini", "o4-mini", "chatgpt-4o-latest", "gpt-4o-audio-preview", "gpt-3.5",
        )),
        ("text-davinci-003", MAP_IT.format(name="text-davinci-003", base="builtin-completion")),
        ("text-embedding-4", MAP_IT.format(name="text-embedding-4", base="builtin-mini")),
        ("babbage-002-0101", ""),
        ("claude-3", ""),
        ("", ""),
        ("*", ""),
        ("gpt-4o" * 1000, ""),
        ("ft:gpt-4o:acme::abc", ""),
    ],
)  # fmt: skip
def test_other_names_stand_for_nothing_and_the_error_says_what_to_do(
    tw: Tunewright, name: str, says: str
) -> None:
    for ask in (tw.models.retrieve, lambda name: tw.models.weights(name, EVERY_KIND)):
        with pytest.raises(NotFound) as refused:
            ask(name)
        start = f"The model `{name}` does not exist or you do not have access to it."
        assert refused.value.message.startswith(start)
        assert says in refused.value.message.removeprefix(start)
        assert says or refused.value.message == start or name == "babbage-002-0101"


def test_a_family_covers_known_names_whatever_it_is_mapped_to(tmp_path: Path) -> None:
    aliases = {**DEFAULT_ALIASES, "gpt-4o*": "builtin-completion", "gpt-4*": "builtin-static"}
    tw = Tunewright(settings=Settings.read(tmp_path, aliases=aliases))
    for name, base in [
        ("gpt-4o-mini-2031-01-01", "builtin-completion"),
        ("gpt-4-turbo", "builtin-static"),
        ("gpt-4o-mni", "builtin-static"),  # the operator's own pattern: all that begins so
    ]:
        assert tw.models.weights(name, EVERY_KIND).base == base


def test_a_name_that_stands_for_what_is_not_there_says_so(tmp_path: Path) -> None:
    tw = Tunewright(settings=Settings.read(tmp_path, aliases={"gpt-4o": "gone"}))
    with pytest.raises(NotFound, match=r"It stands for `gone`, which does not exist here"):
        tw.models.retrieve("gpt-4o")


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
