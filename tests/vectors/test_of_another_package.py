"""An index of somebody else's package (tests/packages/json_index), found by its entry point."""

from pathlib import Path

import numpy as np
import pytest

from distributions import installed
from tunewright.errors import BadRequest
from tunewright.vectors import INDEXES, open_index
from tunewright.vectors.filters import parse


def test_it_is_opened_by_the_name_of_its_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"json:{tmp_path / 'vectors'}"
    with pytest.raises(BadRequest, match=r"no vector index 'json'\. Known: local"):
        open_index(place)
    monkeypatch.syspath_prepend(installed("json_index", tmp_path / "site"))
    assert INDEXES.names()[-1] == "json"
    index = open_index(place)
    index.create("c", 2)
    index.upsert("c", ["a", "b", "c"], np.eye(3, 2, dtype=np.float32) + 1, [{}, {"k": 1}, {}])
    assert index.search("c", np.array([[0, 1]], np.float32), 2).ids == [["b", "c"]]
    assert index.count("c", parse({"type": "eq", "key": "k", "value": 1})) == 1
    index.close()
    assert open_index(place).count("c") == 3
