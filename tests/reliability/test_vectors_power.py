"""The power fails while the files beside a store of vectors are written: they are those of before,
or the new ones, and never others."""

from pathlib import Path

import numpy as np
import pytest
from test_power import Case, _only_bytes_are_lost, _only_names_are_lost, faults

from tunewright.vectors.local import LocalIndex, keeping, rows, snapshots
from tunewright.vectors.local.store import Store
from tunewright.vectors.local.view import Reader, View


class Written:
    """A store that lies elsewhere, whose writes SQLite answers for, and two views of it."""

    def __init__(self, place: Path) -> None:
        index = LocalIndex(place)
        index.create("c", 4)
        self.store = Store(place / "c" / "index.db", "c")
        ids = [f"{number:02}" for number in range(20)]
        index.upsert("c", ids, np.eye(20, 4, dtype=np.float32) + 1, [{}] * 20)
        self.old = self.view(None)
        index.delete("c", ids=ids[3:6])
        index.close()

    def view(self, folder: Path | None) -> View:
        found = snapshots.read(folder, self.store) if folder else None
        reader = Reader(self.store, found.view if found else None)
        assert reader.read_on()
        return reader.view

    def case(self) -> Case:
        def found(root: Path) -> str:
            listed = snapshots.read(root / "c", self.store)
            if listed is None:
                return "none"
            ids = [part.ids[row] for part in listed.view.parts for row in range(len(part))]
            before = [f"{number:02}" for number in range(16)]
            after = [id for id in before if id not in ("03", "04", "05")]
            return {tuple(before): "old", tuple(after): "new"}.get(tuple(ids), "torn")

        return Case(
            before=lambda root: snapshots.write(root / "c", self.store, self.old),
            act=lambda root: snapshots.write(root / "c", self.store, self.view(root / "c")),
            found=found,
        )


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr(rows, "PART", 8)
    monkeypatch.setattr(keeping.Keeper, "ask", lambda *_: None)
    return Written(tmp_path / "store").case()


def test_the_files_are_the_old_ones_or_the_new_ones(case: Case, tmp_path: Path) -> None:
    states, wrong = faults(case, tmp_path / "states")
    assert states > 6
    assert wrong == []


@pytest.mark.parametrize("broken", [_only_names_are_lost, _only_bytes_are_lost])
def test_without_syncs_they_would_be_lost_and_nothing_else_be_read(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken
) -> None:
    broken(monkeypatch)
    _, wrong = faults(case, tmp_path / "states")
    assert set(wrong) <= {"none", "old"}
    assert wrong
