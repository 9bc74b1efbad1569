"""What SDK 0.28.1 sends for `engine=`: the model's name in the path.

Run by tests/api/test_engines.py. Usage: python engines_0_28_1.py BASE_URL KEY
"""

import importlib.util
import sys

import openai

openai.api_base, openai.api_key = sys.argv[1:3]


def length(vector: list[float]) -> float:
    return sum(x * x for x in vector)


listed = openai.Engine.list()["data"]
assert {"text-search-ada-doc-001", "gpt-3.5-turbo"} <= {engine["id"] for engine in listed}
assert all(engine["object"] == "engine" and engine["ready"] for engine in listed)
assert openai.Engine.retrieve("text-similarity-davinci-001").id == "text-similarity-davinci-001"

# What embeddings_utils.get_embedding does; it needs packages that are seldom installed.
by_engine = openai.Embedding.create(input=["a b c"], engine="text-similarity-davinci-001")
by_model = openai.Embedding.create(input=["a b c"], model="text-similarity-davinci-001")
assert by_engine["data"][0]["embedding"] == by_model["data"][0]["embedding"]
assert abs(length(by_engine["data"][0]["embedding"]) - 1) < 1e-3
PACKAGES = ("sklearn", "scipy", "pandas", "plotly", "matplotlib", "tenacity")
if all(importlib.util.find_spec(name) for name in PACKAGES):
    from openai.embeddings_utils import cosine_similarity, get_embedding

    vectors = [get_embedding(text, engine="text-embedding-ada-002") for text in ("cat", "cat")]
    assert cosine_similarity(*vectors) > 0.999

asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "temperature": 0}
chats = [
    openai.ChatCompletion.create(**{key: "gpt-3.5-turbo"}, **asked).choices[0].message.content
    for key in ("engine", "deployment_id", "model")
]
assert chats[0] == chats[1] == chats[2], chats
streamed = openai.ChatCompletion.create(engine="gpt-3.5-turbo", stream=True, **asked)
assert "".join(c.choices[0].delta.get("content", "") for c in streamed) == chats[0]
assert openai.Completion.create(engine="babbage-002", prompt="Once", max_tokens=4).choices[0].text
try:
    openai.Embedding.create(input=["a"], engine="nothing")
    raise AssertionError("an unknown engine was found")
except openai.error.InvalidRequestError as error:
    assert error.code == "model_not_found", error
print("the engines ran")
