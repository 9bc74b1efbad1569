"""Packages of somebody else, laid out as pip installs them, without pip or a network."""

import shutil
import tomllib
from pathlib import Path

PACKAGES = Path(__file__).parent / "packages"


def installed(package: str, site: Path) -> Path:
    """`site`, with the modules and the metadata of a folder of `packages/`."""
    source = PACKAGES / package
    project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
    site.mkdir(exist_ok=True)
    for module in source.glob("*.py"):
        shutil.copy(module, site)
    return described(site, project["name"], project["version"], project["entry-points"])


def described(site: Path, name: str, version: str, points: dict[str, dict[str, str]]) -> Path:
    """`site`, with the metadata of a package that has these entry points, by group and name."""
    info = site / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    sections = (
        f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in offered.items())
        for group, offered in points.items()
    )
    (info / "entry_points.txt").write_text("\n".join(sections))
    return site
