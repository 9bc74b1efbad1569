"""Vector stores over HTTP: their files, batches and counts. No worker runs here: the tests say what
it would. What it does is in tests/work, what the SDKs make of it in tests/test_story.py."""

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tunewright.api.application import create_api
from tunewright.api.calls import CALLS
from tunewright.app import Tunewright
from tunewright.chunks import Reading
from tunewright.records.keys import KeyRequest
from tunewright.records.record import now
from tunewright.records.vector_store_files import LastError, VectorStoreFile
from tunewright.records.vector_stores import VectorStore
from tunewright.resources.progress import Moved
from tunewright.work import expiry

DAY = 24 * 3600
WEEK = {"anchor": "last_active_at", "days": 7}


@pytest.fixture(scope="module")
def tw(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tunewright]:
    tw = Tunewright(tmp_path_factory.mktemp("stores"))
    yield tw
    tw.close()


@pytest.fixture(scope="module")
def http(tw: Tunewright) -> TestClient:
    key = tw.access.create_key(tw.owner, KeyRequest(name="tests", role="owner")).value
    headers = {"authorization": f"Bearer {key}", "openai-beta": "assistants=v2"}
    return TestClient(create_api(tw), "http://127.0.0.1/v1/", headers=headers)


@pytest.fixture(scope="module")
def documents(tw: Tunewright) -> list[str]:
    """Ids of five files, of both purposes."""
    purposes = itertools.cycle(("assistants", "user_data"))
    return [
        tw.files.create(file=b"Some text.", filename=f"{n}.txt", purpose=purpose).id
        for n, purpose in zip(range(5), purposes, strict=False)
    ]


def post(http: TestClient, path: str, status: int = 200, /, **body: Any) -> dict[str, Any]:
    answer = http.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def get(http: TestClient, path: str, **query: Any) -> dict[str, Any]:
    answer = http.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def store_of(http: TestClient, **body: Any) -> str:
    return post(http, "vector_stores", **body)["id"]


def counted(tw: Tunewright, **search: Any) -> dict[str, int]:
    """The counts by the files that are there."""
    files = tw.shelf.all(VectorStoreFile, **search)
    found = Counter(str(file.status) for file in files)
    kinds = ("in_progress", "completed", "failed", "cancelled")
    return {**{kind: found[kind] for kind in kinds}, "total": len(files)}


def test_what_is_asked_for_is_kept_and_shown(
    http: TestClient, tw: Tunewright, documents: list[str]
) -> None:
    asked = {"name": "Handbook", "description": "Of the house.", "metadata": {"team": "a"}}
    sizes = {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 100}
    static = {"type": "static", "static": sizes}
    made = post(
        http,
        "vector_stores",
        **asked,
        file_ids=[documents[0], documents[0]],
        chunking_strategy=static,
        expires_after=WEEK,
        embedding_model="builtin-static",
    )
    assert {key: made[key] for key in asked} == asked
    assert (made["object"], made["status"], made["usage_bytes"]) == (
        "vector_store",
        "in_progress",
        0,
    )
    assert made["file_counts"] == {**counted(tw, subject=made["id"]), "in_progress": 1}
    assert made["expires_after"] == WEEK
    assert made["expires_at"] == made["last_active_at"] + 7 * DAY
    assert made["embedding_model"] == made["embedding"]["model"] == "builtin-static"
    weights = tw.models.weights("builtin-static", ("embedding",))
    assert made["embedding"]["fingerprint"] == weights.base_fingerprint
    assert made["embedding"]["dimensions"] == tw.embedder(weights, tw.models).dimensions
    [file] = get(http, f"vector_stores/{made['id']}/files")["data"]
    assert file["chunking_strategy"] == static
    assert get(http, f"vector_stores/{made['id']}") == made
    changed = post(http, f"vector_stores/{made['id']}", name=None, expires_after=None)
    assert (changed["name"], changed["expires_at"]) == ("", None)
    assert "expires_after" not in changed
    assert changed["metadata"] == asked["metadata"], "what was not named stays"

    answer = http.post("vector_stores")  # without a body
    assert answer.status_code == 200, answer.text
    plain = answer.json()
    assert (plain["name"], plain["metadata"], plain["status"]) == ("", None, "completed")
    assert plain["embedding_model"] == "text-embedding-3-small"
    assert plain["embedding"]["model"] == "builtin-mini"
    attributes = {"year": 2024, "share": 0.5, "draft": True, "title": "Ä"}
    file = post(
        http, f"vector_stores/{plain['id']}/files", file_id=documents[1], attributes=attributes
    )
    assert file["attributes"] == attributes
    assert file["attributes"]["draft"] is True
    auto = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
    assert file["chunking_strategy"] == {"type": "static", "static": auto}
    path = f"vector_stores/{plain['id']}/files/{documents[1]}"
    assert post(http, path, attributes={"b": 1})["attributes"] == {"b": 1}, "all of them anew"
    assert post(http, path, attributes=None)["attributes"] == {}


