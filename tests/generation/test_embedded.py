"""Residents, failures and limits of the embedded generator."""

import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import VOCABULARY, Models, finish, ids_of, make_model, prompt_of

from tunewright import durable
from tunewright.errors import BadRequest, Busy, Corrupt, NotFound, TunewrightError, Unavailable
from tunewright.generation import resident
from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.generation.generator import ModelSpec, Request
from tunewright.generation.resident import Resident


def error_of(generator: EmbeddedGenerator, request: Request) -> TunewrightError | None:
    generator.submit(request)
    pieces = []
    while generator.busy:
        pieces += generator.step()
    assert [piece.last for piece in pieces].count(True) == 1
    return pieces[-1].error


def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the bases as they are loaded."""
    names: list[str] = []
    plain = Resident.__init__

    def noting(self: Resident, directory: Path) -> None:
        names.append(directory.name)
        plain(self, directory)

    monkeypatch.setattr(Resident, "__init__", noting)
    return names


def test_the_least_recently_used_base_makes_room(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, generator = loaded(monkeypatch), EmbeddedGenerator(resident_bases=2)
    for id, name in enumerate(["llama", "gpt2", "llama", "neox", "llama", "gpt2"]):
        finish(generator, Request(id, models(name), [1, 2], max_tokens=2))
    assert names == ["llama", "gpt2", "neox", "gpt2"]


def test_a_base_in_use_stays_and_the_newcomer_waits(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, generator = loaded(monkeypatch), EmbeddedGenerator(resident_bases=1)
    generator.submit(Request(1, models("llama"), [1, 2], max_tokens=8))
    generator.step()
    with pytest.raises(Busy):
        generator.load(models("gpt2"))
    generator.submit(Request(2, models("gpt2"), [1, 2], max_tokens=8))
    generator.submit(Request(3, models("llama"), [1, 2], max_tokens=8))
    pieces = finish(generator)
    assert names == ["llama", "gpt2", "llama"]
    assert len(ids_of(pieces, 2)) == len(ids_of(pieces, 3)) == 8


def test_another_fingerprint_is_loaded_anew(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, generator = loaded(monkeypatch), EmbeddedGenerator()
    base = models("llama").base
    for fingerprint in ("a", "b", "a"):
        generator.load(ModelSpec("m", base, fingerprint=fingerprint))
    assert names == ["llama", "llama"]


def test_adapters_beyond_the_limit_push_out_idle_ones(
    models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "ADAPTERS", 2)
    generator, prompt = EmbeddedGenerator(), prompt_of(6)
    for id, adapter in enumerate([1, 2, 3, 1]):
        spec = models("llama", adapter)
        pieces = finish(generator, Request(id, spec, prompt, max_tokens=6, temperature=0))
        assert ids_of(pieces, id) == models.alone(spec, prompt, 6)


def test_an_unloaded_model_ends_its_rows_and_no_others(
    models: Models, generator: EmbeddedGenerator
) -> None:
    tuned, base = models("llama", 1), models("llama")
    generator.submit(Request(1, tuned, [1, 2, 3], max_tokens=20, temperature=0))
    generator.submit(Request(2, base, [1, 2, 3], max_tokens=20, temperature=0))
    pieces = generator.step()
    generator.unload(tuned.key)
    generator.unload("never loaded")
    while generator.busy:
        pieces += generator.step()
    (error,) = [piece.error for piece in pieces if piece.error]
    assert isinstance(error, NotFound)
    assert ids_of(pieces, 2) == models.alone(base, [1, 2, 3], 20)


@pytest.mark.parametrize(
    ("prompt", "code"),
    [([], None), ([VOCABULARY], None), ([-1], None), ([1] * 400, "context_length_exceeded")],
)
def test_prompts_that_cannot_be_run(
    prompt: list[int], code: str | None, models: Models, generator: EmbeddedGenerator
) -> None:
    error = error_of(generator, Request(1, models("llama"), prompt))
    assert isinstance(error, BadRequest)
    assert error.code == code


def test_generation_ends_with_the_context(models: Models, generator: EmbeddedGenerator) -> None:
    pieces = finish(generator, Request(1, models("llama"), [1] * 395, max_tokens=100))
    assert len(ids_of(pieces, 1)) == 5
    assert pieces[-1].finished == "length"


def test_a_flipped_bit_is_found_and_named(tmp_path: Path, generator: EmbeddedGenerator) -> None:
    base = make_model(tmp_path / "base")
    durable.write_manifest(base)
    generator.load(ModelSpec("good", str(base)))
    weights = base / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-20] ^= 1
    weights.write_bytes(data)
    error = error_of(generator, Request(1, ModelSpec("bad", str(base), fingerprint="x"), [1]))
    assert isinstance(error, Corrupt)
    assert "model.safetensors" in error.message


def test_a_changed_adapter_is_found(
    models: Models, tmp_path: Path, generator: EmbeddedGenerator
) -> None:
    tuned = models("llama", 1)
    assert tuned.adapter is not None
    adapter = shutil.copytree(tuned.adapter, tmp_path / "adapter")
    durable.write_manifest(adapter)
    with (adapter / "adapter_config.json").open("ab") as file:
        file.write(b" ")
    spec = ModelSpec("bad", tuned.base, str(adapter))
    assert isinstance(error_of(generator, Request(1, spec, [1])), Corrupt)
    assert error_of(generator, Request(2, tuned, [1], max_tokens=2)) is None


@pytest.mark.parametrize("damage", ["surplus", "missing", "shape", "cut", "settings"])
def test_a_damaged_adapter_without_a_manifest_is_refused_whole(
    damage: str, models: Models, tmp_path: Path, generator: EmbeddedGenerator
) -> None:
    """And nothing of it stays on the base: mended, it answers as it did."""
    tuned, prompt = models("llama", 1), prompt_of(5)
    assert tuned.adapter is not None
    adapter = shutil.copytree(tuned.adapter, tmp_path / "adapter")
    weights, settings = adapter / "adapter_model.safetensors", adapter / "adapter_config.json"
    whole, said, tensors = weights.read_bytes(), settings.read_bytes(), load_file(weights)
    last = max(tensors)  # the layers before it fit
    if damage == "surplus":
        save_file({**tensors, "surplus": tensors[last].clone()}, weights)
    elif damage == "missing":
        save_file({name: w for name, w in tensors.items() if name != last}, weights)
    elif damage == "shape":
        save_file({**tensors, last: tensors[last][:-1].clone()}, weights)
    elif damage == "cut":
        weights.write_bytes(whole[:-9])
    else:
        settings.write_bytes(b"[]")
    spec = ModelSpec("damaged", tuned.base, str(adapter))
    request = Request(1, spec, prompt, max_tokens=5, temperature=0)
    assert isinstance(error_of(generator, request), Corrupt)
    plain = Request(2, models("llama"), prompt, max_tokens=5, temperature=0)
    assert ids_of(finish(generator, plain), 2) == models.alone(models("llama"), prompt, 5)
    weights.write_bytes(whole)
    settings.write_bytes(said)
    assert ids_of(finish(generator, request), 1) == models.alone(tuned, prompt, 5)


def test_what_is_not_there_is_not_found(
    models: Models, tmp_path: Path, generator: EmbeddedGenerator
) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert isinstance(error_of(generator, Request(1, ModelSpec("a", nowhere), [1])), NotFound)
    spec = ModelSpec("b", models("llama").base, nowhere)
    assert isinstance(error_of(generator, Request(2, spec, [1])), NotFound)


def test_numbers_that_are_not_finite_end_their_row_and_touch_no_other(
    models: Models, generator: EmbeddedGenerator
) -> None:
    spec, good = models("llama"), prompt_of(5) * 6
    expected = models.alone(spec, good, 20)
    # A prompt whose first answer token can be poisoned without the other row meeting it.
    starts = ((bad, models.alone(spec, bad, 1)[0]) for bad in map(prompt_of, range(1, 99)))
    bad, poison = next((b, t) for b, t in starts if t not in {*expected, *good, *b})
    generator.load(spec)
    (place,) = generator._batches.values()
    with torch.no_grad():
        place.batch.resident.model.get_input_embeddings().weight[poison] = float("nan")
    generator.submit(Request(1, spec, bad, max_tokens=9, temperature=0))
    generator.submit(Request(2, spec, good, max_tokens=20, temperature=0))
    pieces = [piece for _ in range(4) for piece in generator.step()]
    assert [type(p.error) for p in pieces if p.error] == [Corrupt]
    generator.submit(Request(3, spec, good[:3], max_tokens=9, temperature=0))
    pieces += finish(generator)
    assert ids_of(pieces, 2) == expected
    assert len(ids_of(pieces, 3)) == 9


def test_a_failing_computation_ends_the_rows_but_not_the_engine(
    models: Models, generator: EmbeddedGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(Resident, "forward", explode)
        error = error_of(generator, Request(1, models("llama"), [1, 2]))
    assert isinstance(error, Unavailable)
    assert error_of(generator, Request(2, models("llama"), [1, 2], max_tokens=2)) is None


def test_what_loading_takes_is_logged(
    models: Models, generator: EmbeddedGenerator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tunewright")
    spec = models("llama")
    generator.load(spec)
    (said,) = [record.getMessage() for record in caplog.records if "ready" in record.msg]
    figures = re.fullmatch(
        rf"{Path(spec.base).name} is ready after (.+) s: weights (.+) s, checks and a first "
        r"pass (.+) s",
        said,
    )
    assert figures
    whole, *parts = map(float, figures.groups())
    assert abs(whole - sum(parts)) < 0.21, "each is rounded to a tenth"
