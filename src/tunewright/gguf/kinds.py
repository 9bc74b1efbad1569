"""How a tensor's numbers may be stored, by ggml's own numbers and names."""

from enum import IntEnum

ALIGNMENT = 32  # of tensors in the file, where `general.alignment` does not say


class Kind(IntEnum):
    """The kinds that are read. Rows are cut into blocks that are stored one after the other."""

    F32 = 0
    F16 = 1
    Q4_0 = 2
    Q4_1 = 3
    Q5_0 = 6
    Q5_1 = 7
    Q8_0 = 8
    Q4_K = 12
    Q5_K = 13
    Q6_K = 14
    BF16 = 30

    @property
    def block(self) -> int:
        """Numbers in a block."""
        return _BLOCKS[self][0]

    @property
    def block_bytes(self) -> int:
        return _BLOCKS[self][1]

    @property
    def is_float(self) -> bool:
        return self.block == 1


_BLOCKS = {
    Kind.F32: (1, 4),
    Kind.F16: (1, 2),
    Kind.BF16: (1, 2),
    Kind.Q4_0: (32, 2 + 16),
    Kind.Q4_1: (32, 2 + 2 + 16),
    Kind.Q5_0: (32, 2 + 4 + 16),
    Kind.Q5_1: (32, 2 + 2 + 4 + 16),
    Kind.Q8_0: (32, 2 + 32),
    Kind.Q4_K: (256, 2 + 2 + 12 + 128),
    Kind.Q5_K: (256, 2 + 2 + 12 + 32 + 128),
    Kind.Q6_K: (256, 128 + 64 + 16 + 2),
}

OTHERS = {
    4: "Q4_2", 5: "Q4_3", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS",
    17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S",
    23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M",
    34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
}  # fmt: skip
"""Kinds that are known by name and not read."""


class Value(IntEnum):
    """The types of metadata."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


class TokenType(IntEnum):
    """What a token of `tokenizer.ggml.token_type` is."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6
