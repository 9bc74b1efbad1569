"""Text as it streams."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rendering.models import TOKENIZERS, loaded
from tunewright.rendering import Renderer


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@given(
    text=st.text(st.sampled_from("ab é漢🙂👩‍👧 \nThequick"), max_size=30), chunk=st.integers(1, 5)
)
@settings(max_examples=60, deadline=None)
def test_streamed_text_equals_the_whole(model, tokenizer, text, chunk):
    renderer = loaded(model("chatml", tokenizer))
    ids = [*renderer._tokenizer.encode(text, add_special_tokens=False).ids, renderer.end_id]
    stream = renderer.detokenizer()
    pieces = [stream.push(ids[at : at + chunk]) for at in range(0, len(ids), chunk)]
    assert "".join([*pieces, stream.finish()]) == renderer.decode(ids)
    assert all("\ufffd" not in piece for piece in pieces)


def test_a_character_cut_off_is_dropped_and_junk_does_not_stall(model):
    renderer = Renderer.load(model("chatml"), chat=True)
    ids = renderer._tokenizer.encode("fox \U00010348").ids
    stream = renderer.detokenizer()
    assert stream.push(ids[:-1]) == "fox "
    assert stream.finish() == ""
    junk = renderer.detokenizer()
    said = "".join(junk.push([ids[-1]]) for _ in range(20))
    assert len(said) >= 8
