"""OpenAI's vocabularies: found, checked, copied and read, and never fetched."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import tiktoken_ext.openai_public

from servers import needs_data
from tunewright import vocabularies
from tunewright.errors import BadRequest, Corrupt, MissingExtra
from tunewright.vocabularies import (
    PUBLISHED,
    Encoding,
    Vocabulary,
    find,
    open_encoding,
    open_vocabulary,
)

CL100K = PUBLISHED["cl100k_base"].file
GREAT = [83, 1609, 5963, 374, 2294, 0]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache and no package of this machine is looked into."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    monkeypatch.setattr(vocabularies.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages"), *_without_packages()])


def _without_packages() -> list[str]:
    return [place for place in sys.path if "site-packages" not in place]


@pytest.fixture
def content() -> bytes:
    return needs_data(f"tiktoken/{CL100K}").read_bytes()


def put(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CL100K).write_bytes(content)
    return folder


def test_absent_says_which_file_and_where(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=CL100K) as refused:
        open_vocabulary("cl100k_base", tmp_path / "own")
    assert refused.value.code == "vocabulary_unavailable"
    assert "$TIKTOKEN_CACHE_DIR" in refused.value.message
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR", None])
def test_found_in_a_cache_and_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, variable: str | None
) -> None:
    if variable is None:
        cache = put(tmp_path / "temporary" / "data-gym-cache", content)
    else:
        cache = put(tmp_path / "cache", content)
        monkeypatch.setenv(variable, str(cache))
    own = tmp_path / "own"
    assert find("cl100k_base", own) == own / CL100K
    assert (own / CL100K).read_bytes() == content
    (cache / CL100K).unlink()
    assert find("cl100k_base", own) == own / CL100K


@pytest.mark.parametrize(
    "folder",
    ["litellm/litellm_core_utils/tokenizers", "llama_index/core/_static/tiktoken_cache"],
)
def test_found_in_a_package_that_is_not_imported(
    tmp_path: Path, content: bytes, folder: str
) -> None:
    package = tmp_path / "packages" / folder.split("/")[0]
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    put(tmp_path / "packages" / folder, content)
    assert find("cl100k_base", tmp_path / "own") == tmp_path / "own" / CL100K


def test_a_damaged_file_is_passed_over_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    cache, own = put(tmp_path / "cache", content[:-1]), put(tmp_path / "own", b"damaged")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    assert find("cl100k_base", own) is None
    assert (cache / CL100K).read_bytes() == content[:-1]
    put(tmp_path / "temporary" / "data-gym-cache", content)
    assert find("cl100k_base", own) == own / CL100K
    assert (own / CL100K).read_bytes() == content


def test_what_is_no_vocabulary_is_corrupt(tmp_path: Path) -> None:
    with pytest.raises(Corrupt):
        Vocabulary("cl100k_base", put(tmp_path, b"no rank\n") / CL100K)


def test_decodes_as_tiktoken_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    own = put(tmp_path / "own", content)
    vocabulary = open_vocabulary("cl100k_base", own)
    assert vocabulary.decode(GREAT) == "tiktoken is great!"

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(own))
    reference = tiktoken.get_encoding("cl100k_base")
    known = [id for id in range(reference.n_vocab + 5) if id in vocabulary]
    assert len(known) == len(reference._mergeable_ranks) + len(reference._special_tokens) == 100_261
    assert 100_261 not in vocabulary
    assert -1 not in vocabulary
    texts = ["", "naïve café", "東京 🚀", "def f():\n\treturn 1", "<|endoftext|>"]
    for text in texts:
        ids = reference.encode(text, allowed_special="all")
        assert vocabulary.decode(ids) == text
    rng = np.random.default_rng(0)
    for _ in range(200):  # half characters among them
        ids = [known[i] for i in rng.integers(0, len(known), 20)]
        assert vocabulary.decode(ids) == reference.decode(ids)


def test_the_hashes_are_those_of_tiktoken() -> None:
    source = Path(tiktoken_ext.openai_public.__file__).read_text()
    for published in PUBLISHED.values():
        assert published.sha256 in source


def test_the_patterns_are_those_of_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
    for name, published in PUBLISHED.items():
        theirs = tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[name]()
        assert published.pattern == theirs["pat_str"]
        assert published.special == theirs["special_tokens"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_texts_are_counted_as_tiktoken_counts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, name: str
) -> None:
    """Whatever white space, marks and letters stand beside each other, and however few words are
    kept. All patterns, with the ranks of one."""
    encoding = Encoding(name, put(tmp_path, content) / CL100K)
    reference = tiktoken.Encoding(
        name,
        pat_str=PUBLISHED[name].pattern,
        mergeable_ranks=encoding._tiktoken._mergeable_ranks,
        special_tokens={},
    )
    monkeypatch.setattr(vocabularies, "_MOST_WORDS", 500)
    rng = np.random.default_rng(7)
    signs = list("     abS'.1\n\t\r\u00a0\u3000\u2028\x1c\x85\u0301é中👍/")
    texts = ["".join(rng.choice(signs, rng.integers(0, 14))) for _ in range(4_000)]
    texts += ["", " ", "a <|endoftext|> b", "x" * 60 + " y", "It's a  b", "Is it so? Yes.\n\nNo."]
    for batch in (texts[:1_000], texts[1_000:], texts):
        counted = [len(reference.encode_ordinary(text)) for text in batch]
        assert encoding.counts(batch).tolist() == counted


def test_an_encoding_that_is_absent_says_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="o200k_base, whose file is") as refused:
        open_encoding("o200k_base", tmp_path / "own")
    assert "Nothing is fetched" in refused.value.message
    with pytest.raises(BadRequest, match="known are: cl100k_base"):
        open_encoding("cl200k", tmp_path / "own")


def test_without_tiktoken_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tunewright\[tiktoken\]'"):
        open_encoding("cl100k_base", put(tmp_path / "own", content))
