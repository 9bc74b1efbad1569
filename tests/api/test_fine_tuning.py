import csv
import io
import json
import re

import pytest

from servers import Server, chats


def test_the_record_of_a_job(server: Server, tuned: dict) -> None:
    assert tuned["status"] == "succeeded", tuned
    assert tuned["object"] == "fine_tuning.job"
    assert tuned["model"] == "builtin-chat"
    name = tuned["fine_tuned_model"].split(":")
    assert name[:4] == ["ft", "gpt-3.5-turbo", "personal", "tests"]
    assert len(name[4]) == 8
    assert tuned["user_provided_suffix"] == "Tests"
    assert tuned["seed"] == 7
    assert tuned["metadata"] == {"purpose": "tests"}
    assert tuned["error"] is None
    assert tuned["estimated_finish"] is None
    hyperparameters = tuned["hyperparameters"]
    assert hyperparameters["n_epochs"] == 2
    assert hyperparameters["batch_size"] == 4
    assert hyperparameters["learning_rate_multiplier"] > 0
    used = tuned["method"]["supervised"]["hyperparameters"]
    assert used["adaptation"] == "lora"
    assert isinstance(used["rank"], int)


def test_events_newest_first_in_pages(server: Server, tuned: dict) -> None:
    events = server.events(tuned["id"])
    # What was found in the data, and the base, have events of their own.
    texts = [e["message"] for e in events if not {"finding", "base"} & e["data"].keys()]
    assert texts[:4] == [
        f"Created fine-tuning job: {tuned['id']}",
        f"Validating training file: {tuned['training_file']} and validation file: "
        f"{tuned['validation_file']}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
    ]
    assert texts[-2:] == [
        f"New fine-tuned model created: {tuned['fine_tuned_model']}",
        "The job has successfully completed",
    ]
    steps = [event for event in events if event["type"] == "metrics"]
    assert [event["data"]["step"] for event in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[0]["message"].startswith("Step 1/6: training loss=")
    assert "full validation loss=" in steps[-1]["message"]
    assert {"step", "train_loss", "total_steps", "train_mean_token_accuracy"} <= set(
        steps[0]["data"]
    )
    assert len({event["id"] for event in events}) == len(events)


def test_the_result_file(server: Server, tuned: dict) -> None:
    (id,) = tuned["result_files"]
    assert server.http.get(f"/files/{id}").json()["purpose"] == "fine-tune-results"
    rows = list(csv.DictReader(io.StringIO(server.http.get(f"/files/{id}/content").text)))
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert float(rows[-1]["valid_loss"]) > 0
    assert all(float(row["train_loss"]) > 0 for row in rows)


def test_checkpoints(server: Server, tuned: dict) -> None:
    page = server.http.get(f"/fine_tuning/jobs/{tuned['id']}/checkpoints").json()
    assert [c["step_number"] for c in page["data"]] == [6, 3]
    assert page["has_more"] is False
    newest = page["data"][0]
    assert newest["id"].startswith("ftckpt_")
    assert newest["fine_tuned_model_checkpoint"] == f"{tuned['fine_tuned_model']}:ckpt-step-6"
    assert newest["metrics"]["full_valid_loss"] > 0
    one = server.http.get(f"/fine_tuning/jobs/{tuned['id']}/checkpoints", params={"limit": 1})
    assert one.json()["has_more"] is True


def test_the_log_says_what_it_would_take_and_what_it_took(server: Server, tuned: dict) -> None:
    events = server.events(tuned["id"])
    first, last = [event for event in events if "estimate" in event["data"]]
    estimate, fact = first["data"]["estimate"], last["data"]["fact"]
    assert first["message"].startswith("Estimate: 6 steps in ")
    assert last["message"].startswith(first["message"].replace("Estimate", "Estimated"))
    assert fact["trained_tokens"] == estimate["trained_tokens"] == tuned["trained_tokens"]
    assert estimate["seconds"] > 0 < fact["seconds"]
    assert 2**26 < fact["peak_bytes"] < 2**34
    assert 0.85 < estimate["peak_bytes"] / fact["peak_bytes"] < 1.15
    assert estimate["cost"] is None
    steps = [event["created_at"] for event in events if event["type"] == "metrics"]
    assert first["created_at"] <= steps[0]


def test_the_log_of_a_job_has_each_step_and_each_message(server: Server, tuned: dict) -> None:
    """`jobs/ID/log.txt`, to which messages point where a job ended in an unexpected way."""
    text = (server.home / "jobs" / tuned["id"] / "log.txt").read_text("utf-8")
    lines = [line for line in text.splitlines() if "kind=step" in line]
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line) for line in lines)
    assert [re.findall(r" step=(\d+)", line) for line in lines] == [[str(n)] for n in range(1, 7)]
    assert all(" train_loss=" in line for line in lines)
    events = server.events(tuned["id"])
    [plan] = [event["message"] for event in events if "plan" in event["data"]]
    assert plan in text


