"""Run openai-python's own tests of the calls that are offered against a server here.

    python tests/conformance/upstream.py SUITE     SUITE: a checkout of openai-python, not ours

Those tests were written against a mock that answers to any id. A proxy in between puts a real key,
and real ids for the placeholders, made for the purpose: of a file, a tuned model, a job in the
state that the call needs. What the mock lets through and no server can do (`limit: 0`,
`best_of: 0`, a bias for the token "foo", options of a stream without one, a batch for the Responses
API, a batch of no files, or of two forms at once) becomes the nearest value that can be done, and
`suffix`, which is refused by name, is left out so that the rest of its call is seen. Nothing else
is changed: what else is not offered stays refused, and its test fails.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from servers import REPOSITORY, Server, chats, start_server  # noqa: E402

PYTHON = REPOSITORY / ".sdk" / "upstream" / "bin" / "python"
SUITES = (
    "test_files.py",
    "test_models.py",
    "test_uploads.py",
    "uploads/test_parts.py",
    "fine_tuning/test_jobs.py",
    "fine_tuning/jobs/test_checkpoints.py",
    "fine_tuning/checkpoints/test_permissions.py",
    "admin/organization/test_admin_api_keys.py",
    "test_completions.py",
    "test_embeddings.py",
    "test_batches.py",
    "test_vector_stores.py",
    "vector_stores/test_files.py",
    "vector_stores/test_file_batches.py",
    "chat/test_completions.py",
)
_DROPPED = ("content-length", "transfer-encoding", "connection", "content-encoding", "host")


class Seeds:
    """Real things for placeholders. What a call uses up is made anew for each."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.file = server.upload(chats(12))
        hyperparameters = {"n_epochs": 12, "batch_size": 12}
        job = server.job(
            model="gpt-4o-mini", training_file=self.file, hyperparameters=hyperparameters
        )
        self.job = server.wait(job["id"])
        self.model = self.job["fine_tuned_model"]
        self._checkpoints = iter(range(1, 12))
        self.document = server.upload(b"Some words.", "words.txt", "assistants")
        self.store = self.post("/vector_stores", file_ids=[self.document])["id"]

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        return self.server.http.post(path, json=body).json()

    def a_model(self, method: str) -> str:
        """For a deletion a checkpoint, of which there are many."""
        deleted = method == "DELETE"
        return f"{self.model}:ckpt-step-{next(self._checkpoints)}" if deleted else self.model

    def a_file(self, method: str) -> str:
        return self.server.upload(b"kept", purpose="user_data") if method == "DELETE" else self.file

    def a_job(self, path: str) -> str:
        """In the state that the call needs; a new one is held at once, so that none trains."""
        if not path.endswith(("/cancel", "/pause", "/resume")):
            return self.job["id"]
        job = self.post("/fine_tuning/jobs", model="gpt-4o-mini", training_file=self.file)["id"]
        if not path.endswith("/pause"):
            self.post(f"/fine_tuning/jobs/{job}/pause")
        return job

    def an_upload(self) -> str:
        size = len(b"Example data")
        made = {"bytes": size, "filename": "x", "mime_type": "text/plain", "purpose": "user_data"}
        return self.post("/uploads", **made)["id"]

    def a_part(self, upload: str) -> str:
        files = {"data": ("part", b"Example data")}
        return self.server.http.post(f"/uploads/{upload}/parts", files=files).json()["id"]

    def a_permission(self) -> str:
        path = f"/fine_tuning/checkpoints/{self.model}/permissions"
        return self.post(path, project_ids=["proj_a"])["data"][0]["id"]

    def a_key(self) -> str:
        return self.post("/organization/admin_api_keys", name="seed")["id"]

    def requests(self) -> str:
        """As many as keep a worker busy until the call that needs them has come."""
        body = {"model": "builtin-static", "input": "Example data"}
        line = {"method": "POST", "url": "/v1/embeddings", "body": body}
        lines = (json.dumps({"custom_id": str(n), **line}) for n in range(500))
        return self.server.upload("\n".join(lines).encode(), purpose="batch")

    def a_batch(self) -> str:
        given = {"endpoint": "/v1/embeddings", "completion_window": "24h"}
        return self.post("/batches", input_file_id=self.requests(), **given)["id"]

    def a_store(self, method: str) -> str:
        """With a document in it; one of its own for what deletes it or the document."""
        if method != "DELETE":
            return self.store
        return self.post("/vector_stores", file_ids=[self.document])["id"]

    def a_batch_of_files(self, path: str) -> str:
        """One that is still being read where it is to be cancelled."""
        file = self.document
        if path.endswith("/cancel"):
            file = self.server.upload(b"Many words. " * 20_000, "long.txt", "assistants")
        return self.post(f"/vector_stores/{self.store}/file_batches", file_ids=[file])["id"]

    def settle(self, answer: dict[str, Any]) -> None:
        """A job that a test has made is not trained."""
        if answer.get("object") == "fine_tuning.job" and answer.get("finished_at") is None:
            self.post(f"/fine_tuning/jobs/{answer['id']}/cancel")


