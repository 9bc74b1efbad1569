"""A server that has what OpenAI's has and ours has not yet, and that can misbehave."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "sk-canary-0123456789abcdef"
DAY = 86_400
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Elsewhere:
    """`lists`: path -> objects. `bodies`: path -> bytes. `odd`: path -> answers that come first.

    `asked` counts the paths, `methods` the methods, `keys` holds every authorization header.
    `sent`: method, target and body of every request. `orders`: whether lists know an order.
    `answers`: what becomes of a question (POST); `questions`: those that came, whole.
    """

    lists: dict[str, list[dict]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    odd: dict[str, list[Answer]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    methods: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    before: Callable[[str], None] = lambda path: None
    answers: Callable[[dict], Answer] | None = None
    questions: list[dict] = field(default_factory=list)
    orders: bool = True
    sent: list[tuple[str, str, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, path: str, record: dict) -> None:
        """An object of the list at `path`, which can be asked for by itself too."""
        self.lists.setdefault(path, []).append(record)
        self.bodies[f"{path}/{record['id']}"] = json.dumps(record, indent=1).encode()

    def answer(self, path: str, query: dict[str, list[str]]) -> Answer:
        self.asked[path] += 1
        self.before(path)
        if self.odd.get(path):
            return self.odd[path].pop(0)
        if path in self.lists:
            return 200, {}, self._page(path, query)
        if path in self.bodies:
            return 200, {}, self.bodies[path]
        return refused(404, "No such thing.")

    def asked_for(self, path: str, body: bytes) -> Answer:
        """What is sent: only questions are, and only to the two calls that answer them."""
        if self.answers is None or path not in ("/chat/completions", "/completions"):
            return refused(405, "No such call.")
        self.questions.append(json.loads(body))
        self.before(path)
        return self.answers(self.questions[-1])

    def _page(self, path: str, query: dict[str, list[str]]) -> bytes:
        rows = self.lists[path]
        if "purpose" in query:
            rows = [row for row in rows if row["purpose"] == query["purpose"][0]]
        if self.orders and query.get("order") == ["desc"]:
            rows = rows[::-1]
        after, limit = query.get("after", [""])[0], int(query.get("limit", ["20"])[0])
        ids = [row["id"] for row in rows]
        start = ids.index(after) + 1 if after else 0
        some = rows[start : start + limit]
        more = start + limit < len(rows)
        return json.dumps({"object": "list", "data": some, "has_more": more}).encode()


def said(text: str, prompt_tokens: int = 20, completion_tokens: int = 5) -> Answer:
    """A chat's answer as OpenAI writes it, with spacing that no parser of ours would write."""
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": {"content": [{"token": text, "logprob": -0.25, "bytes": None}]},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens},
    }
    return 200, {}, json.dumps(body, indent=3).encode()


def refused(status: int, message: str, **headers: str) -> Answer:
    return status, headers, json.dumps({"error": {"message": message}}).encode()


def _handler(elsewhere: Elsewhere) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body leave apart: 40 ms for each answer

        def do_GET(self) -> None:
            elsewhere.methods.add(self.command)
            elsewhere.keys.add(self.headers.get("authorization", ""))
            parts = urlsplit(self.path)
            path = unquote(parts.path).removeprefix("/v1")
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
            elsewhere.sent.append((self.command, self.path, sent))
            if self.command == "GET":
                status, headers, body = elsewhere.answer(path, parse_qs(parts.query))
            else:
                status, headers, body = elsewhere.asked_for(path, sent)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


def account(today: int, completions: int = 12) -> Elsewhere:
    """Two tuned models with their files, a job each; an eval of two runs; stored completions.

    `today`: Unix seconds.
    """
    made = Elsewhere()
    for at, base in enumerate(("gpt-4o-mini-2024-07-18", "gpt-3.5-turbo-0125")):
        model, job = f"ft:{base}:acme::m{at}", f"ftjob-{at}"
        made.add("/models", {"id": model, "object": "model", "created": 1, "owned_by": "acme"})
        for purpose in ("fine-tune", "fine-tune-results"):
            file = {"id": f"file-{purpose}-{at}", "bytes": 5, "purpose": purpose}
            made.add("/files", file)
            made.bodies[f"/files/{file['id']}/content"] = f"{purpose}\u2028{at}\r\n".encode()
        made.add("/fine_tuning/jobs", {"id": job, "status": "succeeded", "fine_tuned_model": model})
        events = [{"id": f"ftevent-{at}-{n}", "message": f"Step {n}"} for n in range(250)]
        made.lists[f"/fine_tuning/jobs/{job}/events"] = events
        made.lists[f"/fine_tuning/jobs/{job}/checkpoints"] = [{"id": f"ftckpt-{at}"}]
    made.add("/models", {"id": "gpt-4o-mini", "object": "model", "created": 1, "owned_by": "o"})
    made.add("/evals", {"id": "eval_1", "name": "tone"})
    for run in ("run_1", "run_2"):
        made.add("/evals/eval_1/runs", {"id": run, "status": "completed"})
        items = [{"id": f"{run}-{n}", "status": "pass"} for n in range(120)]
        made.lists[f"/evals/eval_1/runs/{run}/output_items"] = items
    for n in range(completions):
        id = f"chatcmpl-{n}"
        made.add("/chat/completions", {"id": id, "created": today - (n % 20) * DAY})
        made.lists[f"/chat/completions/{id}/messages"] = [{"id": f"{id}-0", "content": f"q{n}"}]
    return made
