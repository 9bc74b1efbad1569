"""Close pairs, against the plain way of finding them."""

import numpy as np

from tunewright.quality import neighbours


def test_every_close_pair_is_found_once(monkeypatch) -> None:
    random = np.random.default_rng(3)
    vectors = random.normal(size=(60, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wanted = {(i, j) for i in range(60) for j in range(i + 1, 60) if vectors[i] @ vectors[j] >= 0.9}
    monkeypatch.setattr(neighbours, "_BLOCK", 200)  # several blocks, of unequal sizes
    found = list(neighbours.within(vectors, 0.9))
    assert set(found) == wanted
    assert len(found) == len(wanted) > 20
    both = set(neighbours.pairs(vectors[:20], vectors, 0.9))
    assert both == {(i, j) for i in range(20) for j in range(60) if vectors[i] @ vectors[j] >= 0.9}
    assert neighbours.crowd(vectors[:1], vectors, 0.9).tolist() == [
        1 + sum(0 in pair for pair in wanted)
    ]
