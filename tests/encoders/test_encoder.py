"""An encoder's vectors are what transformers and the model's modules give, one text at a time."""

import gc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import AutoModel

import tiny_encoders
from tunewright import durable, machine
from tunewright.embedding import pooling as reference
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.encoder import Source
from tunewright.embedding.modules import MODES, Pipeline, Pooling
from tunewright.encoders import backbone, precision, resident
from tunewright.encoders import encoder as encoding
from tunewright.encoders.encoder import Encoder
from tunewright.encoders.pooling import pooled
from tunewright.encoders.resident import ResidentEncoders, embedding_device
from tunewright.errors import BadRequest, Corrupt, NotFound, Unavailable
from tunewright.generation.progress import Progress

CPU = torch.device("cpu")
INPUTS = [[2, *range(4, 4 + n), 3] for n in (3, 1, 30, 7, 3, 12)]


def expected(directory: Path, ids: list[int], skip: int = 0, last: bool = False) -> Tensor:
    """[h] of one text, without a batch: mean or last token, of length 1."""
    model = AutoModel.from_pretrained(directory).eval()
    with torch.inference_mode():
        hidden = model(torch.tensor([ids])).last_hidden_state[0]  # [time, h]
    return F.normalize(hidden[-1] if last else hidden[skip:].mean(0), dim=0)


def everything(encoder: Encoder, inputs: list[list[int]]) -> list[np.ndarray]:
    rows: dict[int, np.ndarray] = {}
    for places in encoder.batches(inputs):
        found = encoder.encode([inputs[place] for place in places])
        rows |= dict(zip(places, found, strict=True))
    return [rows[place] for place in range(len(inputs))]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tiny_encoders.bert(tmp_path / "model")


@pytest.mark.parametrize("make", [tiny_encoders.bert, tiny_encoders.qwen])
def test_vectors_are_those_of_each_text_alone(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = make(tmp_path)
    monkeypatch.setattr(encoding, "CPU_TOKENS", 20)  # some batches of several
    encoder = Encoder(directory, Progress(), CPU)
    assert 1 < len(encoder.batches(INPUTS)) < len(INPUTS)
    last = make is tiny_encoders.qwen
    found = everything(encoder, INPUTS)
    for row, ids in zip(found, INPUTS, strict=True):
        np.testing.assert_allclose(row, expected(directory, ids, last=last).numpy(), atol=1e-5)


def test_a_prompt_is_left_out_of_the_pooling_where_the_model_says_so(directory: Path) -> None:
    ids = INPUTS[2]
    whole = Encoder(directory, Progress(), CPU).encode([ids], [4])
    np.testing.assert_allclose(whole[0], expected(directory, ids).numpy(), atol=1e-5)
    settings = durable.read_json(directory / "1_Pooling" / "config.json")
    tiny_encoders.write(
        directory / "1_Pooling" / "config.json", settings | {"include_prompt": False}
    )
    found = Encoder(directory, Progress(), CPU).encode([INPUTS[3], ids], [2, 4])
    np.testing.assert_allclose(found[1], expected(directory, ids, skip=4).numpy(), atol=1e-5)
    np.testing.assert_allclose(found[0], expected(directory, INPUTS[3], skip=2).numpy(), atol=1e-5)


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_pooling_on_the_device_is_that_of_numpy(mode: str, include: bool, directory: Path) -> None:
    hidden = torch.randn(4, 9, 5, dtype=torch.bfloat16)
    mask = torch.arange(9) < torch.tensor([[9], [4], [3], [7]])
    hidden[1, 4:] = torch.nan  # what is padded means nothing
    how = Pooling((mode, "mean"), include)
    skips = [3, 0, 3, 5]
    found = pooled(hidden, mask.long(), how, skips)
    assert found.dtype == torch.float32
    pipeline = Pipeline(directory, "", False, 5, None, False, how, ())
    plain = hidden.float().nan_to_num(0.0).numpy()
    wanted = np.concatenate(
        [
            reference.pooled(plain[[row]], mask.numpy()[[row]], pipeline, skip)
            for row, skip in enumerate(skips)
        ]
    )
    if mode == "max" and not include:  # of no tokens at all: what either gives is never served
        found, wanted = found[[0, 1, 3]], wanted[[0, 1, 3]]
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("ids", "said"), [([-1], "outside 0"), ([99], "outside 0"), ([4] * 65, "65 tokens")]
)
def test_what_it_cannot_read_is_refused(ids: list[int], said: str, directory: Path) -> None:
    encoder = Encoder(directory, Progress(), CPU)
    with pytest.raises(BadRequest, match=said):
        encoder.batches([[4], ids])


