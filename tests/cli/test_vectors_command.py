"""`tunewright vectors`: from files to what is found in them, beside a running server."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from servers import Server
from tunewright import Tunewright
from tunewright.cli.attributes import attributes, filters
from tunewright.cli.commands import app
from tunewright.errors import BadRequest
from tunewright.vectors import open_index

Run = Callable[..., str]
TEA = "# Tea\n\nSteep green tea for two minutes.\n\n## Black tea\n\nBlack tea takes four minutes.\n"
TRAINS = "# Trains\n\nThe night train leaves at ten in the evening.\n"


@pytest.fixture
def run(server: Server) -> Run:
    """``run("create", "x")``: the standard output, and the messages or the error beside it."""

    def run(*arguments: str, code: int = 0) -> str:
        words = ["vectors", *arguments, "--home", str(server.home)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == code, f"{done.output}\n{done.exception!r}"
        exited = isinstance(done.exception, SystemExit)
        return done.stdout + ("" if code == 0 or exited else f"{done.stderr}{done.exception}")

    return run


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "tea.md").write_text(TEA)
    (tmp_path / "trains.md").write_text(TRAINS)
    return [str(tmp_path / "tea.md"), str(tmp_path / "trains.md")]


def made(run: Run, name: str) -> str:
    return run("create", name, "--model", "builtin-static").strip()


def lose_vectors(server: Server, store: str, file: str) -> None:
    """As a fault would: of a file whose chunks are there."""
    with closing(Tunewright(server.home)) as tw:
        ids = [chunk.id for chunk in tw.contents.chunks(store).of(file)]
        tw.contents.index.delete(store, ids=ids)


def test_from_files_to_answers(run: Run, files: list[str], server: Server) -> None:
    given = ("--model", "builtin-static", "--description", "drinks", "--expires-after", "3")
    store = json.loads(run("create", "kitchen", *given, "--json"))
    assert (store["description"], store["embedding"]["model"]) == ("drinks", "builtin-static")
    assert store["expires_after"] == {"anchor": "last_active_at", "days": 3}
    tea, trains = files
    said = run("add", "kitchen", tea, "--attribute", "year=2024", "--attribute", "lang=en")
    assert said.startswith(f"{store['id']} has 1 file, ")
    cut = ("--chunk-tokens", "200", "--chunk-overlap", "10")
    both = json.loads(run("add", store["id"], trains, *cut, "--attribute", "year=2020", "--json"))
    assert both["file_counts"]["completed"] == 2
    [newest] = json.loads(run("list", "kitchen", "--limit", "1", "--json"))["data"]
    sizes = newest["chunking_strategy"]["static"]
    assert sizes == {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 10}
    assert newest["attributes"] == {"year": 2020}
    assert "year=2024, lang=en" in run("list", "kitchen")
    assert store["id"] in run("list")

    first = run("search", "kitchen", "a train at night").splitlines()[0]
    assert first.endswith("trains.md: Trains")
    assert 0 < float(first.split()[0]) <= 1
    old = run("search", "kitchen", "a train at night", "--filter", "year>=2024", "--top", "1")
    assert "tea.md: Tea" in old
    assert "night" not in old
    both = json.loads(run("search", "kitchen", "evening", "--hybrid", "--top", "1", "--json"))
    assert both["data"][0]["filename"] == "trains.md"
    nothing = ("--filter", "lang=en", "--filter", "year<2024")
    assert run("search", "kitchen", "tea", *nothing) == ""
    assert run("search", "kitchen", "tea", "--threshold", "1") == ""

    said = run("verify", "kitchen", "--queries", "2")
    assert "has 2 vectors." in said
    assert "recall@1 1.0000 (95 % interval 0.3424 to 1.0000), by 2 queries" in said
    lose_vectors(server, store["id"], newest["id"])
    assert "1 chunk has no vector. Add its files again: " in run("verify", "kitchen", code=1)
    found = json.loads(run("verify", "kitchen", "--json", code=1))
    assert (found["vectors"], found["chunks_without_vector"]) == (1, 1)

    assert newest["id"] in run("delete", "kitchen", newest["id"])
    said = run("reembed", "kitchen", "--model", "text-embedding-3-small")
    assert said == f"{store['id']} has 1 vector by builtin-mini.\n"
    assert "by `builtin-mini` already" in run(
        "reembed", "kitchen", "--model", "builtin-mini", code=1
    )
    assert "train" not in run("search", "kitchen", "a train at night")
    run("delete", "kitchen")
    assert "There is no vector store kitchen." in run("list", "kitchen", code=1)


def test_what_cannot_be_read_is_named_and_the_rest_is_there(
    run: Run, files: list[str], tmp_path: Path
) -> None:
    id, broken = made(run, "broken"), tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0")
    said = run("add", id, str(broken), *files, code=1)
    assert "1 file of 3 could not be read." in said
    assert f"{broken}: " in said
    assert len(json.loads(run("search", id, "tea", "--json"))["data"]) == 2


def test_nothing_is_uploaded_where_a_file_is_not_there(
    run: Run, files: list[str], server: Server, tmp_path: Path
) -> None:
    before = server.http.get("/files", params={"limit": 1}).json()
    id = made(run, "unchanged")
    assert "There is no file none.md." in run("add", id, files[0], "none.md", code=1)
    assert f"{tmp_path} is a folder." in run("add", id, str(tmp_path), code=1)
    assert "No such File object: file-none" in run("add", id, files[0], "file-none", code=1)
    wanted = server.upload(b'{"a": 1}\n')  # of another purpose
    refused = run("add", id, files[0], wanted, code=1)
    assert "has the purpose 'fine-tune'" in refused
    server.http.delete(f"/files/{wanted}")
    assert server.http.get("/files", params={"limit": 1}).json() == before


def test_a_name_that_two_stores_have_is_refused_with_their_ids(run: Run) -> None:
    ids = {made(run, "twice"), made(run, "twice")}
    said = run("search", "twice", "tea", code=1)
    assert all(id in said for id in ids)


@pytest.mark.parametrize(
    ("text", "filter"),
    [
        ("year>=2024", {"type": "gte", "key": "year", "value": 2024}),
        ("year<=2.5", {"type": "lte", "key": "year", "value": 2.5}),
        ("a = b=c", {"type": "eq", "key": "a", "value": "b=c"}),
        ('year!="2024"', {"type": "ne", "key": "year", "value": "2024"}),
        ("public=true", {"type": "eq", "key": "public", "value": True}),
        ("tags=[1]", {"type": "eq", "key": "tags", "value": "[1]"}),
        ('{"type": "in", "key": "a", "value": []}', {"type": "in", "key": "a", "value": []}),
    ],
)
def test_filters_as_they_are_typed(text: str, filter: dict[str, Any]) -> None:
    assert filters([text]) == filter
    assert filters([text, "b>1"]) == {
        "type": "and",
        "filters": [filter, {"type": "gt", "key": "b", "value": 1}],
    }


@pytest.mark.parametrize("text", ["year", "=1", "{year: 1}", ""])
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(BadRequest, match="filter"):
        filters([text])
    with pytest.raises(BadRequest, match="KEY=VALUE"):
        attributes([text.replace(":", "")])


def test_chunks_of_a_store_are_copied_with_their_texts(
    run: Run, files: list[str], tmp_path: Path
) -> None:
    id = made(run, "moved")
    run("add", id, *files, "--attribute", "lang=en")
    place = f"{tmp_path}/elsewhere"
    done = json.loads(run("copy", "store:moved", f"{place}#moved", "--text", "said", "--json"))
    assert (done["source"], done["rows"]) == (f"store:{id}", 2)
    with closing(open_index(place)) as index:
        rows = index.read("moved")
    said = {each["filename"]: each for each in rows.attributes}
    assert said["trains.md"]["said"].startswith("# Trains")
    assert {(each["lang"], each["file_id"]) for each in said.values()} == {
        ("en", id.rpartition("-")[0]) for id in rows.ids
    }
    refused = run("copy", "store:moved", f"{place}#again", "--text", "lang", code=1)
    assert "have the attribute 'lang'" in refused
