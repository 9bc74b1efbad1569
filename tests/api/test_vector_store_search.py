"""Files read into a vector store by a real server, searched, changed and taken out again."""

import itertools
import time

import pytest

from servers import Server

PAGES = {
    "taffy.md": "# Taffy\n\nSalt water taffy is pulled until it is light.\n",
    "pretzel.md": "# Pretzels\n\nA pretzel is twisted and baked with coarse salt.\n",
    "refund.md": "# Refunds\n\nMoney is given back within fourteen days. Code QX-7731.\n",
    "tea.txt": "Green tea is poured at eighty degrees and never boiled.\n",
}
SIZES = {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}
STATIC = {"type": "static", "static": SIZES}


def made(server: Server, files: dict[str, str | bytes], **more: object) -> tuple[str, dict]:
    """A store of these files, once all were read, and their ids by name."""
    ids = {
        name: server.upload(text if isinstance(text, bytes) else text.encode(), name, "assistants")
        for name, text in files.items()
    }
    store = server.http.post("/vector_stores", json={"file_ids": [*ids.values()], **more}).json()
    return settled(server, store["id"])["id"], ids


def settled(server: Server, store: str) -> dict:
    for _ in range(600):
        found = server.http.get(f"/vector_stores/{store}").json()
        if found["status"] != "in_progress":
            return found
        time.sleep(0.05)
    raise AssertionError(f"{store} is still being read: {found}")


