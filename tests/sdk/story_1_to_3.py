"""Today's calls with the SDK generations 1.x to 3.x, sync and async, unchanged but for the URL.

Every body is validated, strictly, against the SDK's own types: the SDK itself would take anything.
The last line printed is what became of every call that the SDK offers. Run by tests/test_story.py:
OPENAI_BASE_URL=... OPENAI_API_KEY=... python story_1_to_3.py DIRECTORY MODEL MODEL [JOB]
with mydata.jsonl in DIRECTORY, two tuned models to delete, and a job that has succeeded; without
JOB the story trains one itself.
"""

import asyncio
import inspect
import json
import os
import sys
import time
from types import SimpleNamespace

import openai
from answers import done, every, typed
from counting import Counted, offered
from openai import AsyncOpenAI, OpenAI
from openai.types import CreateEmbeddingResponse
from pydantic import BaseModel
from vector_stores import stores_told

os.chdir(sys.argv[1])
doomed, jobs = sys.argv[2:4], sys.argv[4:]
plain, asynchronous = OpenAI(), AsyncOpenAI()


async def refused(kind: type[openai.APIStatusError], code: str | None, param: str | None, call):
    try:
        await done(call)
        raise AssertionError(f"accepted: {call}")
    except kind as error:
        assert (error.code, error.param) == (code, param), error.body
        assert type(error) is kind, error
        assert error.request_id.startswith("req_") and error.message in str(error)


async def told(client, raw_client, model_to_delete: str) -> dict[str, str]:
    counted = Counted(client)
    made = counted.made

    file = await done(counted.files.create(file=open("mydata.jsonl", "rb"), purpose="fine-tune"))
    assert file.filename == "mydata.jsonl" and file.bytes == os.path.getsize("mydata.jsonl")
    content = await done(counted.files.content(file.id))
    assert content.content == open("mydata.jsonl", "rb").read()
    assert await done(counted.files.retrieve_content(file.id))
    assert (await done(counted.files.retrieve(file.id))).id == file.id
    assert (await done(counted.files.wait_for_processing(file.id))).status == "processed"
    # limit=1: the SDK asks for page after page.
    listed = await every(counted.files.list(purpose="fine-tune", limit=1))
    assert [f.id for f in listed].count(file.id) == 1

    if not jobs:
        jobs.append(await trained(counted, file.id))
    job = await done(counted.fine_tuning.jobs.retrieve(jobs[0]))
    await job_told(counted, job)
    await use_told(counted, job.fine_tuned_model)
    await batches_told(counted)
    await stores_told(counted)

    second = await done(
        counted.fine_tuning.jobs.create(
            model="gpt-3.5-turbo", training_file=file.id, hyperparameters={"n_epochs": 50}
        )
    )
    assert second.status == "validating_files"
    assert second.id in [j.id for j in await every(counted.fine_tuning.jobs.list(limit=1))]
    await attempt(counted, "fine_tuning.jobs.pause", second.id)
    await attempt(counted, "fine_tuning.jobs.resume", second.id)
    assert (await done(counted.fine_tuning.jobs.cancel(second.id))).status == "cancelled"
    await refused(
        openai.BadRequestError,
        "invalid_job_status",
        "fine_tune_id",
        raw_client.fine_tuning.jobs.cancel(second.id)
        if raw_client is asynchronous
        else Later(raw_client.fine_tuning.jobs.cancel, second.id),
    )
    await wishes_told(counted, job)

    assert model_to_delete in [m.id for m in await every(counted.models.list())]
    assert (await done(counted.models.retrieve(model_to_delete))).id == model_to_delete
    assert (await done(counted.models.delete(model_to_delete))).deleted
    assert (await done(counted.files.delete(file.id))).deleted
    await errors_told(raw_client, file.id, model_to_delete)
    return made


class Later:
    """A call of the sync client, made when it is awaited, so that errors can be caught alike."""

    def __init__(self, call, *given, **named) -> None:
        self.made = lambda: call(*given, **named)

    def __await__(self):
        return self.made()
        yield


