"""Embeddings over HTTP: what may be sent, what is refused in which words, what comes back."""

import base64
import shutil
import struct
from pathlib import Path

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient
from tokenizers import Tokenizer

from servers import Server
from tunewright import Tunewright, builtin, durable
from tunewright.api.application import create_api
from tunewright.api.unread import Unread
from tunewright.catalog.catalog import SHARED
from tunewright.errors import BadRequest
from tunewright.records.embeddings import EmbeddingRequest
from tunewright.records.models import Model, Weights
from tunewright.resources.aliases import EMBEDDING, FIRST_EMBEDDING
from tunewright.settings import DEFAULT_ALIASES, Settings
from tunewright.vocabularies import open_encoding

ADA = "text-embedding-ada-002"
OWN = "builtin-static"
DEFAULT = "builtin-mini"  # what OpenAI's names stand for
GREAT = [83, 1609, 5963, 374, 2294, 0]  # "tiktoken is great!" in cl100k_base
SIZE = 30_522


def embed(server: Server, input: object, model: str = OWN, **more: object) -> httpx.Response:
    return server.http.post("/embeddings", json={"model": model, "input": input, **more})


def vectors(answer: httpx.Response) -> np.ndarray:
    assert answer.status_code == 200, answer.text
    assert [item["index"] for item in answer.json()["data"]] == list(
        range(len(answer.json()["data"]))
    )
    return np.array([item["embedding"] for item in answer.json()["data"]])


@pytest.fixture(scope="module")
def own_ids():
    tokenizer = Tokenizer.from_file(str(builtin.STATIC / "tokenizer.json"))
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def test_every_name_of_openai_embeds_and_is_echoed(server: Server) -> None:
    expected = vectors(embed(server, "a b c", DEFAULT))
    for name in (*EMBEDDING, *FIRST_EMBEDDING):
        answer = embed(server, "a b c", name)
        np.testing.assert_array_equal(vectors(answer), expected)
        assert answer.json()["model"] == name


def test_ids_of_the_models_own_vocabulary(server: Server, own_ids) -> None:
    texts = ["The cat sat on the mat.", "Interest rates"]
    ids = [own_ids(text) for text in texts]
    answer = embed(server, ids)
    np.testing.assert_allclose(vectors(answer), vectors(embed(server, texts)), atol=1e-6)
    assert answer.json()["usage"]["prompt_tokens"] == sum(map(len, ids))
    one = embed(server, ids[0])
    np.testing.assert_allclose(vectors(one)[0], vectors(answer)[0], atol=1e-6)
    assert one.json()["usage"]["total_tokens"] == len(ids[0])
    assert embed(server, [SIZE - 1]).status_code == 200


def test_ids_under_openais_names_are_cl100k(server: Server) -> None:
    expected = vectors(embed(server, "tiktoken is great!", DEFAULT))
    for name in EMBEDDING:
        for ids, rows in ((GREAT, 1), ([GREAT, GREAT], 2)):
            answer = embed(server, ids, name)
            np.testing.assert_allclose(
                vectors(answer), np.repeat(expected, rows, axis=0), atol=1e-6
            )
            assert answer.json()["usage"]["prompt_tokens"] == 6 * rows
    assert len(vectors(embed(server, GREAT * 1365, ADA))) == 1  # 8,190, as their client cut it
    for unknown in (100_261, 100_277, 2**40):
        check(embed(server, [GREAT, [5, unknown]], ADA), f"token {unknown} is not among")


def check(answer: httpx.Response, message: str, code: str | None = None) -> None:
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert (error["param"], error["code"]) == ("input", code), error
    assert message in error["message"], error


def test_ids_without_the_vocabulary_are_refused_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tunewright.vocabularies.finding.places", lambda: iter(()))
    tw = Tunewright(tmp_path / "home")
    for name in FIRST_EMBEDDING:
        with pytest.raises(BadRequest, match="Or send the text") as refused:
            tw.embeddings.create(model=name, input=GREAT)
        assert refused.value.code == "vocabulary_unavailable"
    assert tw.embeddings.create(model=OWN, input=[2003, 2009]).usage.prompt_tokens == 2


THAI, EMOJI = "บริการแย่มาก", "\U0001f44d \U0001f9ff"