def test_counts_and_bytes_are_those_of_the_files_that_are_there(
    http: TestClient, tw: Tunewright, documents: list[str]
) -> None:
    store = store_of(http, file_ids=documents[:2])
    batch = post(http, f"vector_stores/{store}/file_batches", file_ids=documents[2:])["id"]
    attachments = tw.attachments

    def agree(status: str, batch_status: str) -> None:
        found = get(http, f"vector_stores/{store}")
        assert (found["status"], found["file_counts"]) == (status, counted(tw, subject=store))
        files = tw.shelf.all(VectorStoreFile, subject=store)
        assert found["usage_bytes"] == sum(file.usage_bytes for file in files)
        part = get(http, f"vector_stores/{store}/file_batches/{batch}")
        assert (part["status"], part["file_counts"]) == (
            batch_status,
            counted(tw, where={"file_batch_id": batch}),
        )

    agree("in_progress", "in_progress")
    why = LastError(code="invalid_file", message="No.")
    attachments.move(store, documents[2], status="failed", last_error=why)
    attachments.move(store, documents[0], status="completed", usage_bytes=70)
    with pytest.raises(Moved):
        attachments.move(store, documents[0], status="completed", usage_bytes=80)
    agree("in_progress", "in_progress")
    attachments.move(store, documents[3], status="completed", usage_bytes=30)
    attachments.move(store, documents[4], status="completed", usage_bytes=5)
    attachments.move(store, documents[1], status="completed", usage_bytes=5)
    agree("completed", "completed")
    assert get(http, f"vector_stores/{store}")["usage_bytes"] == 110
    # Attached again: by itself, so it leaves the batch; what was read of it counts no more.
    post(http, f"vector_stores/{store}/files", file_id=documents[3])
    agree("in_progress", "completed")
    attachments.move(store, documents[3], status="completed", usage_bytes=31)
    assert http.delete(f"vector_stores/{store}/files/{documents[4]}").json() == {
        "id": documents[4],
        "object": "vector_store.file.deleted",
        "deleted": True,
    }
    agree("completed", "failed")  # the one that is left of the batch is the one that failed
    with pytest.raises(Moved):
        attachments.move(store, documents[4], status="completed")
    post(http, f"vector_stores/{store}/files", file_id=documents[4])
    agree("in_progress", "failed")


def test_pages_go_both_ways_and_on_after_what_was_taken_out(
    http: TestClient, documents: list[str]
) -> None:
    store = store_of(http)
    post(http, f"vector_stores/{store}/file_batches", file_ids=documents)
    path = f"vector_stores/{store}/files"

    def ids(**query: Any) -> tuple[list[int], bool]:
        page = get(http, path, **query)
        found = [file["id"] for file in page["data"]]
        ends = (found[0], found[-1]) if found else (None, None)
        assert (page["first_id"], page["last_id"]) == ends
        return [documents.index(id) for id in found], page["has_more"]

    one, three = documents[1], documents[3]
    assert ids() == ([4, 3, 2, 1, 0], False)
    assert ids(order="asc", limit=2) == ([0, 1], True)
    assert ids(after=three, limit=2) == ([2, 1], True)
    assert ids(before=one, limit=2) == ([3, 2], True), "the two that stand before it"
    assert ids(before=one, limit=3) == ([4, 3, 2], False)
    assert ids(before=three, order="asc") == ([0, 1, 2], False)
    assert ids(after=three, before=one) == ([2], False)
    assert ids(after="file-none") == ids(before="file-none") == ([], False)
    # As the SDKs do who delete what they list.
    http.delete(f"{path}/{three}")
    assert ids(after=three, limit=2) == ([2, 1], True)
    post(http, path, file_id=three)
    assert ids() == ([3, 4, 2, 1, 0], False), "it came back as the newest"
    assert ids(filter="completed") == ([], False)
    stores = [store_of(http, name=str(n)) for n in range(3)]
    page = get(http, "vector_stores", before=stores[0], limit=1)
    assert [found["id"] for found in page["data"]] == [stores[1]]


