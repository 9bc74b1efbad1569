"""Engines and methods by name: ours, and those that other packages offer by entry points."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distributions import described, installed
from tunewright.embedding import ENGINES
from tunewright.errors import BadRequest, BrokenPackage, MissingExtra
from tunewright.generation import GENERATORS
from tunewright.generation.generator import Generator
from tunewright.registry import Registry
from tunewright.training import METHODS, method

TOYS = Registry("toy", "tests.toys", {"own": "collections:OrderedDict"}, protocol=Generator)
Package = Callable[..., None]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Installs one: its name, the source of its module of that name, and what it offers."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)

    def install(name: str, source: str = "", group: str = "tests.toys", **offers: str) -> None:
        (site / f"{name}.py").write_text(source)
        described(site, name, "1.0", {group: offers})
        monkeypatch.delitem(sys.modules, name, raising=False)

    return install


def test_what_a_package_offers_is_imported_when_it_is_asked_for(package: Package) -> None:
    package("quick", "def make(): return {}", fast="quick:make")
    package("costly", "raise SystemExit('imported')", slow="costly:make")
    assert TOYS.names() == ["own", "fast", "slow"]
    assert TOYS.load("fast")() == {}
    assert "costly" not in sys.modules


def test_a_name_that_nobody_has(package: Package) -> None:
    package("quick", fast="quick:make")
    with pytest.raises(BadRequest, match=r"no toy 'fats'\. Known: own, fast\. .*install"):
        TOYS.load("fats")


def test_a_name_of_ours_is_not_taken(package: Package, caplog: pytest.LogCaptureFixture) -> None:
    package("thief", "raise SystemExit('imported')", own="thief:make")
    with caplog.at_level(logging.WARNING):
        assert TOYS.load("own").__name__ == "OrderedDict"
    assert "thief 1.0 offers a toy 'own', which is the name of tunewright's own" in caplog.text
    assert TOYS.names() == ["own"]


def test_a_name_of_two_packages_is_refused(package: Package) -> None:
    package("one", both="one:make", only="one:make")
    package("two", both="two:make")
    with pytest.raises(
        BrokenPackage, match=r"toy 'both' is offered by (one|two) 1\.0 and (one|two)"
    ):
        TOYS.load("both")


def test_a_package_that_lies_on_the_path_twice_is_one(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package("quick", "make = dict", fast="quick:make")
    monkeypatch.syspath_prepend(
        described(tmp_path / "b", "quick", "2", {"tests.toys": {"fast": "quick:make"}})
    )
    assert TOYS.load("fast") is dict


@pytest.mark.parametrize(
    ("source", "offer", "reason"),
    [
        (
            "import not_installed",
            "poor:make",
            "ModuleNotFoundError: No module named 'not_installed'",
        ),
        ("1 / 0", "poor:make", "ZeroDivisionError: division by zero"),
        ("def make(:", "poor:make", "SyntaxError"),
        ("raise SystemExit('no GPU')", "poor:make", "SystemExit: no GPU"),
        ("", "poor:make", "AttributeError: .*make"),
        ("", "not a path", "AttributeError"),
    ],
    ids=[
        "a library is absent",
        "its fault",
        "no Python",
        "exits",
        "nothing of that name",
        "no path",
    ],
)
def test_what_cannot_be_imported_is_named_with_its_package(
    package: Package, source: str, offer: str, reason: str
) -> None:
    package("poor", source, weak=offer)
    package("quick", "make = dict", fast="quick:make")
    with pytest.raises(
        BrokenPackage, match=rf"toy 'weak' of poor 1\.0 .*cannot be loaded: {reason}"
    ) as found:
        TOYS.load("weak")
    assert "Install what it needs, or another version of it" in found.value.message
    assert TOYS.load("fast") is dict, "others are as before"


def test_what_cannot_be_made_or_lacks_a_part_is_named_with_its_package(package: Package) -> None:
    package(
        "bad",
        "def make(): raise ValueError('no file')\nclass Half: busy = load = step = 1",
        weak="bad:make",
        half="bad:Half",
    )
    with pytest.raises(
        BrokenPackage, match=r"toy 'weak' of bad 1\.0 \(bad:make\) failed: ValueError: no file"
    ):
        TOYS.make("weak")
    with pytest.raises(
        BrokenPackage, match=r"toy 'half' of bad 1\.0 \(bad:Half\) lacks unload, submit, cancel"
    ):
        TOYS.make("half")


def test_metadata_that_cannot_be_read_harms_nobody_else(package: Package, tmp_path: Path) -> None:
    package("quick", "make = dict", fast="quick:make")
    package("broken", fast="broken:make")
    (tmp_path / "site" / "broken-1.0.dist-info" / "entry_points.txt").write_bytes(
        b"[tests.toys]\n\xff"
    )
    assert TOYS.load("fast") is dict


def test_a_fault_of_ours_is_no_fault_of_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tunewright.generation.embedded", None)
    with pytest.raises(ImportError, match=r"tunewright\.generation\.embedded"):
        GENERATORS.load("embedded")
    absent = Registry("toy", "tests.toys", {"own": "not_installed:x"}, needs=("Playing", "train"))
    with pytest.raises(
        MissingExtra, match=r"Playing \(not_installed is not installed\) needs .*\[train\]"
    ):
        absent.load("own")


def test_a_library_that_is_missing_only_when_an_instance_is_made(package: Package) -> None:
    package("late", "def make(): import not_installed")
    late = Registry("toy", "tests.toys", {"own": "late:make"}, extras={"own": "toys"})
    with pytest.raises(
        MissingExtra, match=r"The toy 'own' \(not_installed is not installed\) needs .*\[toys\]"
    ):
        late.make("own")


def test_a_training_method_of_another_package(package: Package) -> None:
    """With its forecast, if it has one."""
    source = "def train(recipe, folder, report, should_stop): ...\ndef expect(*given): ..."
    package("apart", source, group=METHODS.group, apart="apart:train")
    package("alone", "train = print", group=METHODS.group, alone="alone:train")
    assert method("apart").__name__ == "train"
    assert method("apart", expect=True).__name__ == "expect"
    with pytest.raises(BrokenPackage, match=r"training method 'alone' of alone 1\.0 .*expect"):
        method("alone", expect=True)


def test_the_groups_are_those_that_are_documented(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(installed("byte_grams", tmp_path / "a"))
    monkeypatch.syspath_prepend(installed("copying", tmp_path / "b"))
    assert ENGINES.names() == [*ENGINES.own, "byte-grams"]
    assert GENERATORS.names() == [*GENERATORS.own, "copying"]
    assert METHODS.names() == [*METHODS.own]
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text()
    assert all(registry.group in text for registry in (ENGINES, GENERATORS, METHODS))
