from collections.abc import Iterator

import pytest
import torch
from engines import Engine
from transformers import LlamaConfig, LlamaForCausalLM

from tunewright.generation.generator import ModelSpec
from tunewright.serving.client import EngineClient


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> ModelSpec:
    directory = tmp_path_factory.mktemp("base")
    torch.manual_seed(1)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        # Room for a generation that no test is willing to wait for.
        max_position_embeddings=100_000,
        initializer_range=0.4,
    )
    LlamaForCausalLM(config).save_pretrained(directory)
    return ModelSpec("base", str(directory))


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for the tests that leave it as it was: importing torch takes seconds."""
    engine = Engine(tmp_path_factory.mktemp("engine") / "engine.sock").start()
    yield engine
    engine.close()


@pytest.fixture
def client(shared_engine: Engine) -> Iterator[EngineClient]:
    client = EngineClient(shared_engine.socket, seconds=60)
    yield client
    client.close()