async def trained(counted, file: str) -> str:
    job = await done(
        counted.fine_tuning.jobs.create(
            model="gpt-3.5-turbo",
            training_file=file,
            validation_file=file,
            suffix="my-suffix",
            seed=3,
            metadata={"team": "search"},
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
        )
    )
    assert job.status == "validating_files" and job.seed == 3
    assert job.metadata == {"team": "search"}
    while job.status not in ("succeeded", "failed"):
        time.sleep(0.5)
        job = await done(counted.fine_tuning.jobs.retrieve(job.id))
    assert job.fine_tuned_model.startswith("ft:gpt-3.5-turbo:personal:my-suffix:"), job
    return job.id


async def job_told(counted, job) -> None:
    assert job.status == "succeeded", job
    assert job.hyperparameters.n_epochs == 2 and isinstance(job.hyperparameters.batch_size, int)
    assert job.trained_tokens > 0 and job.finished_at >= job.created_at
    events = await every(counted.fine_tuning.jobs.list_events(job.id, limit=3))
    events = [typed(event) for event in events][::-1]
    # What only we say has data: the base, findings of the check, the plan of a step, the estimate,
    # and what it came to.
    messages = [event.message for event in events if not event.data]
    ours = {key for event in events if event.type == "message" for key in event.data or ()}
    assert ours == {"base", "finding", "plan", "estimate", "fact"}, ours
    checkpoints = [message for message in messages if message.startswith("Checkpoint")]
    gate = ("The weights are saved", "Checking that the served model")
    ends = [message for message in messages if message.startswith(gate)]
    assert len(ends) >= 2, messages
    assert [message for message in messages if message not in checkpoints + ends] == [
        f"Created fine-tuning job: {job.id}",
        f"Validating training file: {job.training_file} and validation file: {job.validation_file}",
        "Files validated, moving job to queued state",
        "Fine-tuning job started",
        f"New fine-tuned model created: {job.fine_tuned_model}",
        "The job has successfully completed",
    ], messages
    metrics = [event.data for event in events if event.type == "metrics"]
    assert all(m["train_loss"] > 0 and m["total_steps"] == len(metrics) for m in metrics), metrics
    assert any("full_valid_loss" in m for m in metrics)
    found = await every(counted.fine_tuning.jobs.checkpoints.list(job.id, limit=1))
    assert len(found) == len(checkpoints) == 2, found
    assert typed(found[0]).fine_tuned_model_checkpoint.endswith(f"ckpt-step-{found[0].step_number}")
    csv = (await done(counted.files.content(job.result_files[0]))).text
    assert csv.startswith("step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,")
    assert len(csv.splitlines()) == len(metrics) + 1


async def use_told(counted, model: str) -> None:
    question = [{"role": "user", "content": [{"type": "text", "text": "Is the sky blue?"}]}]
    asked = {"model": model, "messages": question, "max_completion_tokens": 80, "temperature": 0}
    chat = counted.chat.completions
    answer = await done(chat.create(**asked, n=2, seed=1))
    first, other = (choice.message.content for choice in answer.choices)
    assert first == other
    chunks = [
        typed(chunk)
        for chunk in await every(
            chat.create(**asked, stream=True, stream_options={"include_usage": True})
        )
    ]
    assert "".join((c.choices[0].delta.content or "") for c in chunks if c.choices) == first
    assert chunks[-1].usage.completion_tokens * 2 == answer.usage.completion_tokens
    await helper_told(chat, asked, first)
    raw = await done(chat.with_raw_response.create(**asked))
    assert raw.headers["x-request-id"].startswith("req_")
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.headers["openai-version"] and raw.headers["openai-organization"] == "personal"
    assert raw.parse().choices[0].message.content == first
    completions = counted.completions
    await done(completions.create(model="davinci-002", prompt=["One", "Two"], max_tokens=3))
    streamed = await every(
        completions.create(model="davinci-002", prompt="One", max_tokens=3, stream=True)
    )
    assert streamed[-1].choices[0].finish_reason in ("length", "stop")
    for format in ({"encoding_format": "float"}, {}):  # omitted: the SDK asks for base64
        many = await done(
            counted.embeddings.create(
                model="text-embedding-ada-002", input=["cats", "dogs"], **format
            )
        )
        assert [e.index for e in many.data] == [0, 1] and many.usage.total_tokens > 0
        assert all(abs(sum(x * x for x in e.embedding) - 1) < 1e-3 for e in many.data)


