"""The promises about the house itself: layers, imports, sizes, documents."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from servers import REPOSITORY, Server

HEAVY = ("torch", "transformers")


def test_layers() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_the_api_process_never_loads_torch(server: Server, tuned: dict) -> None:
    """Not when it is imported, and not after it has served chats, embeddings and a job."""
    body = {"model": tuned["fine_tuned_model"], "messages": [{"role": "user", "content": "Hi"}]}
    assert server.http.post("/chat/completions", json={**body, "max_tokens": 2}).is_success
    embed = {"model": "text-embedding-ada-002", "input": "Hi"}
    assert server.http.post("/embeddings", json=embed).is_success
    mapped = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "/tokenizers/" in mapped, "the list of mapped files shows what is loaded"
    assert "libtorch" not in mapped


@pytest.mark.parametrize("module", ["tunewright.api.server", "tunewright.work.worker"])
def test_light_modules_import_nothing_heavy(module: str) -> None:
    script = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_the_base_install_needs_no_torch() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert not [d for d in project["dependencies"] if d.startswith(HEAVY)]


def test_one_module_starts_processes() -> None:
    """So that each ends with its parent, and a new kind of child is started as the others are."""
    starting = re.compile(r"\bsubprocess\b|os\.(fork|spawn|popen|system|exec)|multiprocessing")
    sources = (REPOSITORY / "src").rglob("*.py")
    assert [path.name for path in sources if starting.search(path.read_text())] == ["children.py"]


def test_nothing_of_our_own_names_soup_or_unsafe_loading() -> None:
    sources = list((REPOSITORY / "src").rglob("*.py"))
    soup = re.compile(r"(utils?|helpers?|common|misc)\.py")
    assert not [path for path in sources if soup.fullmatch(path.name)]
    unsafe = re.compile(
        r"torch\.load\(|pickle\.load|yaml\.load\(|trust_remote_code=True|shell=True"
        r"|allow_pickle=True|\beval\("
    )
    found = [path for path in sources if unsafe.search(path.read_text())]
    assert not [p for p in found if "model.eval()" not in p.read_text()]


def test_what_ships_is_small() -> None:
    package = REPOSITORY / "src/tunewright"
    shipped = [package / "builtin", package / "vocabularies/shipped"]
    files = [path for folder in shipped for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 45e6


def test_the_version_has_its_entry_in_the_changelog() -> None:
    from tunewright import __version__

    assert f"## {__version__}" in (REPOSITORY / "CHANGELOG.md").read_text()


def test_every_route_setting_and_command_is_documented() -> None:
    from tunewright.api.application import routes
    from tunewright.settings import Settings

    text = "".join((REPOSITORY / name).read_text() for name in ("README.md", "docs/reference.md"))
    for route in routes():
        path = re.sub(r"\{(\w+)(:path)?\}", r"{\1}", route.path)
        assert path in text, path
    for name in Settings.model_fields:
        assert f"`{name}`" in text, name
