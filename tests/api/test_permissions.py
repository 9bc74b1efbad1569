"""Permissions of checkpoints: kept and listed for those who manage them."""

from collections.abc import Iterator

import httpx
import pytest

from servers import Server


@pytest.fixture
def url(server: Server, tuned: dict) -> Iterator[str]:
    url = f"/fine_tuning/checkpoints/{tuned['fine_tuned_model']}:ckpt-step-3/permissions"
    yield url
    for permission in server.http.get(url, params={"limit": 100}).json()["data"]:
        server.http.delete(f"{url}/{permission['id']}")


def test_permissions_are_made_listed_and_deleted(server: Server, url: str) -> None:
    made = server.http.post(url, json={"project_ids": ["proj_a", "proj_b", "proj_c"]}).json()
    assert (made["object"], made["has_more"]) == ("list", False)
    assert [p["project_id"] for p in made["data"]] == ["proj_a", "proj_b", "proj_c"]
    ids = [p["id"] for p in made["data"]]
    assert {p["object"] for p in made["data"]} == {"checkpoint.permission"}
    again = server.http.post(url, json={"project_ids": ["proj_b"]}).json()
    assert [p["id"] for p in again["data"]] == [ids[1]], "a project has one"

    def listed(**query: str) -> list[str]:
        return [p["id"] for p in server.http.get(url, params=query).json()["data"]]

    assert listed() == ids[::-1]
    assert listed(order="ascending") == ids
    assert listed(project_id="proj_b") == [ids[1]]
    first = server.http.get(url, params={"limit": "2"}).json()
    assert (first["has_more"], first["last_id"]) == (True, ids[1])
    assert listed(limit="2", after=first["last_id"]) == [ids[0]]

    gone = server.http.delete(f"{url}/{ids[1]}").json()
    assert gone == {"id": ids[1], "object": "checkpoint.permission", "deleted": True}
    assert server.http.delete(f"{url}/{ids[1]}").status_code == 404
    assert listed() == [ids[2], ids[0]]


def test_what_is_no_checkpoint_has_no_permissions(server: Server, tuned: dict, url: str) -> None:
    permission = server.http.post(url, json={"project_ids": ["proj_a"]}).json()["data"][0]["id"]
    for name in ("builtin-chat", "gpt-3.5-turbo", tuned["id"], "ft:none"):
        other = f"/fine_tuning/checkpoints/{name}/permissions"
        for answer in (
            server.http.get(other),
            server.http.post(other, json={"project_ids": ["proj_a"]}),
            server.http.delete(f"{other}/{permission}"),
        ):
            assert answer.status_code == 404, answer.text
    model = f"/fine_tuning/checkpoints/{tuned['fine_tuned_model']}/permissions"
    assert server.http.delete(f"{model}/{permission}").status_code == 404, "another one's"
    assert server.http.get(model).json()["data"] == [], "a model may have its own"


@pytest.mark.parametrize(
    "body", [{}, {"project_ids": []}, {"project_ids": "proj_a"}, {"project_ids": [1]}]
)
def test_bodies_that_name_no_projects(server: Server, url: str, body: dict) -> None:
    answer = server.http.post(url, json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("project_ids")


def test_a_members_key_is_not_enough(server: Server, url: str) -> None:
    made = server.http.post(
        "/organization/admin_api_keys", json={"name": "a member's", "role": "member"}
    )
    key = made.json()["value"]
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {key}"}) as member:
        for answer in (
            member.get(url),
            member.post(url, json={"project_ids": ["proj_a"]}),
            member.delete(f"{url}/cp_x"),
        ):
            assert answer.status_code == 403, answer.text
