from collections.abc import Callable
from pathlib import Path

import pytest

from rendering.models import TEMPLATES, write_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    root = tmp_path_factory.mktemp("models")

    def get(template: str | None, tokenizer: str = "byte-level") -> Path:
        directory = root / f"{template}-{tokenizer}"
        if not directory.exists():
            write_model(directory, TEMPLATES[template] if template else None, tokenizer)
        return directory

    return get
