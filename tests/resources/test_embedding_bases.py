"""Embedding models of others are added with all that they need, or not at all and with a reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from embedding import sentence_models as made
from tunewright import Tunewright, durable
from tunewright.embedding.chosen import Chosen
from tunewright.errors import BadRequest, TunewrightError

TEXTS = ["The cat sat on the mat.", "a bank raised rates", "dog " * 15, "cat"]


@pytest.fixture(scope="module")
def tw(tmp_path_factory: pytest.TempPathFactory) -> Tunewright:
    return Tunewright(tmp_path_factory.mktemp("home"))


def kept(tw: Tunewright, name: str) -> Path:
    return tw.models.directory(tw.models.weights(name, ("embedding",)))


def expected(texts: list[str], directory: Path) -> np.ndarray:
    """Of the mean of the vectors of a text's tokens and those around it."""
    ids = [each.ids for each in made.tokenizer(directory).encode_batch(texts)]
    rows = np.stack([made.table()[each].mean(0) for each in ids])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_directory_with_subfolders_is_kept_whole_and_answers(
    tw: Tunewright, tmp_path: Path
) -> None:
    source = made.whole(tmp_path / "model")
    made.write(
        source / "config_sentence_transformers.json",
        {"prompts": {"query": "query : "}, "default_prompt_name": None},
    )
    (source / "README.md").write_text("---\nlicense: mit\n---\n")
    (source / "pytorch_model.bin").write_bytes(b"a pickle beside it is left where it is")
    (source / "onnx" / "model_quantized.onnx").write_bytes(b"not used")
    said: list[str] = []
    found = tw.add_base("whole", str(source), say=said.append).base
    assert (found.dimensions, found.context, found.pooling) == (8, 20, "mean")
    assert (found.licence, found.prompts, found.matryoshka) == ("mit", {"query": "query : "}, None)
    assert (found.engine, found.long_inputs, found.agreement) == ("onnx", "average", None)
    directory = kept(tw, "whole")
    durable.verify(directory)
    files = {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}
    assert {"1_Pooling/config.json", "onnx/model.onnx", "modules.json", "manifest.json"} <= files
    assert not any("pytorch" in name or "quantized" in name for name in files)
    assert json.loads((directory / "config.json").read_text())["model_type"] == "bert"
    answer = tw.embeddings.create(model="whole", input=TEXTS)
    vectors = np.array([each.embedding for each in answer.data])
    np.testing.assert_allclose(vectors, expected(TEXTS, tmp_path), atol=1e-6)


@pytest.mark.slow
def test_only_a_graph_and_a_tokenizer_are_enough_where_it_is_called_an_embedding_model(
    tw: Tunewright, tmp_path: Path
) -> None:
    source = made.whole(tmp_path / "model")
    for name in ("modules.json", "config.json"):
        (source / name).unlink()
    shutil.rmtree(source / "1_Pooling")
    said: list[str] = []
    found = tw.add_base("bare", str(source), say=said.append).base
    assert (found.dimensions, found.context) == (8, 8192)
    assert any("the mean of its tokens' vectors is taken" in text for text in said)
    answer = tw.embeddings.create(model="bare", input=TEXTS)
    vectors = np.array([each.embedding for each in answer.data])
    np.testing.assert_allclose(vectors, expected(TEXTS, tmp_path), atol=1e-6)


def test_the_policy_and_the_dimensions_are_of_the_identity(tw: Tunewright, tmp_path: Path) -> None:
    source = made.whole(tmp_path / "model")
    tw.add_base("one", str(source))
    tw.add_base("other", str(source), long_inputs="truncate", matryoshka=[4, 2])
    one, other = (kept(tw, name) for name in ("one", "other"))
    assert durable.fingerprint(one) != durable.fingerprint(other)
    assert durable.manifest(one)["files"] == durable.manifest(other)["files"]
    chosen = Chosen.read(other)
    assert chosen is not None
    assert (chosen.long_inputs, chosen.matryoshka) == ("truncate", (4, 2))
    embedder = tw.embedder(tw.models.weights("other", ("embedding",)), tw.models)
    assert (embedder.declared.prefixes, embedder.declared.sizes) == (True, (4, 2))


def without(name: str) -> Callable[[Path], object]:
    return lambda model: (model / name).unlink()


def rewritten(name: str, value: object) -> Callable[[Path], object]:
    return lambda model: made.write(model / name, value)


def with_weights(model: Path, **tensors: np.ndarray) -> None:
    save_file(tensors, model / "model.safetensors")


def pickled(model: Path) -> None:
    shutil.rmtree(model / "onnx")
    (model / "pytorch_model.bin").write_bytes(b"no")


