"""The bytes of single tokens, for the kinds of tokenizers that models have."""

from tokenizers import Tokenizer, decoders, models

from tunewright.builtin import CHAT
from tunewright.rendering.pieces import Pieces


def test_byte_level_tokens_join_to_the_text() -> None:
    tokenizer = Tokenizer.from_file(str(CHAT / "tokenizer.json"))
    pieces = Pieces(tokenizer)
    text = "A caf\u00e9, \u4f60\u597d \U0001f600\n\tend."
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert b"".join(map(pieces.bytes, ids)) == text.encode()
    assert any(len(pieces.bytes(id)) < 4 and pieces.bytes(id)[0] > 0x7F for id in ids)
    assert (pieces.bytes(4), pieces.is_special(4)) == (b"<|end|>", True)
    assert pieces.bytes(999_999) == b""


def test_sentencepiece_tokens_and_their_byte_fallback() -> None:
    vocabulary = {"\u2581a": 0, "b": 1, "<0xE4>": 2, "<0xBD>": 3, "<0xA0>": 4, "<unk>": 5}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    pieces = Pieces(tokenizer)
    assert [pieces.bytes(id) for id in range(3)] == [b" a", b"b", b"\xe4"]
    assert pieces.text([0, 2, 3, 4, 1]) == " a\u4f60b"
    tokenizer.decoder = decoders.Metaspace()
    assert Pieces(tokenizer).bytes(0) == b" a"