def mapped_path(seeds: Seeds, method: str, url: str) -> str:
    parts = urlsplit(url)
    path = parts.path
    deleting = method if "/permissions" not in path else "GET"
    for pattern, real in (
        (r"(?<=/vector_stores/)(vs_abc123|vector_store_id)", lambda: seeds.a_store(method)),
        (r"(?<=/file_batches/)(vsfb_abc123|batch_id)", lambda: seeds.a_batch_of_files(parts.path)),
        (r"(?<=/vs_.{24}/files/)(file-abc123|file_id)", lambda: seeds.document),
        (r"(?<=/files/)file_id", lambda: seeds.a_file(method)),
        (r"(?<=/checkpoints/)ft-AF1WoRqd3aJAHsqc9NY7iL8F", lambda: seeds.model),
        (r"ft-AF1WoRqd3aJAHsqc9NY7iL8F", lambda: seeds.a_job(parts.path)),
        (r"ft(:|%3A)gpt-4o-mini[^/]*", lambda: seeds.a_model(deleting)),
        (r"upload_abc123", seeds.an_upload),
        (r"(?<=/batches/)batch_id", seeds.a_batch),
        (r"cp_zc4Q7MP6XxulcVzj4MZdwsAB", seeds.a_permission),
        (r"(?<=/admin_api_keys/)key_id", seeds.a_key),
    ):
        if re.search(pattern, path):
            path = re.sub(pattern, real(), path)
    query = [(k, "1" if (k, v) == ("limit", "0") else v) for k, v in parse_qsl(parts.query)]
    query = [pair for pair in query if pair not in (("after", "after"), ("before", "before"))]
    return f"{path}?{urlencode(query)}" if query else path


def mapped_body(seeds: Seeds, path: str, body: Any) -> Any:
    if "input_file_id" in body:
        return {**body, "input_file_id": seeds.requests(), "endpoint": "/v1/embeddings"}
    mapped = _of_a_store if "/vector_stores" in path else _mapped
    return mapped(seeds, path, body)


def _mapped(seeds: Seeds, path: str, body: Any) -> Any:
    for name in ("training_file", "validation_file"):
        if name in body:
            body[name] = seeds.file
    if body.get("model", "").startswith("gpt-5"):
        body["model"] = "gpt-4o"
    if "part_ids" in body:
        upload = path.split("/")[3]
        body["part_ids"] = [seeds.a_part(upload)]
        body.pop("md5", None)
    for name in ("best_of", "max_tokens", "max_completion_tokens", "bytes"):
        if body.get(name) == 0:
            body[name] = 1
    if body.get("logit_bias") == {"foo": 0}:
        body["logit_bias"] = {}
    if path.endswith("/completions"):
        body.pop("suffix", None)
    if not body.get("stream"):
        body.pop("stream_options", None)
    return body


def _of_a_store(seeds: Seeds, path: str, body: Any) -> Any:
    if path.endswith("/file_batches"):
        body.pop("files", None)
        body["file_ids"] = [seeds.document]
    if "file_ids" in body:
        body["file_ids"] = [seeds.document]
    if "file_id" in body:
        body["file_id"] = seeds.document
    return body


def proxy(seeds: Seeds) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = mapped_path(seeds, self.command, self.path)
            if body and "json" in self.headers.get("content-type", ""):
                body = json.dumps(mapped_body(seeds, path, json.loads(body))).encode()
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _DROPPED}
            headers |= {"authorization": f"Bearer {seeds.server.key}"}
            url = seeds.server.root_url + path
            with httpx.Client(timeout=120) as client:
                answer = client.request(self.command, url, content=body, headers=headers)
            if "json" in answer.headers.get("content-type", ""):
                seeds.settle(answer.json())
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in _DROPPED:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = _pass

        def log_message(self, format: str, *args: Any) -> None:
            pass

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    return made


def count(suite: Path, name: str, url: str) -> tuple[int, int, list[str]]:
    """Passed, all, and the names of those that failed: the synchronous client's tests."""
    done = subprocess.run(
        [PYTHON, "-m", "pytest", "-q", "-rf", "--tb=line", "-k", "not Async", "-o", "addopts=",
         f"tests/api_resources/{name}"],
        cwd=suite, capture_output=True, text=True, timeout=900,
        env={**os.environ, "TEST_API_BASE_URL": url, "OPENAI_LOG": ""},
    )  # fmt: skip
    found = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|error)", done.stdout)}
    failed = re.findall(r"^FAILED [^:]*::\w+::(\S+)", done.stdout, re.MULTILINE)
    return found.get("passed", 0), sum(found.values()), failed


def main(suite: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        server = start_server(Path(home) / "home")
        try:
            made = proxy(Seeds(server))
            url = f"http://127.0.0.1:{made.server_port}/v1"
            for name in SUITES:
                passed, total, failed = count(suite, name, url)
                print(f"{name:45} {passed}/{total}  {', '.join(failed)}", flush=True)
            made.shutdown()
        finally:
            server.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