def test_a_batch_is_cancelled_but_for_what_has_begun(
    http: TestClient, tw: Tunewright, documents: list[str]
) -> None:
    while tw.tasks.lease("ingest", "others"):  # of other tests
        pass
    store = store_of(http)
    wanted = [{"file_id": id, "attributes": {"n": n}} for n, id in enumerate(documents)]
    batch = post(http, f"vector_stores/{store}/file_batches", files=wanted)
    assert batch["object"] == "vector_store.files_batch"
    begun = tw.tasks.lease("ingest", "me")
    passed = tw.tasks.lease("ingest", "me")
    assert begun
    assert passed
    assert begun.subject == f"{store}/{documents[0]}"
    tw.tasks.pass_on(passed)  # a long file that lets others go first
    tw.contents.chunks(store).begin([Reading(documents[1], "the first time", 3)])
    path = f"vector_stores/{store}/file_batches/{batch['id']}"
    cancelled = post(http, f"{path}/cancel")
    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 4)
    assert post(http, f"{path}/cancel") == cancelled
    assert tw.tasks.lease("ingest", "me") is None
    assert tw.tasks.subjects("remove-vectors", tw.owner.organisation) == [passed.subject]
    tw.attachments.move(store, documents[0], status="completed", usage_bytes=1)
    tw.tasks.finish(begun)
    left = get(http, path)
    assert (left["status"], left["file_counts"]["completed"]) == ("cancelled", 1)
    done = get(http, f"{path}/files", filter="completed")["data"]
    assert [(file["id"], file["attributes"]) for file in done] == [(documents[0], {"n": 0})]
    other = store_of(http)
    assert http.get(f"vector_stores/{other}/file_batches/{batch['id']}").status_code == 404
    ended = post(http, f"vector_stores/{other}/file_batches", file_ids=documents[:1])
    tw.attachments.move(other, documents[0], status="completed")
    path = f"vector_stores/{other}/file_batches/{ended['id']}/cancel"
    assert post(http, path, 400)["error"]["code"] == "invalid_file_batch_status"


def test_the_header_of_the_sdks_pollers_goes_by_how_long_it_takes(
    http: TestClient, tw: Tunewright, documents: list[str]
) -> None:
    store = store_of(http, file_ids=documents[:1])
    path, header = f"vector_stores/{store}/files/{documents[0]}", "openai-poll-after-ms"
    assert http.get(path).headers[header] == "200"
    tw.attachments.move(store, documents[0], created_at=now() - 20)
    assert int(http.get(path).headers[header]) >= 2000
    tw.attachments.move(store, documents[0], status="completed")
    assert header not in http.get(path).headers


def test_who_is_not_used_expires(http: TestClient, tw: Tunewright, documents: list[str]) -> None:
    store = store_of(http, file_ids=documents[:2], expires_after=WEEK)
    fresh = store_of(http, file_ids=documents[:1], expires_after=WEEK)
    tw.attachments.move(store, documents[0], status="completed", usage_bytes=9)
    long_ago = now() - 7 * DAY
    old = {"last_active_at": long_ago - 1, "expires_at": long_ago + 7 * DAY - 1}
    for id in (store, fresh):
        tw.shelf.change(VectorStore, id, lambda it: it.model_copy(update=old))
    tw.shelf.change(VectorStore, fresh, lambda it: it.model_copy(update={"expires_at": now() + 60}))
    post(http, f"vector_stores/{fresh}/files", file_id=documents[1])
    used = get(http, f"vector_stores/{fresh}")
    assert used["expires_at"] == used["last_active_at"] + 7 * DAY > now() + DAY

    assert get(http, f"vector_stores/{store}")["status"] == "expired", "before anybody has swept"
    folder = tw.home.vector_store(store)
    folder.mkdir(parents=True)
    expiry.expire(tw)
    gone = get(http, f"vector_stores/{store}")
    assert (gone["status"], gone["usage_bytes"]) == ("expired", 0)
    assert gone["file_counts"] == counted(tw, subject=store)
    assert gone["file_counts"]["cancelled"] == 1, "nothing more is read into it"
    assert not folder.exists()
    for path, body in (
        ("", {"name": "b"}),
        ("/files", {"file_id": documents[2]}),
        (f"/files/{documents[0]}", {"attributes": {"a": 1}}),
        ("/file_batches", {"file_ids": documents}),
    ):
        error = post(http, f"vector_stores/{store}{path}", 400, **body)["error"]
        assert (error["code"], error["param"]) == ("vector_store_expired", "vector_store_id")
    listed = get(http, f"vector_stores/{store}/files", order="asc")["data"]
    assert [file["id"] for file in listed] == documents[:2], "to make a new one of"
    assert http.delete(f"vector_stores/{store}").json()["object"] == "vector_store.deleted"
    assert http.get(f"vector_stores/{store}").status_code == 404


