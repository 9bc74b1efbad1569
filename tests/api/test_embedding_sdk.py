"""`builtin-mini` through the unmodified SDK: its vectors, whole and cut."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from servers import REPOSITORY, Server
from tunewright import builtin
from tunewright.embedding import open_embedder
from tunewright.embedding.vectors import shortened

SCRIPT = Path(__file__).parents[1] / "sdk" / "embedded.py"
CAT = "The cat sat on the mat."


def test_the_sdk_gets_the_vectors_of_builtin_mini(server: Server) -> None:
    python = REPOSITORY / ".sdk/3.54.0/bin/python"
    if not python.exists():
        pytest.fail("no environment for openai 3.54.0: run `make sdk`")
    environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key}
    done = subprocess.run(
        [str(python), str(SCRIPT), "builtin-mini", CAT],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = open_embedder(builtin.MINI).embed([CAT])
    np.testing.assert_allclose([found["whole"]], expected.vectors, atol=1e-6)
    np.testing.assert_allclose([found["few"]], shortened(expected.vectors, 64), atol=1e-6)
    assert found["tokens"] == expected.tokens[0] == 7
