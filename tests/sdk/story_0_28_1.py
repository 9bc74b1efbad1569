"""OpenAI's guide with SDK 0.28.1, unchanged but for api_base. Run by tests/test_story.py.

Usage: python story_0_28_1.py BASE_URL KEY DIRECTORY MODEL
with mydata.jsonl in DIRECTORY, and a tuned model that may be deleted.
The last line printed is what became of every call that the SDK offers.
"""

import asyncio
import json
import os
import sys
import time

import openai

openai.api_base, openai.api_key = sys.argv[1:3]
os.chdir(sys.argv[3])

# The SDK's calls of our resources. File.adownload is left out: the SDK itself fails in it.
OFFERED = {
    "File": "create list retrieve delete download find_matching_files wait_for_processing",
    "FineTuningJob": "create list auto_paging_iter retrieve cancel list_events",
    "Model": "list retrieve delete",
    "ChatCompletion": "create",
    "Completion": "create",
    "Embedding": "create",
    "Engine": "list retrieve",
}
made: dict[str, dict[str, str]] = {"sync": {}, "async": {}}


def ask(call: str, *given, **named):
    """``ask("File.create", …)`` is ``openai.File.create(…)``, written down."""
    kind, verb = call.split(".")
    value = getattr(getattr(openai, kind), verb)(*given, **named)
    made["sync"][call] = "yes"
    return value


async def aask(call: str, *given, **named):
    kind, verb = call.split(".")
    value = await getattr(getattr(openai, kind), f"a{verb}")(*given, **named)
    made["async"][call] = "yes"
    return value


file = ask("File.create", file=open("mydata.jsonl", "rb"), purpose="fine-tune")
assert file["object"] == "file" and file["status"] == "processed", file
assert ask("File.retrieve", file.id).bytes == os.path.getsize("mydata.jsonl")
assert ask("File.download", file.id) == open("mydata.jsonl", "rb").read()
assert file.id in [f.id for f in ask("File.list")["data"]]
assert ask("File.wait_for_processing", file.id) == "processed"
same = ask("File.find_matching_files", name="file", bytes=file.bytes, purpose="fine-tune")
assert file.id in [f["id"] for f in same]

asked = {"model": "gpt-3.5-turbo", "hyperparameters": {"n_epochs": 2}}
job = ask("FineTuningJob.create", training_file=file.id, **asked)
assert job.object == "fine_tuning.job" and job.status == "validating_files", job
assert job.fine_tuned_model is None
assert ask("FineTuningJob.list", limit=10)["data"][0].id == job.id
assert [j.id for j in ask("FineTuningJob.auto_paging_iter", limit=1)].count(job.id) == 1

while (job := ask("FineTuningJob.retrieve", job.id)).status not in ("succeeded", "failed"):
    time.sleep(0.5)
assert job.status == "succeeded", job
assert job.fine_tuned_model.startswith("ft:gpt-3.5-turbo:"), job

events = ask("FineTuningJob.list_events", id=job.id, limit=10)
assert len(events["data"]) == 10 and events["has_more"] is True
assert events["data"][0].message == "The job has successfully completed"

asked = {
    "model": job.fine_tuned_model,
    "messages": [{"role": "user", "content": "What is the capital of France?"}],
    "max_tokens": 12,
    "temperature": 0,
}
answer = ask("ChatCompletion.create", **asked)
assert answer.choices[0].message.content
text = ""
for chunk in ask("ChatCompletion.create", **asked, stream=True):
    assert "error" not in chunk
    text += chunk.choices[0].delta.get("content", "")
assert text == answer.choices[0].message.content, (text, answer)

prompt = {"model": "babbage-002", "prompt": "Once upon a time", "max_tokens": 5, "temperature": 0}
whole = ask("Completion.create", **prompt)["choices"][0]["text"]
assert whole
assert "".join(c.choices[0].text for c in ask("Completion.create", **prompt, stream=True)) == whole

words = {"input": ["a b c"], "model": "text-embedding-ada-002"}
vector = ask("Embedding.create", **words)["data"][0]["embedding"]
assert abs(sum(x * x for x in vector) - 1) < 1e-3, len(vector)
assert "gpt-3.5-turbo" in [engine.id for engine in ask("Engine.list")["data"]]
assert ask("Engine.retrieve", "text-search-ada-doc-001").ready

second = ask("FineTuningJob.create", training_file=file.id, model="gpt-3.5-turbo-0613")
assert ask("FineTuningJob.cancel", second.id).status == "cancelled"
assert ask("Model.retrieve", job.fine_tuned_model).id == job.fine_tuned_model

# It has no batches: its own requestor sends them, as people did who kept this SDK.
requestor = openai.api_requestor.APIRequestor()


def raw(method: str, path: str, **params) -> dict:
    return requestor.request(method, path, params)[0].data


line = {"custom_id": "1", "method": "POST", "url": "/v1/embeddings", "body": words}
requests = ask("File.create", file=json.dumps(line).encode(), purpose="batch")
endpoint = {"endpoint": "/v1/embeddings", "completion_window": "24h"}
batch = raw("post", "/batches", input_file_id=requests.id, **endpoint)
while batch["status"] not in ("completed", "failed"):
    time.sleep(0.2)
    batch = raw("get", f"/batches/{batch['id']}")
