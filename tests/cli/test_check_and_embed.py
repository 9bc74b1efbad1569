import json

import numpy as np

from tunewright import samples


def test_check_accounts_for_every_row(run):
    done = run("check", str(samples.CHATS), "--validation", str(samples.VALIDATION))
    assert "60 rows: 60 fine, 0 bad, 0 blank" in done.stdout
    assert "12 rows: 12 fine" in done.stdout


def test_check_names_the_line_of_a_problem(run, tmp_path):
    rows = samples.CHATS.read_text("utf-8").splitlines()
    rows[6] = '{"messages": [{"role": "robot", "content": "beep"}]}'
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(rows), "utf-8")
    done = run("check", str(path), code=1)
    assert "60 rows: 59 fine, 1 bad" in done.stdout
    assert "line 7, $.messages[0].role" in done.stdout
    assert "invalid_file_format" in done.stderr


def test_check_cuts_a_long_list_of_problems(run):
    path = str(samples.COMPLETIONS)  # 24 rows of the wrong form for a chat base
    assert "4 more errors: --all" in run("check", path, code=1).stdout
    assert run("check", path, "--all", code=1).stdout.count("error: line") == 24


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
