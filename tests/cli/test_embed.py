import json

import numpy as np

from tunewright import samples


def test_embed_writes_a_matrix_and_finds_the_nearest(run, tmp_path):
    path = tmp_path / "vectors.npy"
    done = run(
        *("embed", "--file", str(samples.REVIEWS), "--column", "text"),
        *("--output", str(path), "--search", "headphones on the plane", "--top", "3"),
    )
    vectors = np.load(path)
    assert vectors.shape[0] == 40
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert "eleven hours on the plane" in done.stdout
    assert len(done.stdout.splitlines()) == 5


def test_embed_writes_jsonl(run, tmp_path):
    path = tmp_path / "vectors.jsonl"
    run("embed", "one", "two", "--output", str(path))
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [row["text"] for row in rows] == ["one", "two"]
    assert (
        json.loads(run("embed", "one", "--json").stdout)["data"][0]["embedding"]
        == (rows[0]["embedding"])
    )
