"""This Python's own pip, as a child that ends with its parent:
``python -m tunewright.fetching.pip download ...``.

Index, mirror, proxy and certificates are as the user has configured them for pip.
"""

import importlib.util
import os
import re
import runpy
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tunewright import children
from tunewright.errors import BadRequest, StorageFull
from tunewright.fetching import NotFetched

_UNREACHABLE = re.compile(
    r"Failed to establish|Connection refused|Name or service not known|Temporary failure"
    r"|No address associated|nodename nor servname|Network is unreachable|timed out|ProxyError"
    r"|Connection reset|RemoteDisconnected|Max retries exceeded"
)
_LOGIN = re.compile(r"\b(401|403|407) Client Error|HTTP error (401|403|407)|Proxy Authentication")
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed")
# A connection that breaks in the midst of a wheel is taken up again where it broke: pip 25.1 can,
# but does not by default, later ones do, and older ones read over it.
_RESUME = {"PIP_RESUME_RETRIES": "5"}
_QUIET = {"PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


def download(requirement: str, folder: Path) -> Path:
    """The wheel that pip finds for `requirement` (``name==version``), in `folder`.

    Nothing is installed, and nothing that it depends on is fetched. Raises NotFetched with the
    reason; StorageFull.
    """
    if importlib.util.find_spec("pip") is None:
        raise NotFetched(
            f"this Python has no pip to fetch {requirement} with (python -m ensurepip brings it)"
        )
    scratch = folder / "pip"  # where it writes meanwhile: seen as progress, removed with the rest
    scratch.mkdir()
    # Not quiet: which index could not be reached is said among the details only.
    command = ["download", "-vv", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    status, said = _run([*command, requirement], {"TMPDIR": str(scratch)})
    wheels = list(folder.glob("*.whl"))
    if status == 0 and len(wheels) == 1:
        return wheels[0]
    raise _failure(requirement, said, folder)


def _run(arguments: Sequence[str], more: Mapping[str, str]) -> tuple[int, str]:
    """Its exit status, and what it said."""
    resume = {name: os.environ.get(name, value) for name, value in _RESUME.items()}
    command, said = ["-m", __name__, *arguments], {**_QUIET, **resume, **more}
    with tempfile.TemporaryFile() as heard:
        out = heard.fileno()
        with children.running(command, stdout=out, stderr=heard, environment=said) as child:
            status = child.wait()
        heard.seek(0)
        return status, heard.read().decode("utf-8", "replace")


def _failure(requirement: str, said: str, folder: Path) -> Exception:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["it said nothing"]
    last = errors[-1].removeprefix("ERROR:").strip()[:300]
    if "No space left" in said or "Errno 28" in said:
        return StorageFull(
            f"The disk that holds {folder} became full while {requirement} was fetched. Free some "
            "space and try again."
        )
    if _CERTIFICATE.search(said):
        return NotFetched(
            f"pip does not trust the certificate of the package index. Give it yours: "
            f"pip config set global.cert FILE ({last})"
        )
    if _LOGIN.search(said):
        return NotFetched(
            "your package index asks for a login: give pip one (in the index URL, ~/.netrc or a "
            "keyring)"
        )
    if _UNREACHABLE.search(said):
        return NotFetched("pip could not reach your package index")
    if "No matching distribution" in said:
        return NotFetched(f"the package index that pip uses has no {requirement}")
    return NotFetched(f"pip could not fetch {requirement}: {last}")


def refuse_other(found: str, expected: str, what: str) -> None:
    """Raises BadRequest where two sha256 sums differ."""
    if found != expected:
        raise BadRequest(
            f"{what} is not what the catalogue names: its sha256 is {found}, and {expected} was "
            "expected. It was not used, and it was removed. If your index is a mirror, ask who "
            "keeps it.",
            param="source",
            code="wrong_sha256",
        )


if __name__ == "__main__":
    children.end_with_parent(1)
    sys.argv[0] = "pip"
    runpy.run_module("pip", run_name="__main__", alter_sys=True)