def with_graph(**how: object) -> Callable[[Path], object]:
    vectors = made.table(**{k: v for k, v in how.items() if k in ("width", "rows")})  # type: ignore[arg-type]
    more = {k: v for k, v in how.items() if k == "beside"}
    return lambda model: made.graph(model / "onnx" / "model.onnx", vectors, **more)  # type: ignore[arg-type]


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no tokenizer": (without("tokenizer.json"), "has no tokenizer.json"),
    "damaged tokenizer": (rewritten("tokenizer.json", {"model": 1}), "tokenizer.json cannot be"),
    "another's tokenizer": (rewritten("config.json", {"vocab_size": 9}), "config.json says 9"),
    "code": (rewritten("config.json", {"auto_map": {"AutoModel": "x.Y"}}), "auto_map"),
    "quantised": (
        rewritten("config.json", {"quantization_config": {"quant_method": "x"}}),
        "is quantised",
    ),
    "pickles only": (pickled, "found pytorch_model.bin"),
    "outside": (rewritten("modules.json", [{"path": "../up", "type": "x"}]), "module x"),
    "no modules": (rewritten("modules.json", []), "is not a list of modules"),
    "pooling of another width": (
        rewritten("1_Pooling/config.json", made.MEAN | {"word_embedding_dimension": 9}),
        "pools vectors of 9 components",
    ),
    "graph of another width": (with_graph(width=9), "have 9 components, and its files say 8"),
    "graph of fewer tokens": (with_graph(rows=7), "cannot be run with the ids of tokenizer.json"),
    "graph that is none": (
        lambda model: (model / "onnx" / "model.onnx").write_bytes(b"no graph"),
        "is not an ONNX file",
    ),
    "graph that leads out": (with_graph(beside="../../secret"), "which is not beside it"),
    "graph that leads to a root": (with_graph(beside="/etc/passwd"), "which is not beside it"),
    "graph without its data": (with_graph(beside="model.onnx_data"), "model.onnx_data is missing"),
    "damaged weights": (
        lambda model: (model / "model.safetensors").write_bytes(b"\x08" + bytes(40)),
        "is broken",
    ),
    "numbers that are none": (
        lambda model: made.graph(model / "onnx" / "model.onnx", made.table() * np.nan),
        "not numbers",
    ),
    "an adapter": (rewritten("adapter_config.json", {}), "holds an adapter"),
    "too short": (rewritten("sentence_bert_config.json", {"max_seq_length": 2}), "too few for a"),
}


# What only a child finds takes a second each.
SLOW = {"damaged tokenizer", "another's tokenizer", "graph of fewer tokens", "too short"}


@pytest.mark.parametrize(
    "broken",
    [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in BROKEN],
)
def test_what_is_broken_is_refused_in_a_sentence_and_nothing_stays(
    tw: Tunewright, tmp_path: Path, broken: str
) -> None:
    change, said = BROKEN[broken]
    change(made.whole(tmp_path / "model"))
    before = sorted((tw.home.root / "bases").iterdir())
    with pytest.raises(TunewrightError) as refused:
        tw.add_base("broken", str(tmp_path / "model"))
    assert isinstance(refused.value, BadRequest)
    assert said in refused.value.message
    assert "\n" not in refused.value.message
    assert "Traceback" not in refused.value.message
    assert sorted((tw.home.root / "bases").iterdir()) == before
    downloads = tw.home.root / "downloads"
    assert not downloads.exists() or list(downloads.iterdir()) == []
    assert "broken" not in [model.id for model in tw.models.list().data]


def test_another_kind_is_refused_for_an_embedding_model(tw: Tunewright, tmp_path: Path) -> None:
    source = made.whole(tmp_path / "model")
    with pytest.raises(BadRequest, match="is an embedding model: its files say so"):
        tw.add_base("chatty", str(source), "chat")
    with pytest.raises(BadRequest, match="cannot be done with long inputs"):
        tw.add_base("cut", str(source), long_inputs="cut")  # type: ignore[arg-type]


def prompted(tmp_path: Path) -> Path:
    source = made.whole(tmp_path / "model")
    made.write(
        source / "config_sentence_transformers.json",
        {
            "prompts": {"query": "query : ", "passage": "passage : "},
            "default_prompt_name": "passage",
        },
    )
    return source