@pytest.mark.parametrize("model", [OWN, "builtin-mini", ADA])
def test_what_a_model_cannot_read_is_counted_or_refused(server: Server, model: str) -> None:
    read = embed(server, ["A kitten sat.", "naïve café"], model)
    assert "tunewright-unknown-tokens" not in read.headers
    partly = embed(server, ["Good \U0001f44d", "It is ฿", "plain"], model)
    assert partly.headers["tunewright-unknown-tokens"] == "2"
    for text in (THAI, EMOJI, "\u200b\x00"):
        one = embed(server, text, model)
        assert one.status_code == 400
        error = one.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", "input")
        assert error["code"] == "unreadable_input"
        assert "multilingual" in error["message"]
    second = embed(server, ["fine", EMOJI, THAI], model).json()["error"]
    assert second["param"] == "input[1]"
    assert "(and 1 more)" in second["message"]
    assert embed(server, [" ", "\n"], model).status_code == 200  # nothing of a blank is lost
    log = server.log.read_text()
    base = partly.headers["tunewright-model"]
    assert f"{base} (asked for as" in log


def test_the_log_says_once_a_minute_what_was_not_read() -> None:
    unread = Unread()
    said = [unread.take("mini", 1, 10, now) for now in (5.0, 6.0, 64.9, 65.0, 66.0)]
    assert [since and (since.requests, since.unknown, since.tokens) for since in said] == [
        (1, 1, 10),
        None,
        None,
        (3, 3, 30),
        None,
    ]
    assert unread.take("static", 1, 10, 66.0), "each model by itself"


def test_a_setting_lets_unreadable_texts_through(tmp_path: Path) -> None:
    tw = Tunewright(settings=Settings.read(tmp_path / "home", unknown_text="allow"))
    made = tw.embeddings.create(model=OWN, input=[THAI, EMOJI])
    assert made.data[0].embedding == made.data[1].embedding  # which is why they are refused
    embedded = tw.embeddings.embed(EmbeddingRequest(model=OWN, input=["a", THAI]))
    assert (embedded.unknown[1] > 0, embedded.unreadable) == (True, [1])
    tw.close()


LONG = "It is what the customer said of the battery: good, but not for long."


def test_ids_of_openais_under_another_name_are_refused(server: Server, own_ids) -> None:
    """Taken for the model's own, they would be another text."""
    encoding = open_encoding("cl100k_base", Path())
    texts = ["dogs and cats", LONG, f"{LONG[:40]}."]
    for text in texts:
        ids = encoding.encode(text)
        for sent in (ids, [ids, ids]):
            refused = embed(server, sent, "builtin-mini")
            check(refused, "check_embedding_ctx_length=False", "foreign_token_ids")
        assert embed(server, ids, ADA).status_code == 200
    check(embed(server, [83, 100_000]), "cl100k_base", "foreign_token_ids")
    cls, sep = 101, 102
    for text in (*texts, "unaffordable", "he said: 'no'", "Привет, 東京 and Αθήνα", "naïve 东京"):
        ids = own_ids(text)
        for own in (ids, [cls, *ids, sep], [ids, ids[1:]], ids[1:] or ids):
            assert embed(server, own).status_code == 200, text


@pytest.mark.parametrize(
    ("input", "reason"),
    [
        ("", "must not be an empty string"),
        ([], "must not be an empty array"),
        (None, "must be a string"),
        (3, "must be a string"),
        (True, "must be a string"),
        ({"text": "a"}, "must be a string"),
        (["a", ""], "'$.input[1]' is an empty string"),
        (["a", 1], "'$.input[1]' is not a string"),
        (["a", [1]], "'$.input[1]' is not a string"),
        (["a", None], "'$.input[1]' is not a string"),
        ([None], "'$.input[0]' is not a string"),
        ([1.5], "'$.input[0]' is not a string"),
        ([1, "a"], "'$.input[1]' is not a token id"),
        ([1, 2.0], "'$.input[1]' is not a token id"),
        ([1, True], "'$.input[1]' is not a token id"),
        ([True], "'$.input[0]' is not a token id"),
        ([3, -1], "'$.input[1]' is not a token id"),
        ([[1], []], "'$.input[1]' is an empty array"),
        ([[]], "'$.input[0]' is an empty array"),
        ([[1], "a"], "'$.input[1]' is not an array"),
        ([[1], 2], "'$.input[1]' is not an array"),
        ([[1, -2]], "'$.input[0][1]' is not a token id"),
        ([[1, [2]]], "'$.input[0][1]' is not a token id"),
        ([SIZE], f"token {SIZE} is not among"),
        ([[0], [2**63]], f"token {2**63} is not among"),
    ],
    ids=repr,
)
def test_bad_inputs(server: Server, input: object, reason: str) -> None:
    answer = embed(server, input)
    check(answer, reason)
    message = answer.json()["error"]["message"]
    assert message.startswith("'$.input' is invalid. ")
    assert message.endswith(
        "Please check the API reference: https://platform.openai.com/docs/api-reference."
    )


