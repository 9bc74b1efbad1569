"""Code as it was written for OpenAI. Nothing in it changes in a move: base_url and the key are
taken from OPENAI_BASE_URL and OPENAI_API_KEY. Run by tests/imports/test_move.py:
python client_of_old.py MODEL QUESTION
"""

import json
import sys

from openai import NotFoundError, OpenAI

client = OpenAI(max_retries=0)
try:
    made = client.chat.completions.create(
        model=sys.argv[1],
        messages=[{"role": "user", "content": sys.argv[2]}],
        temperature=0,
        max_tokens=16,
    )
    said = {
        "answer": made.choices[0].message.content,
        "model": made.model,
        "fingerprint": made.system_fingerprint,
        "listed": sys.argv[1] in [model.id for model in client.models.list()],
    }
except NotFoundError as error:
    said = {"error": error.code}
print(json.dumps(said))