def test_events_say_what_goes_on_between_the_last_step_and_the_end(
    server: Server, tuned: dict
) -> None:
    events = server.events(tuned["id"])
    last = max(at for at, event in enumerate(events) if event["type"] == "metrics")
    said = [event["message"] for event in events[last + 1 :]]
    written = next(at for at, text in enumerate(said) if "The weights are saved" in text)
    gate = "Checking that the served model is the trained one (row 1 of 3)"
    assert written < said.index(gate) < said.index("The job has successfully completed")


def test_too_few_rows_fail_the_job(server: Server) -> None:
    job = server.wait(
        server.job(model="gpt-3.5-turbo", training_file=server.upload(chats(9)))["id"]
    )
    assert job["status"] == "failed"
    assert job["error"] == {
        "code": "invalid_n_examples",
        "message": "Training file has 9 example(s), but must have at least 10 examples",
        "param": "training_file",
    }
    assert job["finished_at"]
    assert job["fine_tuned_model"] is None


def test_a_failed_job_shows_what_was_found_as_events(server: Server) -> None:
    rows = chats(12).splitlines(keepends=True)
    rows[4] = b'{"messages": [{"role": "robot", "content": "secret word"}]}\n'
    job = server.wait(
        server.job(model="gpt-3.5-turbo", training_file=server.upload(b"".join(rows)))["id"]
    )
    events = [event for event in server.events(job["id"]) if "finding" in event["data"]]
    found = [(event["level"], event["data"]["finding"]) for event in events]
    codes = ["unrecognized_role", "example_missing_assistant_message", "few_examples"]
    assert [finding["code"] for _, finding in found] == codes
    assert [level for level, _ in found] == ["error", "error", "info"]
    first = found[0][1]
    assert (first["line"], first["path"]) == (5, "$.messages[0].role")
    assert first["offset"] == sum(map(len, rows[:4]))
    assert events[0]["message"].startswith("Training file: line 5, $.messages[0].role: 'robot'")
    assert "secret" not in str(events), "events outlive the file"


def test_bad_rows_fail_the_job_with_their_lines(server: Server) -> None:
    rows = chats(12).splitlines(keepends=True)
    rows[4] = b'{"messages": [}\n'
    rows[7] = b'{"messages": [{"role": "user", "content": "no answer"}]}\n'
    job = server.wait(
        server.job(model="gpt-3.5-turbo", training_file=server.upload(b"".join(rows)))["id"]
    )
    assert job["error"]["code"] == "invalid_file_format"
    assert "5" in job["error"]["message"]
    assert "8" in job["error"]["message"]


def test_a_bad_validation_file_is_named(server: Server) -> None:
    job = server.wait(
        server.job(
            model="gpt-3.5-turbo",
            training_file=server.upload(chats(10)),
            validation_file=server.upload(b"[1]\n"),
        )["id"]
    )
    assert job["error"]["param"] == "validation_file"


def test_each_kind_of_base_wants_its_kind_of_rows(server: Server) -> None:
    pairs = b"".join(
        json.dumps({"prompt": f"{n} ->", "completion": f" {n + 1}"}).encode() + b"\n"
        for n in range(12)
    )
    wrong = server.wait(server.job(model="gpt-3.5-turbo", training_file=server.upload(pairs))["id"])
    assert wrong["error"]["code"] == "invalid_file_format"
    assert "the model to be tuned takes chat rows" in wrong["error"]["message"]
    other = server.wait(
        server.job(model="babbage-002", training_file=server.upload(chats(12)))["id"]
    )
    assert other["error"]["code"] == "invalid_file_format"
    assert "takes prompt/completion rows" in other["error"]["message"]
    right = server.wait(
        server.job(
            model="babbage-002",
            training_file=server.upload(pairs),
            hyperparameters={"n_epochs": 1},
        )["id"]
    )
    assert right["status"] == "succeeded", right
    assert right["fine_tuned_model"].startswith("ft:babbage-002:personal::")
    answer = server.http.post(
        "/completions",
        json={"model": right["fine_tuned_model"], "prompt": "3 ->", "max_tokens": 2},
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.slow  # 10 s; training of all weights has quick tests
def test_full_fine_tuning_is_an_option(server: Server) -> None:
    job = server.job(
        model="gpt-3.5-turbo",
        training_file=server.upload(chats(10)),
        method={
            "type": "supervised",
            "supervised": {"hyperparameters": {"n_epochs": 1, "adaptation": "full"}},
        },
    )
    job = server.wait(job["id"])
    assert job["status"] == "succeeded", job
    assert job["method"]["supervised"]["hyperparameters"]["adaptation"] == "full"
    answer = server.http.post(
        "/chat/completions",
        json={
            "model": job["fine_tuned_model"],
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 4,
        },
    )
    assert answer.status_code == 200, answer.text
