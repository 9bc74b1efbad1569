"""Keys over HTTP: for owners, of their own organisation, refused as soon as they are revoked."""

import json
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from servers import REPOSITORY, Server
from tunewright import Tunewright
from tunewright.records.keys import KeyRequest
from tunewright.records.record import new_id

KEYS = "/organization/admin_api_keys"


@pytest.fixture
def owner(server: Server) -> Iterator[httpx.Client]:
    """The first key of an organisation of the test's own, on one connection that stays open."""
    tw = Tunewright(server.home)
    made = tw.access.create_organisation(new_id("org-", 8).lower())
    key = tw.access.create_key(made, KeyRequest(name="first")).value
    tw.close()
    with client(server, key) as http:
        yield http


def client(server: Server, key: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"})


def test_create_list_retrieve_delete(server: Server, owner: httpx.Client) -> None:
    made = owner.post(KEYS, json={"name": "laptop", "role": "member"}).json()
    assert made["object"] == "organization.admin_api_key"
    assert made["value"].startswith("sk-tw-")
    assert made["owner"]["object"] == "organization"
    shown = owner.get(f"{KEYS}/{made['id']}").json()
    assert shown == {k: v for k, v in made.items() if k != "value"}
    page = owner.get(KEYS).json()
    assert [key["name"] for key in page["data"]] == ["first", "laptop"]
    assert page["data"][1] == shown
    assert page["has_more"] is False
    assert owner.get(KEYS, params={"limit": 1}).json()["has_more"] is True
    newest = owner.get(KEYS, params={"order": "desc"}).json()["data"]
    assert [key["name"] for key in newest] == ["laptop", "first"]
    deleted = owner.delete(f"{KEYS}/{made['id']}").json()
    assert deleted == {
        "id": made["id"],
        "object": "organization.admin_api_key.deleted",
        "deleted": True,
    }
    assert owner.get(f"{KEYS}/{made['id']}").status_code == 404
    assert owner.delete(f"{KEYS}/{made['id']}").status_code == 404
    after = owner.get(KEYS, params={"after": page["data"][0]["id"]}).json()
    assert after["data"] == []
    stored = b"".join(p.read_bytes() for p in server.home.glob("catalog.db*"))
    assert made["value"].encode() not in stored


def test_a_revoked_key_is_refused_on_its_open_connection(
    server: Server, owner: httpx.Client
) -> None:
    made = owner.post(KEYS, json={"name": "lost"}).json()
    with client(server, made["value"]) as lost:
        assert lost.get("/models").status_code == 200
        owner.delete(f"{KEYS}/{made['id']}")
        refused = lost.get("/models")
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert made["value"] not in refused.text


def test_members_do_everything_but_keys(server: Server, owner: httpx.Client) -> None:
    made = owner.post(KEYS, json={"name": "m", "role": "member"}).json()
    with client(server, made["value"]) as member:
        assert member.get("/models").status_code == 200
        refusals = [
            member.get(KEYS),
            member.get(f"{KEYS}/{made['id']}"),
            member.delete(f"{KEYS}/{made['id']}"),
            member.post(KEYS, json={"name": "more"}),
            member.post(KEYS, json={}),
        ]
    for refused in refusals:
        error = refused.json()["error"]
        assert refused.status_code == 403
        assert error["message"].startswith("You have insufficient permissions for this operation.")
        assert error["type"] == "invalid_request_error"
        assert error["code"] == "insufficient_permissions"
        assert error["param"] is None


def test_the_last_owner_key_stays(server: Server, owner: httpx.Client) -> None:
    [first] = owner.get(KEYS).json()["data"]
    owner.post(KEYS, json={"name": "member", "role": "member"})
    refused = owner.delete(f"{KEYS}/{first['id']}")
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "last_owner_key"
    assert owner.post(KEYS, json={"name": "second"}).status_code == 200
    assert owner.delete(f"{KEYS}/{first['id']}").status_code == 200
    assert owner.get("/models").status_code == 401


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "x", "role": "king"}, "role"),
        ({"name": "x", "expires_in_seconds": 0}, "expires_in_seconds"),
        ({"name": "x", "scopes": []}, "scopes"),
    ],
)
def test_bad_requests(owner: httpx.Client, body: dict, param: str) -> None:
    refused = owner.post(KEYS, json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_the_official_sdk_manages_keys(server: Server, owner: httpx.Client) -> None:
    script = (
        "import json, sys, openai\n"
        "url, key = sys.argv[1:]\n"
        "client = openai.OpenAI(base_url=url, admin_api_key=key, api_key='x', max_retries=0)\n"
        "keys = client.admin.organization.admin_api_keys\n"
        "made = keys.create(name='sdk', expires_in_seconds=60)\n"
        "assert made.expires_at == made.created_at + 60\n"
        "assert keys.retrieve(made.id).redacted_value == made.redacted_value\n"
        "names = [k.name for k in keys.list(limit=1)]\n"
        "print(json.dumps([names, keys.delete(made.id).deleted]))\n"
    )
    python = REPOSITORY / ".sdk/3.54.0/bin/python"
    key = owner.headers["authorization"].removeprefix("Bearer ")
    done = subprocess.run(
        [str(python), "-c", script, server.url, key], capture_output=True, text=True
    )
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == [["first", "sdk"], True]
