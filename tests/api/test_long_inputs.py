"""What becomes of long inputs, and which prompt is used, as it is over HTTP."""

import httpx
import pytest

from embedding import sentence_models
from servers import Server
from tunewright import Tunewright


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> httpx.Client:
    """Of a server that runs already, in whose home two models are added."""
    source = sentence_models.whole(tmp_path_factory.mktemp("model"))
    tw = Tunewright(server.home)
    for way in ("average", "truncate"):
        tw.add_base(f"long-{way}", str(source), long_inputs=way)  # type: ignore[arg-type]
    return httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {server.key}"})


def test_a_header_says_that_inputs_were_cut_or_averaged(client: httpx.Client) -> None:
    texts = ["cat " * 30, "dog", "dog " * 21]
    for way, header, other in (
        ("average", "tunewright-chunked-inputs", "tunewright-truncated-inputs"),
        ("truncate", "tunewright-truncated-inputs", "tunewright-chunked-inputs"),
    ):
        answer = client.post("/embeddings", json={"model": f"long-{way}", "input": texts})
        assert answer.headers[header] == "2"
        assert other not in answer.headers
        assert answer.json()["usage"]["prompt_tokens"] == 52


def test_a_prompt_that_the_model_lacks_is_refused_by_name(client: httpx.Client) -> None:
    asked = {"model": "long-average", "input": "cat", "prompt_name": "query"}
    error = client.post("/embeddings", json=asked).json()["error"]
    assert (error["code"], error["param"]) == ("unknown_prompt", "prompt_name")
    assert "has no prompt 'query'. It has none." in error["message"]
    asked["prompt_name"] = ""
    assert client.post("/embeddings", json=asked).status_code == 200