TOO_LONG = (
    "This model's maximum context length is 8192 tokens, however you requested {0} tokens ({0} in "
    "your prompt; 0 for the completion). Please reduce your prompt; or completion length."
)
TOO_MANY = "Requested {0} tokens, max 300000 tokens per request."


@pytest.mark.parametrize("unit", ["word ", 7])
def test_limits_of_tokens(server: Server, unit: str | int) -> None:
    def long(count: int):
        return unit * count if isinstance(unit, str) else [unit] * count

    fits = embed(server, long(8192))
    assert fits.status_code == 200
    assert fits.json()["usage"]["total_tokens"] == 8192
    check(embed(server, long(8193)), TOO_LONG.format(8193))
    check(embed(server, [long(3), long(9000)]), TOO_LONG.format(9000))
    assert embed(server, [long(7500)] * 40).json()["usage"]["total_tokens"] == 300_000
    check(
        embed(server, [long(7500)] * 39 + [long(7501)]),
        TOO_MANY.format(300_001),
        "max_tokens_per_request",
    )


def test_2048_inputs_and_no_more(server: Server) -> None:
    for item in ("a", [7]):
        assert len(vectors(embed(server, [item] * 2048))) == 2048
        check(embed(server, [item] * 2049), "maximum length 2048", "array_above_max_length")


@pytest.mark.parametrize("text", ["word " * 250_000, "\u6771" * 2_000_000, "word " * 20_000])
def test_what_is_far_too_long_is_refused_before_it_fills_the_memory(
    server: Server, text: str
) -> None:
    """The tokenizer would take 465 bytes for each token."""
    check(embed(server, text), TOO_LONG.format("more than 8192"))
    check(embed(server, ["a", text]), TOO_LONG.format("more than 8192"))


def test_a_long_text_of_few_tokens_is_embedded(server: Server) -> None:
    answer = embed(server, "x" * 500_000 + " cat")
    assert answer.json()["usage"]["total_tokens"] == 2
    np.testing.assert_allclose(vectors(answer), vectors(embed(server, "cat")), atol=1e-6)


@pytest.mark.parametrize("format", ["float", "base64", None])
def test_fewer_dimensions_are_the_first_ones_scaled(server: Server, format: str | None) -> None:
    texts = ["The cat sat on the mat.", "Interest rates"]
    whole = vectors(embed(server, texts, DEFAULT))
    for dimensions in (1, 64, 384):
        answer = embed(server, texts, ADA, dimensions=dimensions, encoding_format=format)
        found = [item["embedding"] for item in answer.json()["data"]]
        if format == "base64":
            found = [struct.unpack(f"<{dimensions}f", base64.b64decode(each)) for each in found]
        cut = whole[:, :dimensions]
        expected = cut / np.linalg.norm(cut, axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("dimensions", "code"),
    [
        (385, "integer_above_max_value"),
        (1536, "integer_above_max_value"),
        (0, "integer_below_min_value"),
        (-1, "integer_below_min_value"),
        (1.5, "invalid_type"),
        ("64", "invalid_type"),
        (True, "invalid_type"),
    ],
)
def test_dimensions_that_cannot_be(server: Server, dimensions: object, code: str) -> None:
    error = embed(server, "a", ADA, dimensions=dimensions).json()["error"]
    assert (error["param"], error["code"]) == ("dimensions", code)
    if code == "integer_above_max_value":
        assert f"`{ADA}` has 384 dimensions" in error["message"]


