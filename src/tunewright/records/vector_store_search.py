"""What is asked of a vector store, and what it answers."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, WrapValidator, model_validator

from tunewright.records.record import Record, Request
from tunewright.records.vector_store_files import Attributes

MOST_QUERIES = 64
MOST_CHARACTERS = 32_768  # of one; its tokens are counted when it is embedded
MOST_RESULTS = 50
MOST_WEIGHT = 1000

_Query = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]


class ComparisonFilter(Request):
    """What each operator means: docs/reference.md."""

    type: Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"]
    key: str
    value: str | float | bool | list[str | float | bool]


class CompoundFilter(Request):
    type: Literal["and", "or"]
    filters: list["ComparisonFilter | CompoundFilter"]


# `vectors.filters.parse` reads them, and says what is wrong with one: these classes are its form.
Filters = Annotated[ComparisonFilter | CompoundFilter, WrapValidator(lambda given, _: given)]


class HybridSearch(Request):
    """How much the places of a chunk among the nearest vectors and among the best matches of words
    count (ours here; OpenAI has it in its file_search tool). Not both 0."""

    embedding_weight: Annotated[float, Field(ge=0, le=MOST_WEIGHT)]
    text_weight: Annotated[float, Field(ge=0, le=MOST_WEIGHT)]

    @model_validator(mode="after")
    def _not_both_0(self) -> "HybridSearch":
        if not (self.embedding_weight or self.text_weight):
            raise ValueError("give at least one weight above 0")
        return self


class RankingOptions(Request):
    without_effect: ClassVar[dict[str, str]] = {
        "ranker": "results come in the order of their scores: nothing ranks them a second time"
    }

    ranker: Literal["none", "auto", "default-2024-11-15"] = "auto"
    score_threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    hybrid_search: HybridSearch | None = None


class SearchRequest(Request):
    without_effect: ClassVar[dict[str, str]] = {
        "rewrite_query": "queries are searched word for word; `search_query` has what was searched"
    }

    query: _Query | Annotated[list[_Query], Field(min_length=1, max_length=MOST_QUERIES)]
    filters: Filters | None = None
    max_num_results: Annotated[int, Field(ge=1, le=MOST_RESULTS)] = 10
    ranking_options: RankingOptions = RankingOptions()
    rewrite_query: bool = False

    @property
    def queries(self) -> list[str]:
        return [self.query] if isinstance(self.query, str) else self.query


class TextContent(Record):
    type: Literal["text"] = "text"
    text: str


class SearchResult(Record):
    """`page` and `heading`: where the chunk stands, where its file has such; not on the wire, which
    has no place for it at OpenAI."""

    file_id: str
    filename: str
    score: Annotated[float, Field(ge=0, le=1)]
    attributes: Attributes | None
    content: list[TextContent]
    page: int | None = Field(default=None, exclude=True)
    heading: str | None = Field(default=None, exclude=True)


class SearchResults(Record):
    """`search_query`: what was searched, word for word."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: bool = False
    next_page: str | None = None


class FileContent(Record):
    """The text of a file as it was read, in its order."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[TextContent]
    has_more: bool = False
    next_page: str | None = None
