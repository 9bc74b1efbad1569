"""Checkpoints as models, and jobs that go on from a tuned model or a checkpoint."""

from typing import Any

import pytest

from servers import Server, chats
from tunewright import durable


def ask(server: Server, model: str) -> Any:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
        "max_tokens": 12,
        "temperature": 0,
    }
    return server.http.post("/chat/completions", json=body)


def checkpoints(server: Server, job: dict) -> list[dict]:
    """Oldest first."""
    return server.http.get(f"/fine_tuning/jobs/{job['id']}/checkpoints").json()["data"][::-1]


def losses(server: Server, job: dict) -> list[float]:
    return [e["data"]["train_loss"] for e in server.events(job["id"]) if e["type"] == "metrics"]


def further(server: Server, model: str, **more: Any) -> dict:
    """A job on the rows, the seed and the batches of the `tuned` one."""
    return server.job(
        model=model,
        training_file=server.upload(chats(12)),
        seed=7,
        suffix="further",
        **({"hyperparameters": {"n_epochs": 1, "batch_size": 4}} | more),
    )


def full(**hyperparameters: Any) -> dict[str, Any]:
    given = {"n_epochs": 1, "batch_size": 4, **hyperparameters}
    return {"type": "supervised", "supervised": {"hyperparameters": given}}


def test_a_checkpoint_answers_under_its_name(server: Server, tuned: dict) -> None:
    first, last = (c["fine_tuned_model_checkpoint"] for c in checkpoints(server, tuned))
    assert first.endswith(":ckpt-step-3")
    assert ask(server, first).status_code == 200
    said = [ask(server, name).json()["choices"] for name in (last, tuned["fine_tuned_model"])]
    assert said[0] == said[1], "the last one is the model itself"

    model = server.http.get(f"/models/{first}").json()
    assert model["created"] > 0
    assert {**model, "created": 0} == {
        "id": first,
        "object": "model",
        "created": 0,
        "owned_by": "personal",
    }
    assert first not in [m["id"] for m in server.http.get("/models").json()["data"]]


def test_what_is_kept_of_a_job(server: Server, tuned: dict) -> None:
    """A manifest with sums beside each epoch's weights, and nothing that only a run needs."""
    folder = server.home / "jobs" / tuned["id"]
    for step in (3, 6):
        about = durable.verify(folder / "checkpoints" / f"step-{step}")["about"]
        assert about["step"] == step
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["step-3", "step-6"]
    assert not {"model", "resume", "start"} & {path.name for path in folder.iterdir()}
    assert not list(folder.rglob("*.tmp-*"))


def test_training_goes_on_from_a_checkpoint(server: Server, tuned: dict) -> None:
    start = checkpoints(server, tuned)[0]["fine_tuned_model_checkpoint"]
    job = further(server, start)
    assert job["model"] == start
    used = job["method"]["supervised"]["hyperparameters"]
    wanted = tuned["method"]["supervised"]["hyperparameters"]
    assert used["rank"] == wanted["rank"], "the adapter's own, from the beginning"
    job = server.wait(job["id"])
    assert job["status"] == "succeeded", job
    assert job["fine_tuned_model"].startswith("ft:gpt-3.5-turbo:personal:further:")
    assert ":ckpt" not in job["fine_tuned_model"]
    assert losses(server, job)[0] < losses(server, tuned)[0] - 0.1, "it knows these rows"
    assert not (server.home / "jobs" / job["id"] / "start").exists(), "nobody needs it any more"
    assert ask(server, job["fine_tuned_model"]).status_code == 200


@pytest.mark.parametrize(
    ("hyperparameters", "param"),
    [({"rank": 3}, "rank"), ({"adaptation": "full"}, "adaptation")],
)
def test_an_adapter_stays_what_it_is(
    server: Server, tuned: dict, hyperparameters: dict, param: str
) -> None:
    body = {
        "model": tuned["fine_tuned_model"],
        "training_file": tuned["training_file"],
        "method": full(**hyperparameters),
    }
    answer = server.http.post("/fine_tuning/jobs", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == f"method.supervised.hyperparameters.{param}"
    assert "is an adapter" in error["message"]


def test_the_names_of_jobs_are_no_models(server: Server, tuned: dict) -> None:
    body = {"model": tuned["id"], "training_file": tuned["training_file"]}
    answer = server.http.post("/fine_tuning/jobs", json=body)
    assert answer.json()["error"]["code"] == "model_not_available"
    assert ask(server, tuned["id"]).status_code == 404
    assert ask(server, f"{tuned['fine_tuned_model']}:ckpt-step-4").status_code == 404


@pytest.mark.slow
def test_a_parent_may_be_deleted_and_its_checkpoints_go_with_it(
    server: Server, tuned: dict
) -> None:
    parent = server.wait(further(server, tuned["fine_tuned_model"])["id"])
    name = parent["fine_tuned_model"]
    (checkpoint,) = checkpoints(server, parent)
    child = further(server, name)
    assert server.http.delete(f"/models/{name}").json()["deleted"] is True
    for gone in (name, checkpoint["fine_tuned_model_checkpoint"]):
        assert ask(server, gone).status_code == 404
        assert server.http.get(f"/models/{gone}").status_code == 404
    folder = server.home / "jobs" / parent["id"]
    child = server.wait(child["id"])
    assert not list(folder.rglob("*.safetensors")), "the worker has removed them meanwhile"
    assert child["status"] == "succeeded", child
    assert ask(server, child["fine_tuned_model"]).status_code == 200

    (own,) = checkpoints(server, child)
    alone = own["fine_tuned_model_checkpoint"]
    assert server.http.delete(f"/models/{alone}").json()["id"] == alone
    assert ask(server, alone).status_code == 404
    assert ask(server, child["fine_tuned_model"]).status_code == 200


@pytest.mark.slow
def test_whole_weights_are_trained_further_or_get_an_adapter(server: Server) -> None:
    parent = server.wait(
        further(server, "gpt-3.5-turbo", hyperparameters=None, method=full(adaptation="full"))["id"]
    )
    name = parent["fine_tuned_model"]
    whole = further(server, name)
    assert whole["method"]["supervised"]["hyperparameters"]["adaptation"] == "full"
    small = further(server, name, hyperparameters=None, method=full(adaptation="lora"))
    assert server.http.delete(f"/models/{name}").status_code == 200
    whole, small = server.wait(whole["id"]), server.wait(small["id"])
    for job in (whole, small):
        assert job["status"] == "succeeded", job
        assert job["fine_tuned_model"].startswith("ft:gpt-3.5-turbo:personal:further:")
        assert losses(server, job)[0] < losses(server, parent)[0]
        assert ask(server, job["fine_tuned_model"]).status_code == 200
    assert not (server.home / "jobs" / whole["id"] / "start").exists()
    again = server.wait(further(server, small["fine_tuned_model"])["id"])
    assert server.http.delete(f"/models/{small['fine_tuned_model']}").status_code == 200
    assert again["status"] == "succeeded", again
    assert ask(server, again["fine_tuned_model"]).status_code == 200
