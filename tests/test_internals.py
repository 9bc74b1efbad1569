"""ARCHITECTURE.md and docs/internals.md name what there is."""

import ast
import re
import tomllib

import pytest

from servers import REPOSITORY

PAGES = ("ARCHITECTURE.md", "docs/internals.md")
SOURCE = REPOSITORY / "src" / "tunewright"
# What is not ours, or no name: fields and states of records, words of others.
OTHERS = {
    *("auto", "cpu", "train", "tidy", "held", "check", "fine-tune", "await", "async", "dev"),
    *("structured", "tables", "peft", "trl", "Host", "queued", "succeeded", "validating_files"),
}


def test_the_layers_are_those_that_are_checked() -> None:
    page = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8")
    block = page.partition("## Layers")[2].split("```")[1]
    drawn = [re.split(r" {2,}", line)[0].strip() for line in block.strip().splitlines()]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert drawn == [layer for layer in layers if layer != "__main__"]


def defined() -> set[str]:
    """Modules, classes, functions and fields."""
    names = {path.stem for path in SOURCE.rglob("*") if "__" not in path.name}
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(node.name)
            elif isinstance(node, ast.AnnAssign | ast.Assign):
                targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


@pytest.mark.parametrize("page", PAGES)
def test_each_name_is_one_of_ours(page: str) -> None:
    text = re.sub(r"```.*?```", "", (REPOSITORY / page).read_text("utf-8"), flags=re.DOTALL)
    known = defined() | OTHERS
    missing = []
    for name in re.findall(r"`([A-Za-z_][\w.-]*)`", text):
        file = REPOSITORY / name
        parts = name.removesuffix(".py").split(".")
        if name.endswith((".md", ".toml", ".json")) or file.exists() or "-" in name:
            continue
        missing += [name] * (not set(parts) <= known)
    assert missing == []


def test_architecture_is_one_page() -> None:
    """A page of some 60 lines and 1,000 words; what is longer belongs into docs/internals.md."""
    words = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8").split()
    assert len(words) < 1_100