def search(server: Server, store: str, query: object, **more: object) -> list[dict]:
    answer = server.http.post(f"/vector_stores/{store}/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture(scope="module")
def pages(server: Server) -> tuple[str, dict]:
    store, ids = made(server, {**PAGES, "empty.md": " \n", "long.txt": "Nothing is here. " * 300})
    for place, name in enumerate(PAGES):
        attributes = {"place": place, "kind": name.rpartition(".")[2], "even": place % 2 == 0}
        path = f"/vector_stores/{store}/files/{ids[name]}"
        assert server.http.post(path, json={"attributes": attributes}).status_code == 200
    return store, ids


def test_one_that_cannot_be_read_fails_alone(server: Server, pages: tuple[str, dict]) -> None:
    store, ids = pages
    found = server.http.get(f"/vector_stores/{store}").json()
    counts = {"in_progress": 0, "completed": 5, "failed": 1, "cancelled": 0, "total": 6}
    assert (found["status"], found["file_counts"]) == ("completed", counts)
    bad = server.http.get(f"/vector_stores/{store}/files/{ids['empty.md']}").json()
    assert (bad["status"], bad["last_error"]["code"]) == ("failed", "invalid_file")
    assert "empty.md has no text" in bad["last_error"]["message"]
    files = server.http.get(f"/vector_stores/{store}/files").json()["data"]
    assert found["usage_bytes"] == sum(file["usage_bytes"] for file in files)
    taffy = next(file for file in files if file["id"] == ids["taffy.md"])
    assert taffy["usage_bytes"] == len(PAGES["taffy.md"].strip()) + 384 * 4


def test_a_result_is_a_chunk_with_its_file(server: Server, pages: tuple[str, dict]) -> None:
    store, ids = pages
    answer = server.http.post(
        f"/vector_stores/{store}/search",
        json={"query": "how is taffy made?", "rewrite_query": True},
    ).json()
    best = answer["data"][0]
    assert (best["file_id"], best["filename"]) == (ids["taffy.md"], "taffy.md")
    assert best["attributes"] == {"place": 0, "kind": "md", "even": True}
    assert best["content"] == [{"type": "text", "text": PAGES["taffy.md"].strip()}]
    given = ["how is taffy made?", best["content"][0]["text"]]
    embedded = server.http.post("/embeddings", json={"model": "builtin-mini", "input": given})
    query, text = (each["embedding"] for each in embedded.json()["data"])
    assert best["score"] == pytest.approx(sum(a * b for a, b in zip(query, text, strict=True)))
    scores = [each["score"] for each in answer["data"]]
    assert scores == sorted(scores, reverse=True)
    assert (answer["search_query"], answer["has_more"]) == (["how is taffy made?"], False)


def test_every_chunk_can_be_found_once(server: Server, pages: tuple[str, dict]) -> None:
    store, ids = pages
    found = search(server, store, "taffy", max_num_results=50)
    texts = [(each["file_id"], each["content"][0]["text"]) for each in found]
    assert len(set(texts)) >= 5
    assert {each["file_id"] for each in found} == {*ids.values()} - {ids["empty.md"]}
    assert len(search(server, store, "taffy", max_num_results=2)) == 2
    least = found[1]["score"] - 1e-6
    options = {"ranking_options": {"score_threshold": least}}
    assert len(search(server, store, "taffy", max_num_results=50, **options)) == 2


def test_filters_hold_whatever_is_nearest(server: Server, pages: tuple[str, dict]) -> None:
    store, _ = pages
    for condition, names in (
        ({"type": "eq", "key": "kind", "value": "txt"}, {"tea.txt"}),
        ({"type": "lt", "key": "place", "value": 2}, {"taffy.md", "pretzel.md"}),
        ({"type": "eq", "key": "even", "value": 1}, set()),
        ({"type": "nin", "key": "kind", "value": ["md", "txt"]}, {"long.txt"}),
    ):
        for hybrid in (None, {"embedding_weight": 0.5, "text_weight": 0.5}):
            options = {"ranking_options": {"hybrid_search": hybrid}}
            found = search(server, store, "taffy nothing", filters=condition, **options)
            listed = {each["filename"] for each in found}
            assert listed == names, (condition, hybrid)


def test_several_queries_give_the_best_of_each(server: Server, pages: tuple[str, dict]) -> None:
    store, _ = pages
    queries = ["pulled taffy", "poured tea"]
    alone = [search(server, store, query, max_num_results=50) for query in queries]
    best: dict[str, float] = {}
    for each in itertools.chain(*alone):
        text = each["content"][0]["text"]
        best[text] = max(best.get(text, 0), each["score"])
    found = search(server, store, queries, max_num_results=50)
    assert {each["content"][0]["text"]: each["score"] for each in found} == pytest.approx(best)


def test_words_are_found_that_a_vector_does_not_know(
    server: Server, pages: tuple[str, dict]
) -> None:
    store, _ = pages
    words = {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}}
    found = search(server, store, 'qx 7731" OR *', ranking_options=words)
    assert [(each["filename"], each["score"]) for each in found] == [("refund.md", 1.0)]
    both = {"hybrid_search": {"embedding_weight": 1, "text_weight": 3}}
    found = search(server, store, "code QX-7731", ranking_options=both)
    assert found[0]["filename"] == "refund.md"
    assert len(found) >= 5
    nearest = search(server, store, "code QX-7731", max_num_results=50)
    place = [each["filename"] for each in nearest].index("refund.md") + 1
    assert found[0]["score"] == pytest.approx((1 / (60 + place) + 3 / 61) / (4 / 61))


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"query": "a" * 100_000}, "query", "string_above_max_length"),
        ({"query": ""}, "query", "string_below_min_length"),
        ({"query": "a", "max_num_results": 51}, "max_num_results", "integer_above_max_value"),
        ({"query": "a", "filters": {"type": "eq", "key": "a"}}, "filters", None),
        ({"query": "a " * 9000}, "query", None),
    ],
)
def test_what_is_refused(
    server: Server, pages: tuple[str, dict], body: dict, param: str, code: str | None
) -> None:
    answer = server.http.post(f"/vector_stores/{pages[0]}/search", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error"), error
    assert error["param"].startswith(param)
    assert code is None or error["code"] == code


def test_nothing_was_ever_read_into_it(server: Server) -> None:
    store = server.http.post("/vector_stores", json={}).json()["id"]
    both = {"hybrid_search": {"embedding_weight": 1, "text_weight": 1}}
    assert search(server, store, ["a", "b"], ranking_options=both) == []


def test_content_is_the_text_without_what_chunks_share(server: Server) -> None:
    text = "".join(f"Sentence {number} tells of something. " for number in range(120))
    store, ids = made(server, {"a.txt": text}, chunking_strategy=STATIC)
    [file] = ids.values()
    answer = server.http.get(f"/vector_stores/{store}/files/{file}/content").json()
    assert [each["type"] for each in answer["data"]] == ["text"]
    assert answer["data"][0]["text"].split() == text.split()
    assert len(search(server, store, "sentence", max_num_results=50)) > 10


def test_detached_and_attached_anew_it_is_there_once(server: Server) -> None:
    text = "".join(f"Sentence {number} tells of something. " for number in range(60))
    store, ids = made(server, {"a.txt": text, "b.txt": "Taffy."}, chunking_strategy=STATIC)
    file, path = ids["a.txt"], f"/vector_stores/{store}/files"
    many = len(search(server, store, "sentence", max_num_results=50))
    assert many > 5
    assert server.http.delete(f"{path}/{file}").json()["deleted"] is True
    assert [each["filename"] for each in search(server, store, "sentence")] == ["b.txt"]
    for strategy, count in ((None, 2), (STATIC, many), (None, 2)):
        given = {"file_id": file, "attributes": {"n": count}, "chunking_strategy": strategy}
        assert server.http.post(path, json=given).status_code == 200
        settled(server, store)
        found = search(server, store, "sentence", max_num_results=50)
        assert len(found) == count
        assert all(e["attributes"] == {"n": count} for e in found if e["filename"] == "a.txt")
