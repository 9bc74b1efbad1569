"""One name for one thing in every command, and the earlier names still work."""

from typing import Any

import pytest
import typer

from tunewright import suggestions
from tunewright.cli.commands import app
from tunewright.cli.options import EARLIER
from tunewright.wording import counted, of


def commands(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    below = getattr(command, "commands", {})
    found = {} if below else {path: command}
    for name, sub in below.items():
        found |= commands(sub, (*path, name))
    return found


ALL = commands(typer.main.get_command(app))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_no_option_has_an_earlier_name_and_each_has_a_help(path: tuple[str, ...]) -> None:
    for param in ALL[path].params:
        if path != ("import", "openai", "replay"):
            assert not set(EARLIER.values()).intersection(param.opts)
        if param.param_type_name == "option":
            assert param.help, param.opts


@pytest.mark.parametrize("new", EARLIER)
def test_the_earlier_names_still_work(new: str) -> None:
    command = ALL["data", "prepare"] if new == "--output" else ALL["check",]
    context = command.make_context("x", [EARLIER[new], "given", "file.csv"])
    assert "given" in map(str, context.params.values())


def test_suggested_commands_are_ones_that_there_are() -> None:
    said = suggestions.prepare("my faq.csv", model="qwen", drop_long=True)
    assert said == (
        "tunewright data prepare 'my faq.csv' --model qwen --drop-long --output 'my faq.jsonl'"
    )
    assert suggestions.command("check", "a", model=suggestions.DEFAULT_MODEL, home=None) == (
        "tunewright check a"
    )


def test_plurals() -> None:
    assert [counted(n, "row") for n in (0, 1, 1200)] == ["0 rows", "1 row", "1,200 rows"]
    assert (of(1, "has"), of(2, "has"), of(2, "reply")) == ("has", "have", "replies")