said = json.loads(ask("File.download", batch["output_file_id"]))
near = said["response"]["body"]["data"][0]["embedding"]
assert max(abs(a - b) for a, b in zip(near, vector, strict=True)) < 1e-5, batch


def raw(method: str, path: str, **body):
    """A call that this SDK has no name for, by the requestor that all of its calls use."""
    response, streamed, _ = openai.api_requestor.APIRequestor().request(method, path, body or None)
    assert not streamed
    return response.data


def stores_told() -> None:
    note = openai.File.create(
        file=open("note.txt", "rb"), purpose="assistants", user_provided_filename="note.txt"
    )
    store = raw("post", "/vector_stores", name="Notes", file_ids=[note.id])
    path = f"/vector_stores/{store['id']}"
    while raw("get", path)["status"] == "in_progress":
        time.sleep(0.1)
    assert raw("get", f"{path}/files", filter="completed")["data"][0]["id"] == note.id
    [best] = raw("post", f"{path}/search", query="Where is the key?")["data"]
    assert best["content"][0]["text"] == "The key is under the mat."
    assert raw("delete", path)["deleted"] is True
    try:
        raw("post", f"{path}/search", query="Where is the key?")
        raise AssertionError("a deleted store was searched")
    except openai.error.InvalidRequestError as error:
        assert (error.http_status, error.param) == (404, "vector_store_id"), error


with open("note.txt", "w") as written:
    written.write("The key is under the mat.")
stores_told()


async def asynchronous() -> None:
    """The same calls once more, where the SDK has them."""
    other = await aask("File.create", file=open("mydata.jsonl", "rb"), purpose="fine-tune")
    assert (await aask("File.retrieve", other.id)).id == other.id
    assert other.id in [f.id for f in (await aask("File.list"))["data"]]
    assert await aask("File.find_matching_files", "file", other.bytes, "fine-tune")
    third = await aask("FineTuningJob.create", training_file=other.id, model="gpt-3.5-turbo")
    assert (await aask("FineTuningJob.list", limit=1))["data"][0].id == third.id
    assert (await aask("FineTuningJob.retrieve", third.id)).id == third.id
    assert (await aask("FineTuningJob.cancel", third.id)).status == "cancelled"
    assert (await aask("ChatCompletion.create", **asked)).choices == answer.choices
    streamed = await aask("ChatCompletion.create", **asked, stream=True)
    pieces = [chunk.choices[0].delta.get("content", "") async for chunk in streamed]
    assert "".join(pieces) == text
    assert (await aask("Completion.create", **prompt)).choices[0].text == whole
    assert (await aask("Embedding.create", **words)).data[0].embedding == vector
    assert (await aask("Engine.list"))["data"] and (await aask("Engine.retrieve", "gpt-3.5-turbo"))
    assert (await aask("Model.list"))["data"]
    assert (await aask("Model.retrieve", job.fine_tuned_model)).id == job.fine_tuned_model
    # The SDK gives its own response object here, and no attribute-dict.
    assert (await aask("File.delete", other.id)).data["deleted"] is True
    assert (await aask("Model.delete", sys.argv[4])).data["deleted"] is True


asyncio.run(asynchronous())
assert job.fine_tuned_model in [model.id for model in ask("Model.list")["data"]]
assert ask("Model.delete", job.fine_tuned_model)["deleted"] is True
try:
    openai.Model.retrieve(job.fine_tuned_model)
    raise AssertionError("the deleted model is still there")
except openai.error.InvalidRequestError as error:
    assert error.code == "model_not_found"
assert ask("File.delete", file.id)["deleted"] is True
try:
    openai.File.retrieve("file-unknown")
    raise AssertionError("an unknown file was found")
except openai.error.InvalidRequestError as error:
    assert error.param == "id", error
try:
    openai.ChatCompletion.create(**{**asked, "model": "gpt-3.5-turbo", "n": 129})
    raise AssertionError("n=129 was accepted")
except openai.error.InvalidRequestError as error:
    assert (error.param, error.code) == ("n", "integer_above_max_value"), error
try:
    openai.Model.delete("builtin-chat")
    raise AssertionError("a base was deleted")
except openai.error.PermissionError as error:
    assert error.http_status == 403
openai.api_key = "sk-wrong-key-that-nobody-has"
try:
    openai.Model.list()
    raise AssertionError("a wrong key was let in")
except openai.error.AuthenticationError as error:
    assert error.json_body["error"]["code"] == "invalid_api_key"
offered = [f"{kind}.{verb}" for kind, verbs in OFFERED.items() for verb in verbs.split()]
for call in offered:
    kind, verb = call.split(".")
    if call == "File.download" or not hasattr(getattr(openai, kind), f"a{verb}"):
        made["async"][call] = "-"
print(json.dumps({"version": openai.__version__, "offered": offered, **made}))