def test_a_file_that_is_deleted_leaves_all_stores(http: TestClient, tw: Tunewright) -> None:
    file = tw.files.create(file=b"Text", filename="a.txt", purpose="assistants").id
    stores = [store_of(http, file_ids=[file]) for _ in range(2)]
    assert http.delete(f"files/{file}").status_code == 200
    for store in stores:
        assert get(http, f"vector_stores/{store}")["file_counts"]["total"] == 0
        assert http.get(f"vector_stores/{store}/files/{file}").status_code == 404
    left = tw.tasks.subjects("remove-vectors", tw.owner.organisation)
    assert not [subject for subject in left if subject.endswith(file)], "done at once"


def test_kept_answers_go_with_what_they_tell_of(http: TestClient, tw: Tunewright) -> None:
    """An answer that is kept for a repetition holds attributes and metadata too."""
    file = tw.files.create(file=b"Text", filename="a.txt", purpose="assistants").id
    named = {"idempotency-key": "of these tests"}
    body = {"metadata": {"a": "canary one"}}
    store = http.post("vector_stores", json=body, headers=named).json()["id"]
    attach = {"file_id": file, "attributes": {"a": "canary two"}}
    path = f"vector_stores/{store}/files"
    assert http.post(path, json=attach, headers=named).json()["id"] == file

    def kept() -> list[str]:
        tw.catalog.scrub(seconds=5)
        files = b"".join(path.read_bytes() for path in tw.home.root.glob("catalog.db*"))
        return [word for word in ("canary one", "canary two") if word.encode() in files]

    assert kept() == ["canary one", "canary two"]
    post(http, f"{path}/{file}", attributes={"a": "other"})
    assert kept() == ["canary one"]
    post(http, f"vector_stores/{store}", metadata=None)
    assert kept() == []
    post(http, f"{path}/{file}", attributes=attach["attributes"])
    http.delete(f"vector_stores/{store}")
    assert kept() == []


def nested(levels: int) -> dict[str, Any]:
    tree: dict[str, Any] = {"type": "eq", "key": "a", "value": 1}
    for _ in range(levels):
        tree = {"type": "and", "filters": [tree]}
    return tree


LONG = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51}}
BAD = [
    ("", {"file_ids": ["file-x"] * 501}, "array_above_max_length", "file_ids"),
    ("", {"file_ids": [""]}, "string_below_min_length", "file_ids[0]"),
    ("", {"name": "n" * 257}, "string_above_max_length", "name"),
    ("", {"metadata": {str(n): "" for n in range(17)}}, "object_above_max_properties", "metadata"),
    ("", {"expires_after": {"anchor": "created_at", "days": 1}}, "invalid_value", "anchor"),
    ("", {"expires_after": {**WEEK, "days": 366}}, "integer_above_max_value", "days"),
    ("", {"expires_after": {**WEEK, "days": 0}}, "integer_below_min_value", "days"),
    ("", {"chunking_strategy": {"type": "other"}}, "invalid_value", "type"),
    ("", {"chunking_strategy": LONG}, "integer_above_max_value", "chunk_overlap_tokens"),
    ("", {"embedding_model": "builtin-chat"}, "model_kind", "embedding_model"),
    ("", {"vectors": []}, "unknown_parameter", "vectors"),
    ("/$store", {"description": "d"}, "unknown_parameter", "description"),
    ("/$store/files", {}, "missing_required_parameter", "file_id"),
    ("/$store/files", {"file_id": "$other"}, "invalid_file_purpose", "file_id"),
    ("/$store/files", {"attributes": {"a": [1]}}, "invalid_type", "attributes.a"),
    ("/$store/files", {"attributes": {"a": None}}, "invalid_type", "attributes.a"),
    ("/$store/files", {"attributes": {"a": "b" * 513}}, "string_above_max_length", "attributes.a"),
    ("/$store/files", {"attributes": {"a" * 65: 1}}, "string_above_max_length", "a" * 65),
    (
        "/$store/files",
        {"attributes": {str(n): n for n in range(17)}},
        "object_above_max_properties",
        "attributes",
    ),
    ("/$store/files/$file", {}, "missing_required_parameter", "attributes"),
    ("/$store/file_batches", {}, "invalid_value", None),
    ("/$store/file_batches", {"file_ids": [], "files": None}, "array_below_min_length", "file_ids"),
    ("/$store/file_batches", {"file_ids": ["a"] * 2001}, "array_above_max_length", "file_ids"),
    (
        "/$store/file_batches",
        {"file_ids": ["a"], "files": [{"file_id": "a"}]},
        "invalid_value",
        None,
    ),
    (
        "/$store/file_batches",
        {"files": [{"file_id": "$file", "attributes": {"a": {}}}]},
        "invalid_type",
        "files[0].attributes.a",
    ),
    (
        "/$store/search",
        {
            "query": "a",
            "ranking_options": {"hybrid_search": {"embedding_weight": 0, "text_weight": 0}},
        },
        "invalid_value",
        "hybrid_search",
    ),
    ("/$store/search", {"query": "q" * 100_000}, "string_above_max_length", "query"),
    ("/$store/search", {"query": []}, "array_below_min_length", "query"),
    ("/$store/search", {"query": ["q"] * 65}, "array_above_max_length", "query"),
    ("/$store/search", {"query": "q", "max_num_results": 51}, "integer_above_max_value", "results"),
    ("/$store/search", {"query": "q", "filters": nested(25)}, "invalid_value", "filters[0]"),
    ("/$store/search", {"query": "q", "filters": nested(100)}, None, None),
    (
        "/$store/search",
        {"query": "q", "filters": {"type": "in", "key": "a", "value": [*range(10_000)]}},
        "array_above_max_length",
        "filters.value",
    ),
    ("/$store/search", {"query": "q", "filters": {"type": "like"}}, "invalid_value", "type"),
    (
        "/$store/search",
        {"query": "q", "ranking_options": {"score_threshold": -1}},
        "decimal_below_min_value",
        "ranking_options.score_threshold",
    ),
    (
        "/$store/search",
        {"query": "q", "ranking_options": {"reranker": "none"}},
        "unknown_parameter",
        "ranking_options.reranker",
    ),
]


