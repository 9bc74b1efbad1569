"""POST /v1/files/{id}/check: the check of a job, without a job."""

import httpx

from servers import Server, chats


def check(server: Server, file: str, **body: object) -> httpx.Response:
    return server.http.post(f"/files/{file}/check", json=body)


def test_a_good_file_is_fit(server: Server) -> None:
    file = server.upload(chats(12), "good.jsonl")
    answer = server.http.post(f"/files/{file}/check")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["object"], found["file"], found["model"]) == (
        "file.check",
        "good.jsonl",
        "gpt-3.5-turbo",
    )
    assert (found["fit"], found["error"], found["rows"], found["examples"]) == (True, None, 12, 12)
    assert [finding["code"] for finding in found["findings"]] == ["few_examples"]
    assert found["n_epochs"] == 8
    assert found["trained_tokens"] == 8 * found["tokens"]["total"]
    assert (found["openai"] is None) == (found["openai_absent"] is not None)


def test_it_finds_what_a_job_fails_of(server: Server) -> None:
    data = chats(11) + b'{"messages": [}\n'
    file = server.upload(data)
    found = check(server, file).json()
    job = server.wait(server.job(model="gpt-3.5-turbo", training_file=file)["id"])
    assert found["error"] == job["error"]
    events = [e["data"]["finding"] for e in server.events(job["id"]) if "finding" in e["data"]]
    shown = [{**finding, "excerpt": ""} for finding in found["findings"]]
    assert [{k: v for k, v in event.items() if k != "param"} for event in events] == shown
    [error] = [finding for finding in found["findings"] if finding["severity"] == "error"]
    assert (error["line"], error["code"]) == (12, "invalid_json")
    assert data[error["offset"] :].startswith(b"}")


def test_another_base_and_purpose(server: Server) -> None:
    file = server.upload(b'{"prompt": "a", "completion": " b"}\n')
    assert check(server, file, model="babbage-002").json()["error"]["code"] == "invalid_n_examples"
    fine = check(server, file, model="babbage-002", purpose="validation_file").json()
    assert fine["fit"] is True
    assert check(server, file, purpose="validation_file").json()["findings"][0]["code"] == (
        "wrong_form"
    )


def test_what_is_wrong_is_named(server: Server) -> None:
    file = server.upload(chats(10))
    for body, param, status in (
        ({"model": 7}, "model", 400),
        ({"model": "nobody"}, "model", 404),
        ({"model": "text-embedding-ada-002"}, "model", 400),
        ({"purpose": "fine-tune"}, "purpose", 400),
        ({"lines": 3}, "lines", 400),
    ):
        answer = check(server, file, **body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), body
    assert check(server, "file-nothing").status_code == 404
    assert server.http.post(f"/files/{file}/check", content=b"[]").status_code == 400
