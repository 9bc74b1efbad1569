"""OpenAI's guide with SDK 0.28.1, unchanged but for api_base. Run by tests/test_story.py.

Usage: python story_0_28_1.py BASE_URL KEY DIRECTORY-WITH-mydata.jsonl
"""

import os
import sys
import time

import openai

openai.api_base, openai.api_key = sys.argv[1:3]
os.chdir(sys.argv[3])

file = openai.File.create(file=open("mydata.jsonl", "rb"), purpose="fine-tune")
assert file["object"] == "file" and file["status"] == "processed", file
assert openai.File.retrieve(file.id).bytes == os.path.getsize("mydata.jsonl")
assert openai.File.download(file.id) == open("mydata.jsonl", "rb").read()
assert file.id in [f.id for f in openai.File.list()["data"]]

job = openai.FineTuningJob.create(training_file=file.id, model="gpt-3.5-turbo")
assert job.object == "fine_tuning.job" and job.status == "validating_files", job
assert job.fine_tuned_model is None
assert openai.FineTuningJob.list(limit=10)["data"][0].id == job.id
assert [j.id for j in openai.FineTuningJob.auto_paging_iter(limit=1)].count(job.id) == 1

while (job := openai.FineTuningJob.retrieve(job.id)).status not in ("succeeded", "failed"):
    time.sleep(0.5)
assert job.status == "succeeded", job
assert job.fine_tuned_model.startswith("ft:builtin-chat:"), job

events = openai.FineTuningJob.list_events(id=job.id, limit=10)
assert len(events["data"]) == 10 and events["has_more"] is True
assert events["data"][0].message == "The job has successfully completed"

answer = openai.ChatCompletion.create(
    model=job.fine_tuned_model,
    messages=[{"role": "user", "content": "What is the capital of France?"}],
    max_tokens=12,
    temperature=0,
)
assert answer.choices[0].message.content
text = ""
for chunk in openai.ChatCompletion.create(
    model=job.fine_tuned_model,
    messages=[{"role": "user", "content": "What is the capital of France?"}],
    max_tokens=12,
    temperature=0,
    stream=True,
):
    assert "error" not in chunk
    text += chunk.choices[0].delta.get("content", "")
assert text == answer.choices[0].message.content, (text, answer)

assert openai.Completion.create(model="babbage-002", prompt="Once upon a time", max_tokens=5)[
    "choices"
][0]["text"]

vector = openai.Embedding.create(input=["a b c"], model="text-embedding-ada-002")["data"][0][
    "embedding"
]
assert abs(sum(x * x for x in vector) - 1) < 1e-3, len(vector)

second = openai.FineTuningJob.create(training_file=file.id, model="gpt-3.5-turbo-0613")
assert openai.FineTuningJob.cancel(second.id).status == "cancelled"

assert openai.Model.retrieve(job.fine_tuned_model).id == job.fine_tuned_model
assert openai.Model.delete(job.fine_tuned_model)["deleted"] is True
try:
    openai.Model.retrieve(job.fine_tuned_model)
    raise AssertionError("the deleted model is still there")
except openai.error.InvalidRequestError as error:
    assert error.code == "model_not_found"
assert openai.File.delete(file.id)["deleted"] is True
try:
    openai.File.retrieve("file-unknown")
    raise AssertionError("an unknown file was found")
except openai.error.InvalidRequestError as error:
    assert error.param == "id", error
openai.api_key = "sk-wrong-key-that-nobody-has"
try:
    openai.Model.list()
    raise AssertionError("a wrong key was let in")
except openai.error.AuthenticationError as error:
    assert error.json_body["error"]["code"] == "invalid_api_key"
print("the story is told")