def test_prompts_are_the_default_or_asked_for_by_name(tw: Tunewright, tmp_path: Path) -> None:
    tw.add_base("prompted", str(prompted(tmp_path)))

    def vector(model: str = "prompted", **given: object) -> np.ndarray:
        answer = tw.embeddings.create(model=model, input="The cat", **given)
        assert answer.usage.prompt_tokens == 2
        return np.array(answer.data[0].embedding)

    for given, text in (
        ({}, "passage : The cat"),
        ({"prompt_name": None}, "passage : The cat"),
        ({"prompt_name": "query"}, "query : The cat"),
        ({"prompt_name": ""}, "The cat"),
    ):
        np.testing.assert_allclose(vector(**given), expected([text], tmp_path)[0], atol=1e-6)
    ids = made.tokenizer(tmp_path).encode("The cat", add_special_tokens=False).ids
    [each] = tw.embeddings.create(model="prompted", input=ids).data
    np.testing.assert_allclose(
        each.embedding, expected(["passage : The cat"], tmp_path)[0], atol=1e-6
    )
    with pytest.raises(BadRequest, match=r"has no prompt 'other'. It has: 'query', 'passage'"):
        vector(prompt_name="other")


def test_inputs_beyond_the_context_are_averaged_refused_or_cut(
    tw: Tunewright, tmp_path: Path
) -> None:
    source = prompted(tmp_path)  # 20 tokens, of which the prompt takes two
    for way in ("average", "error", "truncate"):
        tw.add_base(way, str(source), long_inputs=way)  # type: ignore[arg-type]
    text = "cat " * 18 + "dog " * 18
    found = {
        way: tw.embeddings.create(model=way, input=[text, "cat"]) for way in ("average", "truncate")
    }
    parts = expected(["passage : " + "cat " * 18, "passage : " + "dog " * 18], tmp_path)
    mean = parts.mean(0) / np.linalg.norm(parts.mean(0))
    np.testing.assert_allclose(found["average"].data[0].embedding, mean, atol=1e-6)
    np.testing.assert_allclose(found["truncate"].data[0].embedding, parts[0], atol=1e-6)
    assert found["truncate"].usage.prompt_tokens == 37
    with pytest.raises(
        BadRequest, match="maximum context length is 18 tokens, however you req"
    ) as e:
        tw.embeddings.create(model="error", input=["cat", text])
    assert "requested 36 tokens (36 in your prompt; 0 for the completion)" in e.value.message


@pytest.mark.slow
def test_a_prompt_that_leaves_no_room_is_refused_by_name(tw: Tunewright, tmp_path: Path) -> None:
    source = made.whole(tmp_path / "model")
    prompts = {"query": "query : " * 10, "passage": "passage : " * 9}  # of 20 and 18 tokens
    made.write(source / "config_sentence_transformers.json", {"prompts": prompts})
    tw.add_base("wordy", str(source))
    with pytest.raises(BadRequest, match="has 20 tokens, and it reads 20 at once: there is no"):
        tw.embeddings.create(model="wordy", input="cat", prompt_name="query")
    answer = tw.embeddings.create(model="wordy", input="cat dog mat", prompt_name="passage")
    assert answer.usage.prompt_tokens == 3  # in two chunks


@pytest.mark.slow
def test_only_declared_dimensions_are_given(tw: Tunewright, tmp_path: Path) -> None:
    source = made.whole(tmp_path / "model", matryoshka_dimensions=[2, 4])
    assert tw.add_base("nested", str(source)).base.matryoshka == [2, 4]
    whole, short = (
        np.array(tw.embeddings.create(model="nested", input="The cat", **given).data[0].embedding)
        for given in ({}, {"dimensions": 4})
    )
    np.testing.assert_allclose(short, whole[:4] / np.linalg.norm(whole[:4]), atol=1e-6)
    with pytest.raises(BadRequest, match=r"3 is not among those .* \(2, 4\)"):
        tw.embeddings.create(model="nested", input="The cat", dimensions=3)
    tw.add_base("plain", str(made.whole(tmp_path / "plain")))
    with pytest.raises(BadRequest, match="does not support specifying dimensions"):
        tw.embeddings.create(model="plain", input="The cat", dimensions=4)


@pytest.mark.slow
def test_a_prompt_that_is_not_pooled_counts_for_nothing_but_what_it_does_to_the_rest(
    tw: Tunewright, tmp_path: Path
) -> None:
    """Here tokens do not see each other, so nothing is left of it."""
    source = prompted(tmp_path)
    made.write(source / "1_Pooling" / "config.json", made.MEAN | {"include_prompt": False})
    tw.add_base("instructed", str(source))
    answer = tw.embeddings.create(model="instructed", input=["The cat", "passage : dog"])
    ids = made.tokenizer(tmp_path).encode_batch(["The cat", "passage : dog"])
    # [CLS] passage : are left out, and of the second text what it says itself stays.
    rows = [made.table()[each.ids[1:]].mean(0) for each in ids]
    expected = np.stack([row / np.linalg.norm(row) for row in rows])
    found = np.array([each.embedding for each in answer.data])
    np.testing.assert_allclose(found, expected, atol=1e-6)
