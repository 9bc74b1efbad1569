"""A real Chromium, asked through its DevTools pipe: pages opened from the disk."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

BINARY = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu-sandbox",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
)


class Page:
    """`complaints`: what the console said of errors and of the page's policy; `requests`: all URLs
    that the page asked for besides its own."""

    def __init__(self, asks: int, answers: int) -> None:
        self._asks = asks
        self._answers = os.fdopen(answers, "rb", buffering=0)
        self._rest = b""
        self._number = 0
        self._session: str | None = None
        self._events: list[dict[str, Any]] = []
        self.complaints: list[str] = []
        self.requests: list[str] = []

    def open(self, path: Path, width: int = 1280, height: int = 900, *, dark: bool = False) -> None:
        if self._session is None:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
                "sessionId"
            ]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.call(f"{domain}.enable")
        self.size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=path.as_uri())
        self._until("Page.loadEventFired")
        self.wait("document.readyState === 'complete'")

    def size(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def run(self, script: str) -> Any:
        found = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in found:
            raise AssertionError(found["exceptionDetails"]["exception"].get("description", found))
        return found["result"].get("value")

    def wait(self, condition: str, tries: int = 400) -> None:
        for _ in range(tries):
            if self.run(condition):
                return
            self.run("new Promise((done) => setTimeout(done, 25))")
        raise AssertionError(f"never came true: {condition}")

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.call("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        self.drag([(x, y)])

    def drag(self, path: list[tuple[float, float]]) -> None:
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        self.mouse("Moved", *path[0])
        self.mouse("Pressed", *path[0], **held)
        for x, y in path[1:]:
            self.mouse("Moved", x, y, **held)
        self.mouse("Released", *path[-1], **held)

    def key(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            text = {"text": key} if len(key) == 1 and kind == "keyDown" else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **text)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)[
            "data"
        ]
        path.write_bytes(base64.b64decode(data))

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            asked["sessionId"] = self._session
        os.write(self._asks, json.dumps(asked).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def _until(self, event: str) -> None:
        while not any(one.get("method") == event for one in self._events):
            self._note(self._next())
        self._events.clear()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            self._rest += os.read(self._answers.fileno(), 1 << 16)
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        self._events.append(event)
        said, method = event.get("params", {}), event.get("method")
        if method == "Runtime.exceptionThrown":
            self.complaints.append(said["exceptionDetails"]["exception"]["description"])
        if method == "Runtime.consoleAPICalled" and said["type"] in ("error", "assert"):
            self.complaints.append(str(said["args"]))
        if method == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.complaints.append(said["entry"]["text"])
        if method == "Network.requestWillBeSent" and not said["request"]["url"].startswith("file:"):
            self.requests.append(said["request"]["url"])


@contextmanager
def chromium() -> Iterator[Page]:
    asks_read, asks = os.pipe()
    answers, answers_write = os.pipe()
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # The pipe is on the descriptors 3 and 4, which is all that a shell is needed for.
        wired = f'exec "$0" "$@" 3<&{asks_read} 4>&{answers_write}'
        command = [
            "bash",
            "-c",
            wired,
            str(BINARY),
            *_FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        browser = subprocess.Popen(
            command, pass_fds=(asks_read, answers_write), stderr=subprocess.DEVNULL
        )
        os.close(asks_read)
        os.close(answers_write)
        page = Page(asks, answers)
        try:
            yield page
        finally:
            os.close(asks)
            browser.terminate()
            browser.wait(20)
            page._answers.close()
