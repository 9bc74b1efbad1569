import subprocess
import sys

import click
import pytest
import typer

from tunewright.cli.commands import app

HEAVY = ("torch", "transformers", "sqlalchemy", "starlette", "numpy", "pydantic")


def paths(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    subcommands = getattr(command, "commands", {})
    below = [paths(sub, (*path, name)) for name, sub in subcommands.items()]
    return [path, *(one for some in below for one in some)]


ALL = paths(typer.main.get_command(app))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_teaches_with_an_example(path, capsys):
    with pytest.raises(SystemExit) as ended:
        app([*path, "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Example: tunewright" in said
    assert " ".join(path) in said


def test_every_command_of_the_story_is_there():
    assert {
        "serve",
        "demo",
        "check",
        "data",
        "tokens",
        "files",
        "jobs",
        "models",
        "chat",
        "embed",
        "explore",
        "batches",
        "tables",
        "vectors",
        "export",
        "import",
        "organisations",
        "keys",
    } == {path[0] for path in ALL if path}


def test_help_and_version_load_nothing_heavy():
    code = (
        "import sys\n"
        "from tunewright.cli import main\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, option], capture_output=True, text=True, check=True
        )
        assert done.stderr.strip() == "[]"


def test_version(run):
    from tunewright import __version__

    assert run("--version").stdout == f"tunewright {__version__}\n"
