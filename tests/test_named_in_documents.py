"""Every `module.function` that a document for developers names exists, by the source alone."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from servers import REPOSITORY

SOURCE = REPOSITORY / "src" / "tunewright"
DOCUMENTS = ("docs/reading.md", "docs/internals.md", "ARCHITECTURE.md")
_DOTTED = re.compile(r"`([a-z_]+(?:\.\w+)+)`")
_FILES = (".db", ".json", ".md", ".py", ".toml", ".npy", ".onnx", ".jsonl")


def named(document: str) -> list[str]:
    found = _DOTTED.findall((REPOSITORY / document).read_text("utf-8"))
    return [name for name in found if not name.endswith(_FILES)]


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def exists(name: str) -> bool:
    """Whether `name`, without ``tunewright.``, is a module, or something defined in one."""
    path, parts = SOURCE, name.split(".")
    while parts and (path / parts[0]).is_dir():
        path /= parts.pop(0)
    file = path / f"{parts[0]}.py" if parts else path / "__init__.py"
    if file.is_file():
        parts = parts[1:]
    else:
        file = path / "__init__.py"
    return file.is_file() and _defines(parsed(file).body, parts)


def _defines(body: list[ast.stmt], parts: list[str]) -> bool:
    if not parts:
        return True
    found = next((node for node in body if parts[0] in _names(node)), None)
    if isinstance(found, ast.ImportFrom):  # what a package shows of its modules
        return exists(".".join([str(found.module).removeprefix("tunewright."), *parts]))
    return found is not None and _defines(getattr(found, "body", []), parts[1:])


def _names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.ImportFrom):
        ours = str(node.module).startswith("tunewright.")
        return [name.asname or name.name for name in node.names] if ours else []
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_name_exists(document: str) -> None:
    assert [name for name in named(document) if not exists(name)] == []


def test_reading_is_two_pages_and_names_what_it_tells_of() -> None:
    text = (REPOSITORY / "docs/reading.md").read_text("utf-8")
    assert len(text.splitlines()) <= 120
    assert len(set(named("docs/reading.md"))) > 60


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("training.steps.learn", True),
        ("training.method", True),
        ("weights.lora.LoraLinear.forward", True),
        ("training.plans.planner.BUDGETS", True),
        ("training.steps.unlearn", False),
        ("weights.lora.LoraLinear.backward", False),
        ("training.nothing", False),
    ],
)
def test_a_name_that_was_renamed_is_found(name: str, there: bool) -> None:
    assert exists(name) is there
