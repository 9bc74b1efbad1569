"""The same texts embedded twice, without retries; prints "asking" before each, and then the end.

OPENAI_BASE_URL=... OPENAI_API_KEY=... python embedded_twice.py MODEL TEXT...
"""

import json
import sys

import openai

client = openai.OpenAI(max_retries=0)
model, *texts = sys.argv[1:]
for _ in range(2):
    print("asking", flush=True)
    try:
        answer = client.embeddings.create(model=model, input=texts)
        told = {"vectors": [each.embedding for each in answer.data]}
    except openai.APIStatusError as error:
        told = {"raised": type(error).__name__, "status": error.status_code, "body": error.body}
    print(json.dumps(told), flush=True)
