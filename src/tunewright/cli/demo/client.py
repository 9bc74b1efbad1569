"""The few HTTP calls of the demo, with the standard library: it needs no SDK to be installed."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import sleep
from typing import Any

from tunewright.errors import BadRequest, Busy, TunewrightError
from tunewright.resources.asking import ask

TIMEOUT = 600.0


class Client:
    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {key}"}
        # The server is on this machine: a proxy in the environment must not come between.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def upload(self, path: Path) -> dict[str, Any]:
        """POST /v1/files."""
        boundary = uuid.uuid4().hex
        head = 'Content-Disposition: form-data; name="'
        body = (
            f'--{boundary}\r\n{head}purpose"\r\n\r\nfine-tune\r\n'
            + f'--{boundary}\r\n{head}file"; filename="{path.name}"\r\n\r\n'
        ).encode()
        body += path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        return self._json("/files", body, f"multipart/form-data; boundary={boundary}")

    def ask(
        self,
        model: str,
        prompts: Sequence[list[dict[str, str]]],
        max_tokens: int,
        each: Callable[[], object],
    ) -> list[str]:
        """POST /v1/chat/completions for each prompt, all at once, temperature 0: the answers'
        texts. each: called after every one."""
        limits = {"model": model, "max_tokens": max_tokens, "temperature": 0}
        bodies = [{**limits, "messages": messages} for messages in prompts]
        answers = ask(bodies, lambda body: self.post("/chat/completions", body), each=each)
        return [_text(answer) for answer in answers]

    def embed(self, texts: list[str]) -> list[list[float]]:
        """POST /v1/embeddings."""
        body = {"model": "text-embedding-ada-002", "input": texts, "encoding_format": "float"}
        return [row["embedding"] for row in self.post("/embeddings", body)["data"]]

    def events(self, job: str) -> Iterator[dict[str, Any]]:
        """A job's events, oldest first, as they happen, until it has ended."""
        seen: set[str] = set()
        while True:
            ended = self.get(f"/fine_tuning/jobs/{job}")["finished_at"] is not None
            fresh = self._fresh(job, seen)
            yield from fresh
            seen.update(event["id"] for event in fresh)
            if ended:
                return
            sleep(0.3)

    def get(self, path: str) -> dict[str, Any]:
        return self._json(path)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._json(path, json.dumps(body).encode(), "application/json")

    def _fresh(self, job: str, seen: set[str]) -> list[dict[str, Any]]:
        """The API lists the newest first: go back until something is known."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = self.get(f"/fine_tuning/jobs/{job}/events?limit=100{after}")
            fresh = [event for event in page["data"] if event["id"] not in seen]
            found += fresh
            if len(fresh) < len(page["data"]) or not page["has_more"]:
                return found[::-1]
            after = f"&after={page['last_id']}"

    def _json(
        self, path: str, body: bytes | None = None, content_type: str | None = None
    ) -> dict[str, Any]:
        headers = {**self._headers, **({"Content-Type": content_type} if content_type else {})}
        request = urllib.request.Request(self.url + path, body, headers)
        try:
            with self._open(request, timeout=TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise _refusal(error) from None


def _text(answer: dict[str, Any] | BadRequest) -> str:
    if isinstance(answer, BadRequest):
        raise answer
    return answer["choices"][0]["message"]["content"].strip()


def _refusal(error: urllib.error.HTTPError) -> TunewrightError:
    kind = {400: BadRequest, 429: Busy}.get(error.code, TunewrightError)
    try:
        said = json.load(error)["error"]
        return kind(said["message"], param=said["param"], code=said["code"])
    except (ValueError, KeyError, TypeError):
        return kind(f"HTTP {error.code} {error.reason}")
