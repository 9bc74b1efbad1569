"""Puts the tables of docs/databases.json into README.md and docs/databases.md, between their marks.
Run by `make databases-told`, which first has `tests/contracts/test_vector_index.py` write down what
became of every case at every place."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGES = (HERE.parent / "README.md", HERE / "databases.md")
BEGIN, END = "<!-- tested: made by docs/databases.py -->", "<!-- /tested -->"

# place -> the database, and how it was tried
PLACES = {
    "chroma": ("Chroma", "in the process"),
    "chroma-server": ("Chroma", "its server, `chroma run`"),
    "milvus": ("Milvus", "Milvus Lite, in the process"),
    "qdrant": ("Qdrant", "the client's mode without a server"),
    "qdrant-edge": ("Qdrant", "its engine in the process, Qdrant Edge"),
    "postgresql": ("PostgreSQL", "a server"),
    "redis": ("Redis", "a server with its query engine"),
    "redis-sets": ("Redis", "a server without it: vector sets"),
    "zilliz": ("Zilliz", "TLS and token, before Milvus Lite"),
    "qdrant-stub": ("Qdrant", "client against our reading of the server"),
    "pinecone": ("Pinecone", "client against our reading of the server"),
    "typesense": ("Typesense", "client against our reading of the server"),
    "weaviate": ("Weaviate", "client against our reading of the server"),
    "local": ("the embedded index", "in one part"),
    "local, of many parts": ("the embedded index", "in many parts"),
    "local, scanned by faiss": ("the embedded index", "scanned by faiss"),
    "local, scanned by numpy": ("the embedded index", "scanned by numpy"),
    "local, by a graph": ("the embedded index", "by a graph"),
}


def table() -> str:
    told = json.loads((HERE / "databases.json").read_text("utf-8"))
    places = PLACES | {
        one: (one.removeprefix("live-").capitalize(), "a live server")
        for one in told
        if one.startswith("live-")
    }
    lines = [
        "| database | tried | version | cases passed | random filters | disagreements |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(*said, told[place]) for place, said in places.items() if place in told]
    return "\n".join(lines)


def _row(database: str, how: str, found: dict[str, Any]) -> str:
    tried = found["passed"] + found["failed"]
    skipped = "".join(f"; {count} skipped: {why}" for why, count in found["skipped"].items())
    cases = f"{found['passed']} of {tried}{skipped}"
    filters = f"{found['filters']:,} | {found['disagreements']}"
    return f"| {database} | {how} | {found['version'] or '-'} | {cases} | {filters} |"


def page(path: Path) -> str:
    """As it ought to be."""
    text = path.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    for one in PAGES:
        one.write_text(page(one), "utf-8")
