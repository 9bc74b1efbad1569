"""OpenAI's vocabularies: shipped or found, checked, copied and read, and never fetched."""

import functools
import gzip
import hashlib
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import tiktoken_ext.openai_public
from hypothesis import given, settings
from hypothesis import strategies as st

from tunewright import durable, vocabularies
from tunewright.errors import BadRequest, Corrupt
from tunewright.vocabularies import (
    PUBLISHED,
    Encoding,
    Vocabulary,
    encoding_of,
    finding,
    open_encoding,
    open_vocabulary,
)
from tunewright.vocabularies.finding import SHIPPED, find, ranks

CL100K = PUBLISHED["cl100k_base"].file
GREAT = [83, 1609, 5963, 374, 2294, 0]
CONTENT = gzip.decompress((SHIPPED / "cl100k_base.tiktoken.gz").read_bytes())
RANKS = ranks("cl100k_base", CONTENT)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cache and no package of this machine is looked into."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    monkeypatch.setattr(finding.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setattr(sys, "path", [str(tmp_path / "packages"), *_without_packages()])


@pytest.fixture
def unshipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the other vocabularies are."""
    monkeypatch.setattr(finding, "SHIPPED", tmp_path / "nothing")


def _without_packages() -> list[str]:
    return [place for place in sys.path if "site-packages" not in place]


def put(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CL100K).write_bytes(content)
    return folder


def reference(name: str) -> tiktoken.Encoding:
    """tiktoken with its own pattern, and the ranks of cl100k_base."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", lambda *_, **__: RANKS)
        theirs = tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[name]()
    theirs |= {"special_tokens": {}, "explicit_n_vocab": None}
    return tiktoken.Encoding(**theirs)


def test_cl100k_ships_whole_and_with_its_licence(tmp_path: Path) -> None:
    about = durable.verify(SHIPPED)["about"]
    assert hashlib.sha256(CONTENT).hexdigest() == PUBLISHED["cl100k_base"].sha256
    assert about["unpacked_sha256"] == PUBLISHED["cl100k_base"].sha256
    assert "MIT License" in (SHIPPED / "LICENSE").read_text()
    assert open_encoding("cl100k_base", tmp_path / "own").encode("tiktoken is great!") == GREAT
    assert open_vocabulary("cl100k_base", tmp_path / "own").decode(GREAT) == "tiktoken is great!"
    assert not (tmp_path / "own").exists(), "what ships is not copied"


def test_what_ships_damaged_is_looked_for_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED, tmp_path / "shipped")
    packed = tmp_path / "shipped/cl100k_base.tiktoken.gz"
    monkeypatch.setattr(finding, "SHIPPED", tmp_path / "shipped")
    for damaged in (b"", packed.read_bytes()[:-9], b"no gzip", gzip.compress(CONTENT[:-1])):
        packed.write_bytes(damaged)
        assert find("cl100k_base", tmp_path / "own") is None
    assert find("cl100k_base", put(tmp_path / "own", CONTENT)) == CONTENT


def test_absent_says_which_file_and_where(tmp_path: Path) -> None:
    file = PUBLISHED["r50k_base"].file
    with pytest.raises(BadRequest, match=file) as refused:
        open_vocabulary("r50k_base", tmp_path / "own")
    assert refused.value.code == "vocabulary_unavailable"
    assert "$TIKTOKEN_CACHE_DIR" in refused.value.message
    assert not (tmp_path / "own").exists()


@pytest.mark.usefixtures("unshipped")
@pytest.mark.parametrize("variable", ["TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR", None])
def test_found_in_a_cache_and_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    if variable is None:
        cache = put(tmp_path / "temporary" / "data-gym-cache", CONTENT)
    else:
        cache = put(tmp_path / "cache", CONTENT)
        monkeypatch.setenv(variable, str(cache))
    own = tmp_path / "own"
    assert find("cl100k_base", own) == CONTENT
    assert (own / CL100K).read_bytes() == CONTENT
    (cache / CL100K).unlink()
    assert find("cl100k_base", own) == CONTENT


