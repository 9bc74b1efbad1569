"""Frameworks as their own users call them, unmodified: only OPENAI_* says where the server is.

Run by `tests/test_frameworks.py` in an environment of their own: frameworks.py NAME FILE.
"""

import importlib.machinery
import json
import sys
import time
import types
from pathlib import Path

import openai


def langchain(file: str) -> None:
    """Its default sends ids of cl100k: they must give the vectors of the texts themselves."""
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    texts = ["good quality dog food", "the soup was awful"]
    vectors = OpenAIEmbeddings().embed_documents(texts)
    plain = openai.OpenAI().embeddings.create(model="text-embedding-ada-002", input=texts)
    for vector, known in zip(vectors, plain.data, strict=True):
        assert sum(a * b for a, b in zip(vector, known.embedding, strict=True)) > 0.999
    assert ChatOpenAI(model="gpt-4o-mini", max_tokens=5).invoke("Hi").content


def llamaindex(file: str) -> None:
    _stand_in("torch", "transformers", "sentence_transformers", "mistralai", "cohere")
    _stand_in("llama_index.postprocessor", "llama_index.llms.mistralai", "azure")
    _stand_in("llama_index.llms.azure_openai", "llama_index.embeddings")
    from llama_index.core.llms import ChatMessage
    from llama_index.finetuning import OpenAIFinetuneEngine

    engine = OpenAIFinetuneEngine("gpt-3.5-turbo", file)
    engine.finetune()
    while engine.get_current_job().status not in ("succeeded", "failed"):
        time.sleep(0.5)
    model = engine.get_finetuned_model(max_tokens=5)
    assert model.model.startswith("ft:gpt-3.5-turbo:"), model.model
    assert model.metadata.context_window, "it knows the model by its name"
    assert model.chat([ChatMessage(role="user", content="Hi")]).message.content


def dspy(file: str) -> None:
    import dspy
    from dspy.clients.utils_finetune import TrainDataFormat

    dspy.settings.configure(experimental=True)
    rows = [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]
    model = dspy.LM("openai/gpt-3.5-turbo", max_tokens=5, cache=False)
    trained = model.finetune(rows, TrainDataFormat.CHAT, {"n_epochs": 1}).result()
    assert isinstance(trained, dspy.LM), trained
    assert "ft:gpt-3.5-turbo:" in trained.model
    assert trained("Hi")


def litellm(file: str) -> None:
    import litellm

    tuned = next(m.id for m in openai.OpenAI().models.list() if m.id.startswith("ft:"))
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    assert litellm.get_llm_provider(tuned)[1] == "openai"
    for model in (tuned, "gpt-4o-mini"):
        assert litellm.completion(model=model, **asked).choices[0].message.content
    assert litellm.embedding(model="text-embedding-3-small", input=["Hi"]).data


class _Anything(type):
    def __getattr__(cls, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


class _Standing(types.ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything(name, (), {})


def _stand_in(*packages: str) -> None:
    """LlamaIndex's package imports what its other engines train with; this one needs none of it."""

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if any(f"{name}.".startswith(f"{package}.") for package in packages):
                return importlib.machinery.ModuleSpec(name, self, is_package=True)
            return None

        def create_module(self, spec):
            return _Standing(spec.name)

        def exec_module(self, module):
            pass

    sys.meta_path.insert(0, Finder())


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
    print("done")
