"""No organisation sees another: every route is asked for what is A's, with B's key.

The routes come from the application, so one that is added without an entry in the tables below
fails. Of each, B's answer for an id of A's must be B's answer for an id that never existed: equal
in status, headers and bytes, but for the id itself and what is of the request alone.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute

from servers import Server, chats
from tunewright import Tunewright
from tunewright.api.application import routes
from tunewright.records.keys import KeyRequest

Ids = dict[str, str]

# How a path begins, and of which nouns its parameters are.
NOUNS = {
    "/v1/files/": ("file",),
    "/v1/fine_tuning/jobs/": ("job",),
    "/v1/fine_tuning/checkpoints/": ("checkpoint", "permission"),
    "/v1/uploads/": ("upload",),
    "/v1/batches/": ("batch",),
    "/v1/vector_stores/{vector_store_id}/file_batches/": ("store", "file_batch"),
    "/v1/vector_stores/": ("store", "document"),
    "/v1/models/": ("model", "export"),
    "/v1/engines/": ("model",),
    "/v1/organization/admin_api_keys/": ("key",),
}
# Other ids that a parameter takes as well.
ALSO = {"file": ("result", "batch_file"), "model": ("checkpoint",)}

MESSAGES = [{"role": "user", "content": "Hi"}]
JOB = {"model": "gpt-3.5-turbo", "training_file": "file-none"}
BATCH = {"endpoint": "/v1/embeddings", "completion_window": "24h"}
# Bodies for a POST; what stands in braces is an id. A path without parameters needs an entry.
BODIES: dict[str, list[dict[str, Any]]] = {
    "/v1/files": [],  # multipart, with no id in it
    "/v1/fine_tuning/jobs": [
        {**JOB, "training_file": "{file}"},
        {**JOB, "training_file": "{result}"},
        {**JOB, "training_file": "{own_file}", "validation_file": "{file}"},
        {**JOB, "training_file": "{own_file}", "model": "{model}"},
        {**JOB, "training_file": "{own_file}", "model": "{checkpoint}"},
        {**JOB, "training_file": "{own_file}", "model": "{job}"},
    ],
    "/v1/fine_tuning/checkpoints/{checkpoint:path}/permissions": [{"project_ids": ["proj_b"]}],
    "/v1/batches": [
        {"input_file_id": f"{{{name}}}", **BATCH} for name in ("file", "result", "batch_file")
    ],
    "/v1/vector_stores": [
        {"file_ids": ["{document}"]},
        {"file_ids": ["{own_document}", "{document}"]},
        {"embedding_model": "{model}"},
    ],
    "/v1/vector_stores/{vector_store_id}": [{"name": "b"}],
    "/v1/vector_stores/{vector_store_id}/search": [{"query": "a"}],
    "/v1/vector_stores/{vector_store_id}/files": [{"file_id": "{own_document}"}],
    "/v1/vector_stores/{vector_store_id}/files/{file_id}": [{"attributes": {"a": 1}}],
    "/v1/vector_stores/{vector_store_id}/file_batches": [{"file_ids": ["{own_document}"]}],
    "/v1/uploads": [],  # with no id in it
    "/v1/uploads/{id}/complete": [{"part_ids": ["part_x"]}],
    "/v1/chat/completions": [
        {"model": f"{{{name}}}", "messages": MESSAGES, "max_tokens": 1, "stream": stream}
        for name in ("model", "checkpoint", "job")
        for stream in (False, True)
    ],
    "/v1/completions": [
        {"model": f"{{{name}}}", "prompt": "Hi"} for name in ("model", "checkpoint", "job")
    ],
    "/v1/embeddings": [{"model": f"{{{name}}}", "input": "Hi"} for name in ("model", "job")],
    "/v1/organization/admin_api_keys": [],  # with no id in it
    "/v1/engines/{engine:path}/chat/completions": [{"messages": MESSAGES}],
    "/v1/engines/{engine:path}/completions": [{"prompt": "Hi"}],
    "/v1/engines/{engine:path}/embeddings": [{"input": "Hi"}],
}
OPEN = ("/healthz", "/openapi.json")
# `connection`: closed or kept goes by whether the body had come when the answer was ready.
OF_THE_REQUEST = re.compile(r"date|x-request-id|openai-processing-ms|x-ratelimit-.*|connection")


def asked() -> list[Any]:
    """(method, path) of every route there is."""
    found = [
        (method, route.path)  # pyright: ignore[reportAttributeAccessIssue]
        for route in routes()
        for method in sorted(_methods(route) - {"HEAD"})
    ]
    return [pytest.param(*route, id=" ".join(route)) for route in found if route[1] not in OPEN]


def _methods(route: BaseRoute) -> set[str]:
    return route.methods or set()  # pyright: ignore[reportAttributeAccessIssue]


def parameters(path: str) -> list[str]:
    return re.findall(r"\{[^}]*\}", path)


def nouns(path: str) -> tuple[str, ...]:
    for start, names in NOUNS.items():
        if path.startswith(start):
            return names
    raise AssertionError(f"{path} needs an entry in NOUNS: whose ids does it take?")


@pytest.fixture(scope="module")
def tw(server: Server) -> Iterator[Tunewright]:
    tw = Tunewright(server.home)
    yield tw
    tw.close()


@pytest.fixture(scope="module")
def theirs(server: Server, tuned: dict, tw: Tunewright) -> Ids:
    """What organisation A has."""
    [checkpoint, *_] = server.http.get(f"/fine_tuning/jobs/{tuned['id']}/checkpoints").json()[
        "data"
    ]
    permissions = tw.permissions.create(
        checkpoint["fine_tuned_model_checkpoint"], project_ids=["proj_a"]
    )
    export = tw.exports.create(tuned["fine_tuned_model"], to="peft")
    tw.exports.cancel(export.model, export.id)  # its record is enough
    upload = tw.uploads.create(bytes=3, filename="x", mime_type="text/jsonl", purpose="fine-tune")
    line = b'{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"no"}}'
    requests = tw.files.create(file=line, purpose="batch")
    batch = tw.batches.create(input_file_id=requests.id, **BATCH)
    document = tw.files.create(file=b"Of A alone.", filename="a.txt", purpose="assistants").id
    store = tw.vector_stores.create(name="of A").id
    file_batch = tw.vector_stores.file_batches.create(store, file_ids=[document])
    return {
        "store": store,
        "document": document,
        "file_batch": file_batch.id,
        "file": tuned["training_file"],
        "result": tuned["result_files"][0],
        "job": tuned["id"],
        "model": tuned["fine_tuned_model"],
        "checkpoint": checkpoint["fine_tuned_model_checkpoint"],
        "key": tw.access.create_key(tw.owner, KeyRequest(name="of A")).id,
        "event": server.events(tuned["id"])[0]["id"],
        "checkpoint_id": checkpoint["id"],
        "permission": permissions.data[0].id,
        "upload": upload.id,
        "batch": batch.id,
        "batch_file": requests.id,
        "export": export.id,
    }


@pytest.fixture(scope="module")
def nobodys(theirs: Ids) -> Ids:
    """Ids of the same form and length, of things that never were."""
    never = {name: id[:-6] + "zzzzzz" for name, id in theirs.items()}
    model = theirs["model"][:-8] + "0badc0de"
    return {**never, "model": model, "checkpoint": f"{model}:ckpt-step-6"}


@pytest.fixture(scope="module", params=["owner", "member"])
def b(
    request: pytest.FixtureRequest, server: Server, tw: Tunewright, theirs: Ids
) -> Iterator[httpx.Client]:
    """Somebody of organisation B, who even says to be of A."""
    organisation = tw.access.create_organisation(f"b-{request.param}")
    key = tw.access.create_key(organisation, KeyRequest(name="of B", role=request.param)).value
    headers = {
        "authorization": f"Bearer {key}",
        "openai-organization": tw.owner.organisation,
        "openai-project": tw.owner.organisation,
    }
    with httpx.Client(base_url=server.root_url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def own(b: httpx.Client) -> Ids:
    """What B has: a file, and a job that has ended."""
    files = {"file": ("b.jsonl", chats(12))}
    file = b.post("/v1/files", data={"purpose": "fine-tune"}, files=files).json()["id"]
    job = b.post("/v1/fine_tuning/jobs", json={**JOB, "training_file": file}).json()["id"]
    assert b.post(f"/v1/fine_tuning/jobs/{job}/cancel").status_code == 200
    files = {"file": ("b.txt", b"Of B alone.")}
    document = b.post("/v1/files", data={"purpose": "assistants"}, files=files).json()["id"]
    return {"own_file": file, "own_job": job, "own_document": document}


def form(answer: httpx.Response, ids: Ids) -> tuple[int, bytes, list[tuple[str, str]]]:
    """An answer, with the ids that were asked for struck out."""
    body = answer.content
    for id in sorted(ids.values(), key=len, reverse=True):
        body = body.replace(id.encode(), b"ID")
    headers = [
        (name, value)
        for name, value in answer.headers.items()
        if not OF_THE_REQUEST.fullmatch(name)
    ]
    return answer.status_code, body, headers


def filled(value: Any, ids: Ids) -> Any:
    if isinstance(value, dict):
        return {key: filled(item, ids) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, ids) for item in value]
    if isinstance(value, str) and value[:1] == "{" and value[1:-1] in ids:
        return ids[value[1:-1]]
    return value


def paths(path: str, ids: Ids) -> list[str]:
    """The path with its parameters filled, in every way that the tables name."""
    given = parameters(path)
    if not given:
        return [path]
    kinds = nouns(path)
    assert len(given) <= len(kinds), f"{path} has more parameters than NOUNS says"
    choices = [(kind, *ALSO.get(kind, ())) for kind in kinds[: len(given)]]
    made = []
    for names in itertools.product(*choices):
        text = path
        for parameter, name in zip(given, names, strict=True):
            text = text.replace(parameter, ids[name], 1)
        made.append(text)
    return made


def requests(method: str, path: str, ids: Ids, own: Ids) -> list[dict[str, Any]]:
    """Everything that is asked of one route about the things named by `ids`."""
    urls = paths(path, ids)
    if method == "POST":
        if not parameters(path):
            assert path in BODIES, f"{path} needs an entry in BODIES: which ids go into it?"
        bodies = BODIES.get(path, [{}])
        return [{"url": url, "json": filled(body, ids | own)} for url in urls for body in bodies]
    if method == "GET" and not parameters(path):
        return [{"url": url, "params": {"after": id}} for url in urls for id in ids.values()]
    return [{"url": url} for url in urls]


@pytest.mark.parametrize(("method", "path"), asked())
def test_what_is_anothers_is_nowhere(
    b: httpx.Client, own: Ids, theirs: Ids, nobodys: Ids, server: Server, method: str, path: str
) -> None:
    about_theirs = requests(method, path, theirs, own)
    about_nothing = requests(method, path, nobodys, own)
    for one, two in zip(about_theirs, about_nothing, strict=True):
        seen, unseen = b.request(method, **one), b.request(method, **two)
        assert form(seen, theirs) == form(unseen, nobodys), one
        if parameters(path) or method == "POST":
            assert 400 <= seen.status_code < 500, (one, seen.text)


@pytest.mark.parametrize(("method", "path"), [r for r in asked() if r.values[0] == "GET"])
def test_lists_and_records_are_there_for_their_own_and_not_for_others(
    b: httpx.Client, theirs: Ids, server: Server, method: str, path: str
) -> None:
    """Without this the walk could pass because its ids are wrong."""
    a = {"authorization": f"Bearer {server.key}"}
    [url, *_] = paths(path, theirs)
    seen = httpx.get(server.root_url + url, headers=a)
    # A cancelled export has no content, and its owner is told so: of another's nothing is said.
    assert seen.status_code == 200 or "invalid_export_status" in seen.text, (url, seen.text)
    if not parameters(path):
        shown = b.get(url, params={"limit": 100} if "models" not in url else {}).text
        assert not [id for id in theirs.values() if id in shown]


def test_pages_of_ones_own_do_not_begin_after_anothers(
    b: httpx.Client, own: Ids, theirs: Ids, nobodys: Ids
) -> None:
    for list_ in ("events", "checkpoints"):
        url = f"/v1/fine_tuning/jobs/{own['own_job']}/{list_}"
        for name, id in theirs.items():
            seen = b.get(url, params={"after": id})
            assert form(seen, theirs) == form(b.get(url, params={"after": nobodys[name]}), nobodys)
            assert seen.json()["data"] == []


def test_nothing_of_theirs_has_changed(
    server: Server, tuned: dict, theirs: Ids, b: httpx.Client, own: Ids
) -> None:
    for path in (r.values[1] for r in asked() if r.values[0] in ("POST", "DELETE")):
        for url in paths(str(path), theirs) if parameters(str(path)) else []:
            b.delete(url)
            b.post(url, json={})
    assert server.http.get(f"/fine_tuning/jobs/{tuned['id']}").json() == tuned
    assert server.http.get(f"/models/{theirs['model']}").status_code == 200
    assert server.http.get(f"/files/{theirs['file']}/content").content == chats(12)
    keys = server.http.get("/organization/admin_api_keys", params={"limit": 100}).json()["data"]
    assert theirs["key"] in [key["id"] for key in keys]


def test_anothers_idempotency_key_is_unknown(b: httpx.Client, server: Server, own: Ids) -> None:
    named = {"idempotency-key": "the same"}
    one = server.http.post("/fine_tuning/jobs", json=JOB, headers=named)
    two = b.post("/v1/fine_tuning/jobs", json={**JOB, "model": "none"}, headers=named)
    assert one.json()["error"]["code"] == "file_not_found"
    assert two.json()["error"]["code"] == "model_not_available"
