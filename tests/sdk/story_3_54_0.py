"""Today's calls with SDK 3.54.0, unchanged but for OPENAI_BASE_URL. Run by tests/test_story.py.

Every body is validated, strictly, against the SDK's own types: the SDK itself would take anything.
Usage: OPENAI_BASE_URL=... OPENAI_API_KEY=... python story_3_54_0.py DIRECTORY-WITH-mydata.jsonl
"""

import os
import sys
import time

import openai
from openai import OpenAI
from openai.types import CompletionUsage
from pydantic import BaseModel

os.chdir(sys.argv[1])
client = OpenAI()


def typed(value: BaseModel) -> BaseModel:
    """The same object, built by validation from the bytes that the server sent."""
    type(value).model_validate_json(value.to_json())
    return value


file = typed(client.files.create(file=open("mydata.jsonl", "rb"), purpose="fine-tune"))
assert file.filename == "mydata.jsonl" and file.bytes == os.path.getsize("mydata.jsonl")
assert client.files.content(file.id).read() == open("mydata.jsonl", "rb").read()
typed(client.files.list(purpose="fine-tune"))
assert client.files.wait_for_processing(file.id).status == "processed"

job = typed(
    client.fine_tuning.jobs.create(
        model="gpt-3.5-turbo",
        training_file=file.id,
        validation_file=file.id,
        suffix="my-suffix",
        seed=3,
        metadata={"team": "search"},
        method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}},
    )
)
assert job.status == "validating_files" and job.seed == 3 and job.metadata == {"team": "search"}
while (job := typed(client.fine_tuning.jobs.retrieve(job.id))).status not in (
    "succeeded",
    "failed",
):
    time.sleep(0.5)
assert job.status == "succeeded", job
assert job.hyperparameters.n_epochs == 2 and isinstance(job.hyperparameters.batch_size, int)
assert job.fine_tuned_model.startswith("ft:builtin-chat:personal:my-suffix:"), job
assert job.trained_tokens > 0 and job.finished_at >= job.created_at

# limit=3: the SDK asks for page after page.
messages = [event.message for event in client.fine_tuning.jobs.list_events(job.id, limit=3)][::-1]
plain = [m for m in messages if not m.startswith("Step ")]
checkpoints = [m for m in plain if m.startswith("Checkpoint")]
assert [m for m in plain if m not in checkpoints] == [
    f"Created fine-tuning job: {job.id}",
    f"Validating training file: {file.id} and validation file: {file.id}",
    "Files validated, moving job to queued state",
    "Fine-tuning job started",
    f"New fine-tuned model created: {job.fine_tuned_model}",
    "The job has successfully completed",
], plain
metrics = [
    typed(e).data
    for e in client.fine_tuning.jobs.list_events(job.id, limit=100)
    if e.type == "metrics"
]
assert metrics and all(m["train_loss"] > 0 and m["total_steps"] == len(metrics) for m in metrics)
assert any("full_valid_loss" in m for m in metrics)

found = list(client.fine_tuning.jobs.checkpoints.list(job.id))
assert len(found) == len(checkpoints) == 2, found
assert typed(found[0]).fine_tuned_model_checkpoint.endswith(f"ckpt-step-{found[0].step_number}")
csv = client.files.content(job.result_files[0]).text
assert csv.startswith("step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n1,")
assert len(csv.splitlines()) == len(metrics) + 1

question = [{"role": "user", "content": [{"type": "text", "text": "Is the sky blue?"}]}]
asked = {"model": job.fine_tuned_model, "messages": question, "max_completion_tokens": 16}
answer = typed(client.chat.completions.create(**asked, temperature=0, n=2, seed=1))
assert len(answer.choices) == 2 and isinstance(answer.usage, CompletionUsage)
assert answer.choices[0].message.content == answer.choices[1].message.content
text, usage = "", None
for chunk in client.chat.completions.create(
    **asked, temperature=0, stream=True, stream_options={"include_usage": True}
):
    typed(chunk)
    usage = chunk.usage or usage
    text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
assert text == answer.choices[0].message.content
assert usage.prompt_tokens == answer.usage.prompt_tokens
typed(client.completions.create(model="davinci-002", prompt=["One", "Two"], max_tokens=3))
for format in ("float", openai.omit):  # omitted, the SDK asks for base64 and decodes it
    many = typed(
        client.embeddings.create(
            model="text-embedding-ada-002", input=["cats", "dogs"], encoding_format=format
        )
    )
    assert [e.index for e in many.data] == [0, 1] and many.usage.total_tokens > 0

assert job.fine_tuned_model in [typed(m).id for m in client.models.list()]
typed(client.models.retrieve(job.fine_tuned_model))
assert typed(client.models.delete(job.fine_tuned_model)).deleted
try:
    client.chat.completions.create(**asked)
    raise AssertionError("a deleted model answers")
except openai.NotFoundError as error:
    assert error.code == "model_not_found" and error.request_id.startswith("req_")
try:
    client.fine_tuning.jobs.create(model="nothing", training_file=file.id)
    raise AssertionError("an unknown base was accepted")
except openai.BadRequestError as error:
    assert error.code == "model_not_available" and error.param == "model"
second = client.fine_tuning.jobs.create(model="gpt-3.5-turbo", training_file=file.id)
assert typed(client.fine_tuning.jobs.cancel(second.id)).status == "cancelled"
try:
    client.fine_tuning.jobs.cancel(second.id)
    raise AssertionError("cancelled twice")
except openai.BadRequestError:
    pass
assert typed(client.files.delete(file.id)).deleted
print("the story is told")
