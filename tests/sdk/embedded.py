"""An embedder as code written for OpenAI asks for it; prints what came back.

OPENAI_BASE_URL=... OPENAI_API_KEY=... python embedded.py MODEL TEXT
"""

import json
import sys

import openai

client = openai.OpenAI()
model, text = sys.argv[1:]
found = {"version": openai.__version__}
for name, more in (("whole", {}), ("few", {"dimensions": 64})):
    answer = client.embeddings.create(model=model, input=text, **more)
    found[name] = answer.data[0].embedding
    found["tokens"] = answer.usage.total_tokens
print(json.dumps(found))
