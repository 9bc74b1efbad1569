"""Lists of jobs by their metadata, in pages. The jobs have one row, so none of them trains."""

import pytest

from servers import Server


@pytest.fixture(scope="module")
def jobs(server: Server) -> list[str]:
    """Six jobs, oldest first."""
    file = server.upload(b"{}")
    marks: list[dict[str, str] | None] = [
        {"team": "blue", "run": "1"},
        {"team": "red", "run": "1"},
        {"team": "blue", "run": "2"},
        None,
        {"team": "blue", "run": "1", "x'] \"%": ""},
        {"team": "blue", "run": "1"},
    ]
    return [
        server.job(model="gpt-3.5-turbo", training_file=file, metadata=mark)["id"] for mark in marks
    ]


def listed(server: Server, jobs: list[str], **query: str) -> list[int]:
    """Which of `jobs` the pages hold, as their numbers, page by page to the end."""
    found: list[str] = []
    while True:
        page = server.http.get("/fine_tuning/jobs", params=query).json()
        found += [job["id"] for job in page["data"]]
        if not page["has_more"]:
            return [jobs.index(id) for id in found if id in jobs]
        query["after"] = page["last_id"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"metadata[team]": "blue"}, [5, 4, 2, 0]),
        ({"metadata[team]": "blue", "metadata[run]": "1"}, [5, 4, 0]),
        ({"metadata[team]": "blue", "metadata[run]": "red"}, []),
        ({"metadata[x'] \"%]": ""}, [4]),
        ({"metadata[team]": "blue' OR '1'='1"}, []),
        ({"metadata[nobody]": "x"}, []),
        ({"metadata": "null"}, [3]),
        ({}, [5, 4, 3, 2, 1, 0]),
    ],
)
def test_metadata_filters(
    server: Server, jobs: list[str], query: dict[str, str], found: list[int]
) -> None:
    assert listed(server, jobs, **query) == found
    assert listed(server, jobs, **query, limit="1") == found, "whatever the size of the pages"


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"metadata": "x"}, "metadata"),
        ({"metadata": "null", "metadata[a]": "b"}, "metadata"),
        ({"meta": "x"}, "meta"),
    ],
)
def test_other_filters_are_refused(server: Server, query: dict[str, str], param: str) -> None:
    answer = server.http.get("/fine_tuning/jobs", params=query)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
