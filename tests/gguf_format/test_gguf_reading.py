"""The container: what is read is what the `gguf` package reads; what is forged is refused by name,
without taking memory for what a header merely promises."""

import random
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader, GGUFWriter
from gguf_files import ARRAY, STRING, container, key, tensor, text, written

from tunewright.errors import BadRequest
from tunewright.gguf.kinds import Kind
from tunewright.gguf.reading import Reader


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path, numbers = tmp_path / "model.gguf", np.random.default_rng(0)
    writer = GGUFWriter(path, "llama")
    writer.add_uint32("some.number", 7)
    writer.add_float32("some.float", 0.5)
    writer.add_bool("some.flag", True)
    writer.add_array("some.texts", ["a", "", "Grüße"])
    writer.add_array("some.numbers", [1, -2, 3])
    writer.add_tensor("one", numbers.standard_normal((3, 5)).astype(np.float32))
    writer.add_tensor("two", numbers.standard_normal(9).astype(np.float16))
    blocks = numbers.integers(0, 256, (4, 2 * 18), dtype=np.uint8)
    writer.add_tensor("three", blocks, raw_dtype=GGMLQuantizationType.Q4_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_it_reads_what_the_package_reads(file: Path) -> None:
    theirs = GGUFReader(file)
    with Reader(file) as ours:
        assert ours.metadata["some.number"] == 7
        assert ours.metadata["some.float"] == 0.5
        assert ours.metadata["some.flag"] is True
        assert ours.metadata["some.texts"] == ["a", "", "Grüße"]
        assert list(ours.get("some.numbers", np.ndarray)) == [1, -2, 3]
        assert [t.name for t in theirs.tensors] == list(ours.tensors)
        for each in theirs.tensors:
            stored = ours.tensors[each.name]
            assert stored.shape == tuple(reversed(each.shape.tolist()))
            assert ours.rows(each.name).tobytes() == each.data.tobytes()
        assert ours.rows("three", 1, 2).tobytes() == theirs.get_tensor(2).data[1:3].tobytes()
        assert ours.tensors["three"].kind is Kind.Q4_0


FAR = 2**60
ONE = tensor("a", (4,), 0, 0)
FORGED = {
    "another format": (container([], [], magic=b"PK\x03\x04"), "letters GGUF"),
    "big-endian": (container([], [], version=0x03000000), "big-endian"),
    "a version to come": (container([], [], version=4), "version 4"),
    "many keys": (container([], [], key_count=FAR), "announces .* keys"),
    "many tensors": (container([], [], tensor_count=FAR), "announces .* tensors"),
    "a long text": (container([key("k", STRING, struct.pack("<Q", FAR))], []), "the key k"),
    "a long array": (
        container([key("k", ARRAY, struct.pack("<IQ", 4, FAR))], []),
        "the key k has .* items",
    ),
    "an array that ends early": (
        container([key("k", ARRAY, struct.pack("<IQ", STRING, 2**20))], []),
        "the key k would end",
    ),
    "arrays of arrays": (
        container([key("k", ARRAY, struct.pack("<IQ", ARRAY, 1))], []),
        "the key k is an array of arrays",
    ),
    "an unknown type": (container([key("k", 77, b"")], []), "the key k has the type 77"),
    "no UTF-8": (
        container([key("k", STRING, struct.pack("<Q", 1) + b"\xff")], []),
        "the key k is not UTF-8",
    ),
    "a key twice": (container([key("k", 4, bytes(4))] * 2, []), "the key k is there twice"),
    "a key without a name": (container([key("", 4, bytes(4))], []), "the name of key 1"),
    "an odd alignment": (
        container([key("general.alignment", 4, struct.pack("<I", 24))], []),
        "general.alignment",
    ),
    "a tensor twice": (container([], [ONE, ONE], bytes(64)), "the tensor a is there twice"),
    "too many dimensions": (container([], [tensor("a", (1,) * 5, 0, 0)]), "tensor a has 5"),
    "no dimension": (container([], [tensor("a", (), 0, 0)]), "tensor a has 0"),
    "an empty tensor": (container([], [tensor("a", (4, 0), 0, 0)]), "tensor a .* shape"),
    "half a block": (container([], [tensor("a", (33,), 2, 0)], bytes(64)), "tensor a .* blocks"),
    "an unread kind": (container([], [tensor("a", (256,), 10, 0)]), "tensor a .* Q2_K"),
    "an unknown kind": (container([], [tensor("a", (256,), 99, 0)]), "tensor a .* number 99"),
    "beyond the end": (container([], [tensor("a", (4,), 0, FAR)]), "tensor a would end"),
    "more than there is": (container([], [tensor("a", (2**40,), 0, 0)]), "tensor a would end"),
    "between": (container([], [tensor("a", (4,), 0, 4)], bytes(64)), "tensor a begins at 4"),
    "overlap": (
        container([], [tensor("a", (16,), 0, 0), tensor("b", (4,), 0, 32)], bytes(64)),
        "tensors a and b overlap",
    ),
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_file_is_refused_by_name_in_little_memory(tmp_path: Path, kind: str) -> None:
    content, reason = FORGED[kind]
    path = written(tmp_path / "forged.gguf", content)
    tracemalloc.start()
    with pytest.raises(BadRequest, match=reason), Reader(path):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_a_cut_or_damaged_file_never_does_worse_than_being_refused(
    tmp_path: Path, file: Path
) -> None:
    whole, chance = file.read_bytes(), random.Random(3)
    header = whole.index(b"three") + 40
    for end in [
        *range(0, header, 3),
        len(whole) - 17,
    ]:
        path = written(tmp_path / "cut.gguf", whole[:end])
        with pytest.raises(BadRequest, match=r"cut\.gguf"), Reader(path):
            pass
    refused = 0
    for _ in range(1500):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            damaged[chance.randrange(header)] ^= 1 << chance.randrange(8)
        try:
            with Reader(written(tmp_path / "damaged.gguf", bytes(damaged))) as reader:
                for name in reader.tensors:
                    reader.rows(name)
        except BadRequest:
            refused += 1
    assert refused > 700  # the others changed a value, or a letter


def test_the_types_of_values_are_checked(tmp_path: Path) -> None:
    keys = [key("a.text", STRING, text("x")), key("a.flag", 7, b"\x01")]
    with Reader(written(tmp_path / "x.gguf", container(keys, []))) as reader:
        with pytest.raises(BadRequest, match=r"a\.text is not a whole number"):
            reader.get("a.text", int)
        with pytest.raises(BadRequest, match=r"a\.flag is not a whole number"):
            reader.get("a.flag", int)
        with pytest.raises(BadRequest, match=r"a\.number is missing"):
            reader.need("a.number", int)