@pytest.mark.usefixtures("unshipped")
@pytest.mark.parametrize(
    "folder",
    ["litellm/litellm_core_utils/tokenizers", "llama_index/core/_static/tiktoken_cache"],
)
def test_found_in_a_package_that_is_not_imported(tmp_path: Path, folder: str) -> None:
    package = tmp_path / "packages" / folder.split("/")[0]
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    put(tmp_path / "packages" / folder, CONTENT)
    assert find("cl100k_base", tmp_path / "own") == CONTENT
    assert (tmp_path / "own" / CL100K).read_bytes() == CONTENT


@pytest.mark.usefixtures("unshipped")
def test_a_damaged_file_is_passed_over_and_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, own = put(tmp_path / "cache", CONTENT[:-1]), put(tmp_path / "own", b"damaged")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
    assert find("cl100k_base", own) is None
    assert (cache / CL100K).read_bytes() == CONTENT[:-1]
    put(tmp_path / "temporary" / "data-gym-cache", CONTENT)
    assert find("cl100k_base", own) == CONTENT
    assert (own / CL100K).read_bytes() == CONTENT


def test_what_is_no_vocabulary_is_corrupt() -> None:
    for kind in (Vocabulary, Encoding):
        with pytest.raises(Corrupt):
            kind("cl100k_base", b"no rank\n")


def test_decodes_as_tiktoken_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = put(tmp_path / "own", CONTENT)
    vocabulary = open_vocabulary("cl100k_base", own)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(own))
    theirs = tiktoken.get_encoding("cl100k_base")
    known = [id for id in range(theirs.n_vocab + 5) if id in vocabulary]
    assert len(known) == len(theirs._mergeable_ranks) + len(theirs._special_tokens) == 100_261
    assert 100_261 not in vocabulary
    assert -1 not in vocabulary
    texts = ["", "naïve café", "東京 🚀", "def f():\n\treturn 1", "<|endoftext|>"]
    for text in texts:
        ids = theirs.encode(text, allowed_special="all")
        assert vocabulary.decode(ids) == text
    rng = np.random.default_rng(0)
    for _ in range(200):  # half characters among them
        ids = [known[i] for i in rng.integers(0, len(known), 20)]
        assert vocabulary.decode(ids) == theirs.decode(ids)


