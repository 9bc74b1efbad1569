"""ARCHITECTURE.md: one page, with the layers that are checked."""

import re
import tomllib

from servers import REPOSITORY


def test_the_layers_are_those_that_are_checked() -> None:
    page = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8")
    block = page.partition("## Layers")[2].split("```")[1]
    drawn = [re.split(r" {2,}", line)[0].strip() for line in block.strip().splitlines()]
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert drawn == [layer for layer in layers if layer != "__main__"]


def test_architecture_is_one_page() -> None:
    """A page of some 60 lines and 1,000 words; what is longer belongs into docs/internals.md."""
    words = (REPOSITORY / "ARCHITECTURE.md").read_text("utf-8").split()
    assert len(words) < 1_100