def test_where_memory_is_short_a_batch_is_halved(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(directory, Progress(), CPU)
    wanted = everything(encoder, INPUTS)
    plain = backbone.hidden_states
    most = 2

    def short(model: object, ids: Tensor, mask: Tensor) -> Tensor:
        if len(ids) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return plain(model, ids, mask)  # type: ignore[arg-type]

    monkeypatch.setattr(backbone, "hidden_states", short)
    np.testing.assert_allclose(encoder.encode(INPUTS), wanted, atol=1e-6)
    most = 0
    with pytest.raises(Unavailable, match="not enough memory"):
        encoder.encode(INPUTS)


def test_half_the_width_is_taken_only_where_it_holds(tmp_path: Path) -> None:
    """On a CPU too, so that it is tried somewhere; what a GPU does is for bench/gpu."""
    sound = Pipeline.read(tiny_encoders.bert(tmp_path / "sound"))
    model = precision.narrowed(sound, CPU)
    assert model.dtype == torch.float16
    large = tiny_encoders.qwen(tmp_path / "large")
    weights = AutoModel.from_pretrained(large)
    weights.layers[0].mlp.down_proj.weight.data *= 1e9  # beyond float16
    weights.save_pretrained(large)
    model = precision.narrowed(Pipeline.read(large), CPU)
    assert model.dtype in (torch.bfloat16, torch.float32)
    again = AutoModel.from_pretrained(large)
    for (name, found), wanted in zip(model.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(found, wanted.to(model.dtype)), name


def test_a_model_that_was_added_as_fast_is_computed_in_bfloat16(directory: Path) -> None:
    exact = Encoder(directory, Progress(), CPU)
    durable.write_manifest(directory, about=Chosen("torch", precision="fast").about)
    fast = Encoder(directory, Progress(), CPU)
    assert (exact.dtype, fast.dtype) == (torch.float32, torch.bfloat16)
    one, other = exact.encode(INPUTS), fast.encode(INPUTS)
    assert other.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(other, axis=1), 1, atol=1e-6)
    cosines = np.einsum("ij,ij->i", one, other)
    assert 0.999 < cosines.min() < 0.9999999


def test_the_device_is_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident.base, "device", lambda: torch.device("cuda"))
    assert embedding_device().type == "cuda"
    monkeypatch.setenv("TUNEWRIGHT_EMBEDDING_DEVICE", "cpu")
    assert embedding_device().type == "cpu"
    monkeypatch.setenv("TUNEWRIGHT_EMBEDDING_DEVICE", "gpu")
    assert embedding_device().type == "cuda"
    monkeypatch.setattr(resident.base, "device", lambda: CPU)
    with pytest.raises(Unavailable, match="torch finds none"):
        embedding_device()


def test_models_are_kept_until_others_need_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "collect", lambda: 0)  # half a second each
    names = [tiny_encoders.bert(tmp_path / name) for name in "abc"]
    sources = [Source(str(name)) for name in names]
    encoders = ResidentEncoders(Progress(), CPU, most=2)
    first = encoders.load(sources[0])
    assert encoders.fits(sources[1])
    encoders.load(sources[1])
    assert not encoders.fits(sources[2])
    assert encoders.load(sources[0]) is first
    encoders.load(sources[2])
    assert [encoders.holds(source) for source in sources] == [True, False, True]
    encoders.load(Source(str(names[0]), "other content"))
    assert not encoders.holds(sources[0])
    assert encoders.holds(sources[2])
    with pytest.raises(NotFound):
        encoders.load(Source(str(tmp_path / "nowhere")))


def test_models_make_room_where_memory_is_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc, "collect", lambda: 0)
    small, large = (
        Source(str(tiny_encoders.bert(tmp_path / str(wide), wide=wide))) for wide in (16, 128)
    )
    size = sum(file.stat().st_size for file in Path(large.directory).glob("*.safetensors"))
    monkeypatch.setattr(machine, "memory", lambda: 10 * size)
    free = 4 * size
    monkeypatch.setattr(machine, "available_memory", lambda: free)
    encoders = ResidentEncoders(Progress(), CPU)
    encoders.load(small)
    encoders.load(large)
    assert encoders.holds(small)
    free = 2 * size
    again = ResidentEncoders(Progress(), CPU)
    again.load(small)
    assert not again.fits(large)
    again.load(large)  # nothing else is left to drop: it is tried
    assert not again.holds(small)
    assert again.holds(large)


def test_a_changed_file_is_noticed(directory: Path) -> None:
    durable.write_manifest(directory)
    (directory / "1_Pooling" / "config.json").write_text("{}")
    with pytest.raises(Corrupt, match="1_Pooling"):
        Encoder(directory, Progress(), CPU)