async def batches_told(counted) -> None:
    """A file of requests becomes a file of answers and one of errors."""
    given = {"endpoint": "/v1/embeddings", "completion_window": "24h"}
    bodies = [{"model": "text-embedding-ada-002", "input": f"review {n}"} for n in range(20)]
    bodies[7] |= {"dimensions": 0}
    with open("requests.jsonl", "w") as file:
        for number, body in enumerate(bodies):
            line = {"custom_id": f"row-{number}", "method": "POST", "url": given["endpoint"]}
            file.write(json.dumps({**line, "body": body}) + "\n")
    with open("requests.jsonl", "rb") as file:
        uploaded = await done(counted.files.create(file=file, purpose="batch"))
    metadata = {"of": "the story"}
    create = counted.batches.create
    batch = await done(create(input_file_id=uploaded.id, metadata=metadata, **given))
    assert (batch.status, batch.metadata, batch.object) == ("validating", metadata, "batch")
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.2)
        batch = await done(counted.batches.retrieve(batch.id))
    assert batch.status == "completed", batch
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (20, 19, 1)
    answers = [json.loads(line) for line in await text_of(counted, batch.output_file_id)]
    assert [line["custom_id"] for line in answers] == [f"row-{n}" for n in range(20) if n != 7]
    for line in answers:
        assert (line["error"], line["response"]["status_code"]) == (None, 200)
        CreateEmbeddingResponse.model_validate(line["response"]["body"], strict=True)
    [bad] = [json.loads(line) for line in await text_of(counted, batch.error_file_id)]
    assert (bad["custom_id"], bad["response"]["status_code"]) == ("row-7", 400)
    assert bad["response"]["body"]["error"]["param"] == "dimensions"
    used = sum(line["response"]["body"]["usage"]["total_tokens"] for line in answers)
    assert batch.to_dict()["usage"]["total_tokens"] == used
    other = await done(create(input_file_id=uploaded.id, **given))
    assert (await done(counted.batches.cancel(other.id))).status == "cancelling"
    listed = [found.id for found in await every(counted.batches.list(limit=1))]
    assert listed.index(other.id) < listed.index(batch.id), "newest first"
    while other.status != "cancelled":
        time.sleep(0.1)
        other = await done(counted.batches.retrieve(other.id))


async def text_of(counted, file: str) -> list[str]:
    return (await done(counted.files.content(file))).text.splitlines()


async def helper_told(chat, asked: dict, expected: str) -> None:
    """The stream helper: it accumulates the chunks and gives a whole completion at the end. For it
    an answer that reaches the limit is an error, so this one is stopped at a stretch of it."""
    if len(expected) > 16:
        asked = {**asked, "stop": [expected[12:16]]}
        expected = expected.partition(expected[12:16])[0]
    manager = chat.stream(**asked)
    if hasattr(manager, "__aenter__"):
        async with manager as stream:
            kinds = {event.type async for event in stream}
            final = await stream.get_final_completion()
    else:
        with manager as stream:
            kinds = {event.type for event in stream}
            final = stream.get_final_completion()
    assert {"chunk", "content.delta", "content.done"} <= kinds, kinds
    assert final.choices[0].message.content == expected


class Answer(BaseModel):
    blue: bool


