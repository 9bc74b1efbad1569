"""Chunks cover the text, hold their bounds, know their place, and end where a reader would."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tunewright.builtin
from tunewright.documents import Chunk, Document, Mark, chunks_of
from tunewright.documents.document import Draft
from tunewright.documents.markdown import headings, read_markdown
from tunewright.embedding import open_embedder

EMBEDDER = open_embedder(Path(tunewright.builtin.__file__).parent / "mini", verify=False)
PROSE = (
    "We ordered the blue model in March and waited eleven days for it. The printer answers again. "
)
HARD = st.text(
    st.one_of(
        st.sampled_from("abc.!\n\n#。\r\té\u0301\u200d👩🏽🇩🇪東\x00\x85\u2028٣"),
        st.sampled_from(" \n."),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=400,
)


def chunked(
    text: str, size: int = 100, overlap: int = 50, marks: Sequence[Mark] = ()
) -> list[Chunk]:
    return list(chunks_of(Document("text", text, marks), EMBEDDER, size, overlap))


def check(text: str, chunks: Sequence[Chunk], size: int, overlap: int) -> None:
    whole, read, start = text.encode(), 0, -1
    for chunk in chunks:
        assert whole[chunk.start : chunk.end].decode() == chunk.text == chunk.text.strip() != ""
        assert [chunk.tokens] == EMBEDDER.count([chunk.text])
        assert chunk.tokens <= size
        assert chunk.start > start, "each begins behind the one before"
        assert not whole[read : chunk.start].decode().strip(), "what is between them is blank"
        shared = whole[chunk.start : max(read, chunk.start)].decode()
        assert EMBEDDER.count([shared])[0] <= overlap + 8
        start, read = chunk.start, max(read, chunk.end)
    assert not whole[read:].decode().strip()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(HARD, max_size=8), st.integers(1, 4), st.sampled_from([(100, 50), (100, 0), (130, 7)])
)
def test_any_text_is_covered_and_no_bound_is_broken(
    parts: list[str], times: int, sizes: tuple[int, int]
) -> None:
    text = "".join(parts) * times
    check(text, chunked(text, *sizes), *sizes)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 10_000,
        "x" + "\n" * 60_000 + "y",
        "." * 20_000,
        "ab cd " * 8000,
        "東京の天気は明日晴れるでしょう" * 300,
        "👩‍👩‍👧‍👦" * 2000,
        "a" + "\u0301" * 20_000,
        "x\n" * 3000,
        "# " * 3000,
    ],
    ids=[
        "one word",
        "newlines",
        "stops",
        "no sentence",
        "CJK",
        "emoji",
        "accents",
        "lines",
        "signs",
    ],
)
def test_texts_without_any_good_place(text: str) -> None:
    chunks = chunked(text)
    check(text, chunks, 100, 50)
    assert max(len(chunk.text) for chunk in chunks) <= 100 * 32


def test_pieces_are_read_a_few_times_at_most() -> None:
    """Linear: twice the text takes twice the counting."""
    read = 0

    class Counting:
        def count(self, texts: Sequence[str]) -> list[int]:
            nonlocal read
            read += sum(map(len, texts))
            return EMBEDDER.count(texts)

    for text in ("a b " * 4000, "\n" * 40_000 + "x", "." * 8000, PROSE * 200):
        read = 0
        list(chunks_of(Document("text", text), Counting(), 100, 50))
        assert read <= 7 * len(text)


def test_a_short_text_is_one_chunk_and_a_blank_one_none() -> None:
    assert [chunk.text for chunk in chunked("  Short.\n\nYes. \n")] == ["Short.\n\nYes."]
    assert chunked(" \n\n ") == []


def test_chunks_end_and_begin_with_sentences() -> None:
    chunks = chunked(PROSE * 40)
    assert len(chunks) > 10
    assert all(chunk.text.endswith(".") for chunk in chunks)
    assert all(chunk.text.startswith(("We ordered", "The printer")) for chunk in chunks)
    assert all(chunk.tokens > 70 for chunk in chunks)


def test_a_chunk_ends_before_a_heading_that_lies_in_its_second_half() -> None:
    sections = [f"# Part {n}\n\n{PROSE * 3}\n\n" for n in range(6)]  # 65 tokens or so each
    draft = Draft("Markdown", "x.md")
    read_markdown("".join(sections), draft)
    document = draft.document()
    chunks = list(chunks_of(document, EMBEDDER, 100, 0))
    assert [chunk.text.split("\n")[0] for chunk in chunks] == [f"# Part {n}" for n in range(6)]
    assert [chunk.heading for chunk in chunks] == [f"Part {n}" for n in range(6)]


def test_each_knows_page_and_heading_where_it_begins() -> None:
    text = PROSE * 30
    third = len(PROSE) * 10
    marks = [Mark(0, 1, None), Mark(third, 2, "Install"), Mark(2 * third, 3, "Install > Linux")]
    for chunk in chunked(text, 100, 0, marks):
        place = text.encode()[: chunk.start].decode()
        mark = marks[len(place) // third]
        assert (chunk.page, chunk.heading) == (mark.page, mark.heading)


def test_no_character_is_divided() -> None:
    flags, family, accents = "🇩🇪🇫🇷" * 1500, "👩‍👩‍👧‍👦" * 800, "e\u0301o\u0308" * 900
    for text, width in ((flags, 2), (family, 7), (accents, 2)):
        starts = [len(text.encode()[: chunk.start].decode()) for chunk in chunked(text)]
        assert len(starts) > 1
        assert [start % width for start in starts] == [0] * len(starts)


@pytest.mark.parametrize(("size", "overlap"), [(100, 51), (100, -1)])
def test_an_overlap_beyond_half_is_refused(size: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        chunked("x", size, overlap)


def test_headings_of_markdown() -> None:
    text = (
        "Title\n=====\n\nText\n## Two ##\n```sh\n# not one\n```\n    # nor this\n#nor this\n"
        "C#\n---\n~~~\n# no\n```\n# no\n~~~~\n###### Six\n# \n- item\n---\n# a#\n"
    )
    found = [(level, heading) for _, level, heading in headings(text)]
    assert found == [
        *[(1, "Title"), (2, "Two"), (2, "C#"), (6, "Six"), (1, ""), (1, "a#")],
    ]
    assert all(text[at:].startswith(("Title", "#", "C#")) for at, _, _ in headings(text))


def test_a_heading_stands_after_those_above_it() -> None:
    draft = Draft("Markdown", "x.md")
    read_markdown("# A\n## B\n### C\n## D\n# E\n", draft)
    found = [mark.heading for mark in draft.document().marks]
    assert found == ["A", "A > B", "A > B > C", "A > D", "E"]
