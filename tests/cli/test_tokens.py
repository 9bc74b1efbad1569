"""Tokens counted on the command line and in the library, on a machine that has nothing."""

import json
from pathlib import Path

import pytest

from tunewright import Tunewright, num_tokens_from_string
from tunewright.cli.tokens import _read as read
from tunewright.errors import BadRequest

GREAT = "tiktoken is great!"


def test_a_text_a_file_and_the_input(run, tmp_path: Path) -> None:
    assert run("tokens", GREAT).stdout == "6\n"
    path = tmp_path / "text.txt"
    path.write_text(GREAT * 2, "utf-8-sig")
    asked = run("tokens", str(path), "--json", "--encoding", "cl100k_base")
    expected = {"encoding": "cl100k_base", "counted_by": "cl100k_base", "tokens": 12}
    assert json.loads(asked.stdout) == expected
    assert run("tokens", "-", given=GREAT).stdout == "6\n"


def test_a_name_of_openais_counts_by_openais_tokenizer_or_not_at_all(run) -> None:
    done = run("tokens", GREAT, "--encoding", "gpt-3.5-turbo")
    assert (done.stdout, done.stderr) == ("6\n", "gpt-3.5-turbo: counted by cl100k_base\n")
    refused = run("tokens", GREAT, "--encoding", "gpt-4o", code=1)
    assert refused.stdout == ""
    assert "OpenAI's gpt-4o uses the encoding o200k_base." in refused.stderr


def test_a_path_that_is_not_there_is_no_text(run, tmp_path: Path) -> None:
    for path in ("reviews.txt", "./reviews", "~/notes", str(tmp_path / "x")):
        with pytest.raises(BadRequest, match=f"There is no file {path}"):
            read(path, "cl100k_base")
    assert "add --text" in run("tokens", "reviews.txt", code=1).stderr
    assert run("tokens", "reviews.txt", "--text").stdout == "2\n"
    for text in ("and/or", "https://example.org/a.html", "e.g.", "Is it so?", "a\0b", "x" * 9_000):
        assert read(text, "cl100k_base") == text


def test_tokens_in_the_library(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEWRIGHT_HOME", str(home))
    assert num_tokens_from_string(GREAT, "cl100k_base") == 6
    assert num_tokens_from_string("", "cl100k_base") == 0
    tw = Tunewright(home)
    for name in ("cl100k_base", "gpt-3.5-turbo-0125", "text-embedding-ada-002"):
        assert tw.num_tokens_from_string(GREAT, name) == 6
    assert tw.num_tokens_from_string(GREAT, "builtin-chat") > 6
    assert tw.num_tokens_from_string(GREAT, "builtin-static") > 0
    for name in ("o200k_base", "gpt-4o"):
        with pytest.raises(BadRequest, match="o200k_base, whose file is"):
            tw.num_tokens_from_string("a", name)
    with pytest.raises(BadRequest, match="neither a model here"):
        tw.num_tokens_from_string("a", "nothing")
    tw.close()