def test_hashes_and_special_tokens_are_those_of_tiktoken(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(tiktoken_ext.openai_public.__file__).read_text()
    monkeypatch.setattr(tiktoken_ext.openai_public, "load_tiktoken_bpe", lambda *_, **__: {})
    for name, published in PUBLISHED.items():
        assert published.sha256 in source
        theirs = tiktoken_ext.openai_public.ENCODING_CONSTRUCTORS[name]()
        assert published.special == theirs["special_tokens"]


def test_models_read_what_tiktoken_says_they_read() -> None:
    asked = [
        *("gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4.1-nano", "gpt-5-mini", "o1", "o3-mini"),
        *("o4-mini", "gpt-4", "gpt-4-0613", "gpt-3.5-turbo-0125", "babbage-002", "davinci-002"),
        *("text-embedding-ada-002", "text-embedding-3-large", "text-davinci-003"),
        *("text-similarity-ada-001", "text-search-ada-doc-001", "code-search-ada-code-001"),
    ]
    for model in asked:
        assert encoding_of(model) == tiktoken.encoding_name_for_model(model)
    assert encoding_of("builtin-mini") is encoding_of("ft:gpt-4o:acme::x") is None


@functools.cache
def _both(name: str) -> tuple[Encoding, tiktoken.Encoding]:
    return Encoding(name, CONTENT), reference(name)


@pytest.fixture(params=["cl100k_base", "r50k_base", "o200k_base"])  # p50k_base is cut as r50k_base
def both(request: pytest.FixtureRequest) -> tuple[Encoding, tiktoken.Encoding]:
    """Every pattern, with the ranks of one."""
    return _both(request.param)


HOSTILE = [
    *("", " ", "a <|endoftext|> b", "x" * 60 + " y", "It's a  b", "Is it so? Yes.\n\nNo."),
    *(sign * 3_000 for sign in ("a", "ab", " ", "\n", "1", "é", "中", "👍", "=", "aA", " \n")),
    *(
        "I'LL \u0131'\u017f '\u017fK İ'S 'T'RE",
        "ᴀᴮǅǆ Straße",
        "\u200b\u200d\ufeff",
        "a\x00b\x1c c\x85d\u2028e",
    ),
    *(
        "\t \n \r\n  x",
        "12345678 ١٢٣٤ ④⑤½",
        "e\u0301\u0301\u0301",
        "/\n/\r//",
        "\ud83d\ude80 \udcff",
    ),
]


def test_ids_are_those_of_tiktoken(both: tuple[Encoding, tiktoken.Encoding]) -> None:
    """Whatever stands together: every code point, runs, joined tokens, half surrogate pairs."""
    ours, theirs = both
    draw = random.Random(11)
    points = [*map(chr, range(0xD800)), *map(chr, range(0xE000, 0x30000))]
    draw.shuffle(points)
    texts = ["".join(points[at : at + 40]) for at in range(0, len(points), 40)]
    texts += [f"a{point}b {point}1'{point}s" for point in points[:2_000]]
    tokens = [token.decode("utf-8", "ignore") for token in RANKS]
    texts += ["".join(draw.choices(tokens, k=draw.randint(1, 9))) for _ in range(3_000)]
    signs = list("     abS'.1\n\t\r\u00a0\u3000\u2028\x1c\x85\u0301é中👍/\u017f\u0131")
    texts += ["".join(draw.choices(signs, k=draw.randrange(20))) for _ in range(2_000)]
    texts += HOSTILE
    expected = theirs.encode_ordinary_batch(texts, num_threads=2)
    assert [ours.encode(text) for text in HOSTILE] == expected[-len(HOSTILE) :]
    assert ours.counts(texts).tolist() == list(map(len, expected))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_ids_of_any_text_are_those_of_tiktoken(text: str) -> None:
    ours, theirs = _both("cl100k_base")
    assert ours.encode(text) == theirs.encode_ordinary(text)


def test_a_long_text_is_cut_where_no_token_stands(
    both: tuple[Encoding, tiktoken.Encoding], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = both
    monkeypatch.setattr(vocabularies.encoding, "_LONG", 3)
    draw = random.Random(3)
    for _ in range(300):
        text = "".join(draw.choices("  ab'S.1\n\r\té中/", k=60))
        assert ours.encode(text) == theirs.encode_ordinary(text)


def test_counts_do_not_depend_on_how_many_words_are_kept(
    both: tuple[Encoding, tiktoken.Encoding], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = both
    monkeypatch.setattr(vocabularies.encoding, "_MOST_WORDS", 500)
    rng = np.random.default_rng(7)
    signs = list("     abS'.1\n\t\r\u00a0\u3000\u2028\x1c\x85\u0301é中👍/")
    texts = ["".join(rng.choice(signs, rng.integers(0, 14))) for _ in range(4_000)]
    for batch in (texts[:1_000], texts[1_000:], texts):
        counted = [len(theirs.encode_ordinary(text)) for text in batch]
        assert ours.counts(batch).tolist() == counted


def test_an_encoding_that_is_absent_says_so_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="o200k_base, whose file is") as refused:
        open_encoding("o200k_base", tmp_path / "own")
    assert "Nothing is fetched" in refused.value.message
    with pytest.raises(BadRequest, match="known are: cl100k_base"):
        open_encoding("cl200k", tmp_path / "own")
