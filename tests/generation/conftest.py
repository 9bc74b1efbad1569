import pytest
from tiny_models import Models

from tunewright.generation.embedded import EmbeddedGenerator


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def generator() -> EmbeddedGenerator:
    return EmbeddedGenerator()
