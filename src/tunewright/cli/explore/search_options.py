"""Options of the commands that find rows: search, similar."""

from typing import Annotated, Literal

import typer

Method = Literal["hybrid", "rrf", "vectors", "words"]
Metric = Literal["cosine", "dot", "euclidean"]

TopOption = Annotated[int, typer.Option(min=1, metavar="N", help="How many to show.")]
MethodOption = Annotated[
    Method | None,
    typer.Option(
        help="By vectors (meaning), by words (BM25), or by both: hybrid adds up their scores, rrf "
        "goes by places (reciprocal rank fusion). Not given: hybrid.",
        show_default=False,
    ),
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="COLUMN=VALUE",
        help="Only rows with this value; also != > >= < <=, or a filter of OpenAI's in JSON. Of "
        "several, all must match.",
    ),
]
MetricOption = Annotated[
    Metric | None,
    typer.Option(
        help="How near two vectors are. On vectors of length 1, which these are, all three rank "
        "alike. Not given: cosine.",
        show_default=False,
    ),
]
VarietyOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        metavar="SHARE",
        help="0 to 1: the more, the less alike the rows that are found (maximal marginal "
        "relevance).",
    ),
]
IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="URL",
        help="Search a vector index instead: TABLE is then the name of a collection in it. "
        "local:DIRECTORY, or a database, such as qdrant+http://127.0.0.1:6333.",
        show_default=False,
    ),
]
