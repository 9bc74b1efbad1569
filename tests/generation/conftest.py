import pytest
import torch
from tiny_models import Models

from tunewright.generation.embedded import EmbeddedGenerator
from tunewright.weights import base


@pytest.fixture(autouse=True)
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """float32 everywhere: in bfloat16 two right ways of adding may disagree on a token."""
    monkeypatch.setattr(base, "compute_dtype", lambda: torch.float32)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def generator() -> EmbeddedGenerator:
    return EmbeddedGenerator()