async def wishes_told(counted, job) -> None:
    """Calls that the server may not offer: what becomes of each is written down."""
    path = os.path.abspath("mydata.jsonl")
    size = os.path.getsize(path)
    form = {"filename": "x.jsonl", "mime_type": "application/jsonl", "purpose": "fine-tune"}
    upload = await attempt(counted, "uploads.create", bytes=size, **form)
    id = upload.id if upload else "upload_x"
    part = await attempt(counted, "uploads.parts.create", id, data=open(path, "rb"))
    await attempt(counted, "uploads.complete", id, part_ids=[part.id if part else "part_x"])
    upload = await attempt(counted, "uploads.create", bytes=size, **form)
    await attempt(counted, "uploads.cancel", upload.id if upload else "upload_x")
    await attempt(
        counted,
        "uploads.upload_file_chunked",
        file=path,
        mime_type="application/jsonl",
        purpose="fine-tune",
    )
    checkpoints = await every(counted.fine_tuning.jobs.checkpoints.list(job.id))
    checkpoint = checkpoints[-1].fine_tuned_model_checkpoint
    granted = await attempt(
        counted, "fine_tuning.checkpoints.permissions.create", checkpoint, project_ids=["proj_x"]
    )
    for verb in ("retrieve", "list"):
        await attempt(counted, f"fine_tuning.checkpoints.permissions.{verb}", checkpoint)
    await attempt(
        counted,
        "fine_tuning.checkpoints.permissions.delete",
        granted.data[0].id if granted else "cp_x",
        fine_tuned_model_checkpoint=checkpoint,
    )
    asked = {"model": job.fine_tuned_model, "messages": [{"role": "user", "content": "Blue?"}]}
    await attempt(counted, "chat.completions.parse", **asked, max_tokens=40, response_format=Answer)
    for verb in ("retrieve", "delete"):
        await attempt(counted, f"chat.completions.{verb}", "chatcmpl-x")
    await attempt(counted, "chat.completions.update", "chatcmpl-x", metadata={})
    await attempt(counted, "chat.completions.list")
    await attempt(counted, "chat.completions.messages.list", "chatcmpl-x")
    grader = {"type": "string_check", "name": "g", "operation": "eq", "input": "a", "reference": ""}
    await attempt(counted, "fine_tuning.alpha.graders.run", grader=grader, model_sample="a")
    await attempt(counted, "fine_tuning.alpha.graders.validate", grader=grader)


async def attempt(counted, path: str, *given, **named):
    """Make a call where this SDK has it. None where the server refuses it, by name and with 4xx."""
    resource = counted
    for name in path.split("."):
        resource = getattr(resource, name, None)
        if resource is None:
            return None
    try:
        value = resource(*given, **named)
        if hasattr(value, "__aiter__") and not inspect.iscoroutine(value):
            return SimpleNamespace(data=await every(value))  # it asks when it is read
        return await done(value)
    except openai.APIStatusError as error:
        assert 400 <= error.status_code < 500 and error.message, error
        counted.made[path] = f"refused: {error.status_code}"
    except (openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError):
        pass  # the tiny base did not come to an end: the call itself was answered
    return None


async def errors_told(client, file: str, deleted: str) -> None:
    def call(method, **named):
        return Later(method, **named) if client is plain else method(**named)

    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    create = client.chat.completions.create
    await refused(
        openai.NotFoundError, "model_not_found", "model", call(create, model=deleted, **chat)
    )
    await refused(
        openai.BadRequestError,
        "integer_above_max_value",
        "n",
        call(create, model="gpt-3.5-turbo", n=129, **chat),
    )
    await refused(
        openai.BadRequestError,
        "model_not_available",
        "model",
        call(client.fine_tuning.jobs.create, model="nothing", training_file=file),
    )
    await refused(openai.NotFoundError, None, "id", call(client.files.retrieve, file_id=file))
    await refused(
        openai.PermissionDeniedError,
        None,
        "model",
        call(client.models.delete, model="builtin-chat"),
    )
    stranger = client.with_options(api_key="sk-wrong")
    await refused(
        openai.AuthenticationError, "invalid_api_key", None, call(stranger.models.list)
        if client is plain
        else every(stranger.models.list()),
    )  # fmt: skip


async def both() -> None:
    made = {
        "sync": await told(plain, plain, doomed[0]),
        "async": await told(asynchronous, asynchronous, doomed[1]),
    }
    found = {"version": openai.__version__, "offered": offered(plain), **made}
    print(json.dumps(found))


asyncio.run(both())