def test_user_and_nulls_have_no_effect(server: Server) -> None:
    plain = embed(server, "a").content
    nulls = {"user": "someone", "dimensions": None, "encoding_format": None}
    assert embed(server, "a", **nulls).content == plain


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """A server, in this process, with a model that reads 8 tokens at once and knows two sides."""
    home = tmp_path_factory.mktemp("short") / "home"
    aliases = {**DEFAULT_ALIASES, "text-search-*": "short"}
    tw = Tunewright(settings=Settings.read(home, aliases=aliases))
    model = shutil.copytree(builtin.STATIC, home / "bases" / "short")
    prompts = {"query": "question ", "document": "passage "}
    config = {"engine": "static", "dimensions": 256, "context": 8, "prompts": prompts}
    durable.write_json(model / "config.json", config)
    durable.write_manifest(model)
    shelf = tw.catalog.shelf(SHARED)
    shelf.put(Model(id="short", owned_by="tunewright"))
    shelf.put(
        Weights(
            id="short",
            kind="embedding",
            base="short",
            base_directory="bases/short",
            base_fingerprint=durable.fingerprint(model),
        )
    )
    key = tw.access.first_key(tw.owner)
    headers = {"authorization": f"Bearer {key}"}
    return TestClient(create_api(tw), "http://127.0.0.1/v1", headers=headers)


def ask(client: TestClient, input: object, model: str = "short", **more: object) -> httpx.Response:
    return client.post("embeddings", json={"model": model, "input": input, **more})


def test_what_a_model_cannot_read_at_once_is_averaged_and_a_header_says_so(
    short: TestClient,
) -> None:
    answer = ask(short, ["cat " * 8, "cat " * 9 + "dog " * 9, "dog " * 100])
    assert answer.headers["tunewright-chunked-inputs"] == "2"
    assert answer.json()["usage"]["prompt_tokens"] == 126
    # 18 tokens in three chunks of six: cats, three of each, dogs.
    parts = vectors(ask(short, ["cat " * 6, "cat " * 3 + "dog " * 3, "dog " * 6]))
    mean = parts.sum(0) / np.linalg.norm(parts.sum(0))
    np.testing.assert_allclose(vectors(answer)[1], mean, atol=1e-6)
    assert "tunewright-chunked-inputs" not in ask(short, "cat " * 8).headers
    assert ask(short, "cat " * 8193).status_code == 400


def test_the_sides_of_a_search_are_the_models_prompts(short: TestClient) -> None:
    plain, query, document = (
        vectors(ask(short, text))[0] for text in ("cat", "question cat", "passage cat")
    )
    answer = ask(short, "cat", "text-search-ada-query-001")
    np.testing.assert_allclose(vectors(answer)[0], query, atol=1e-6)
    assert answer.json()["usage"]["prompt_tokens"] == 1
    found = vectors(ask(short, "cat", "text-search-davinci-doc-001"))[0]
    np.testing.assert_allclose(found, document, atol=1e-6)
    np.testing.assert_array_equal(vectors(ask(short, "cat"))[0], plain)
    assert not np.allclose(query, document, atol=0.01)


def test_a_model_whose_beginning_means_nothing_keeps_its_dimensions(short: TestClient) -> None:
    error = ask(short, "cat", dimensions=64).json()["error"]
    assert error["param"] == "dimensions"
    assert "`short` have 256" in error["message"]
    assert ask(short, "cat", dimensions=256).status_code == 200


def test_an_engine_that_fails_is_503_and_the_next_request_is_answered(
    short: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise IndexError("list index out of range")

    whole = vectors(ask(short, "cat"))
    for input in ("cat", ["cat"] * 200):  # one is answered at once, the other by turns
        with monkeypatch.context() as patch:
            patch.setattr("tunewright.embedding.static.StaticEmbedder.embed_tokens", fails)
            refused = ask(short, input)
        assert refused.status_code == 503
        assert refused.json()["error"]["type"] == "server_error"
        assert "engine" in refused.json()["error"]["message"]
        assert "index" not in refused.json()["error"]["message"], "that is for the log"
    np.testing.assert_array_equal(vectors(ask(short, "cat")), whole)