@pytest.fixture(scope="module")
def names(http: TestClient, tw: Tunewright, documents: list[str]) -> dict[str, str]:
    other = tw.files.create(file=b"{}", filename="a.jsonl", purpose="fine-tune").id
    store = store_of(http, file_ids=documents[:1])
    return {"$store": store, "$file": documents[0], "$other": other}


@pytest.mark.parametrize(("path", "body", "code", "param"), BAD)
def test_what_cannot_be_is_refused_by_name_and_changes_nothing(
    http: TestClient,
    tw: Tunewright,
    names: dict[str, str],
    path: str,
    body: dict[str, Any],
    code: str,
    param: str | None,
) -> None:
    for name, id in names.items():
        path = path.replace(name, id)
        body = {k: id if v == name else v for k, v in body.items()}
    if "attributes" in body and path.endswith("/files"):
        body = {"file_id": names["$file"], **body}
    before = tw.shelf.all(VectorStore), tw.shelf.all(VectorStoreFile)
    error = post(http, f"vector_stores{path}", 400, **body)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert str(error["param"]).endswith(str(param)), error
    assert (tw.shelf.all(VectorStore), tw.shelf.all(VectorStoreFile)) == before


@pytest.mark.parametrize("ids", [["file-none"], ["$file", "file-none"]])
def test_unknown_files_are_named_as_openai_does(
    http: TestClient, tw: Tunewright, names: dict[str, str], ids: list[str]
) -> None:
    before = tw.shelf.all(VectorStore), tw.shelf.all(VectorStoreFile)
    ids = [names.get(id, id) for id in ids]
    for path in ("vector_stores", f"vector_stores/{names['$store']}/file_batches"):
        error = post(http, path, 404, file_ids=ids)["error"]
        assert error["message"] == "Files [file-none] were not found"
    assert (tw.shelf.all(VectorStore), tw.shelf.all(VectorStoreFile)) == before
    error = post(http, "vector_stores", 404, embedding_model="none")["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "embedding_model")


def test_no_field_is_taken_for_a_name_of_ours(http: TestClient) -> None:
    """What a client calls its fields reaches Python as names: of every call."""
    ours = ("it", "self", "id", "store", "model", "given", "vector_store_id", "batch")
    for call in CALLS:
        path = call.described.removeprefix("/v1/").replace("{", "").replace("}", "")
        for name in ours if not call.open and not call.form else ():
            more = {"params" if call.method == "GET" else "json": {name: "x"}}
            answer = http.request(call.method, path, **more)
            assert answer.status_code < 500, (call.name, name, answer.text)
