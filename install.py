#!/usr/bin/env python3
"""Makes `.venv` and installs Tunewright into it; the Makefile calls it.

    python3 install.py            # what `make demo` needs: the server with training
    python3 install.py dev        # what `make test` needs

TORCH_INDEX=ADDRESS  where to take torch from: the address that pytorch.org ("Get started", CPU)
                     shows. Without it pip's own configuration decides.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
# Linux, 2026-11-26. On disk: measured (dev with CUDA: estimated). The downloads are estimates.
SIZES = {
    ("train", False): "about 0.4 GB to download, 1.3 GB on disk",
    ("train", True): "about 2.9 GB to download, 5.1 GB on disk",
    ("dev", False): "about 0.6 GB to download, 1.9 GB on disk",
    ("dev", True): "about 3.1 GB to download, 5.7 GB on disk",
}


def main(extra: str) -> int:
    if sys.version_info < OLDEST:
        return _fail(f"Tunewright needs Python 3.11 or newer; this is {platform.python_version()}.")
    if not _pip_runs():
        print(f"Making {VENV.name} with Python {platform.python_version()}", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode:
            return _fail(
                "Python's venv module is missing (Debian, Ubuntu: the package python3-venv)."
            )
    torch = _pinned_torch()
    if not _has_torch():
        cuda = _brings_cuda(torch)
        print(f"Installing Tunewright[{extra}] into {VENV.name}: {SIZES[extra, cuda]}", flush=True)
        if cuda and not _has_nvidia():
            print(_NO_GPU.format(target={"train": "demo", "dev": "test"}[extra]), flush=True)
        if failed := _install(torch, **_torch_index()):
            return failed
    return _install("--editable", f"{ROOT}[{extra}]")


_NO_GPU = """
  No NVIDIA GPU found, and pip takes the build of torch that brings CUDA along. The CPU build is
  ten times smaller. To take it: Ctrl-C, open pytorch.org, "Get started", choose CPU, and give the
  address in the command that it shows:

    make {target} TORCH_INDEX=ADDRESS
"""


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install(*what: str, **environment: str) -> int:
    """Not compiled: all modules of torch and transformers take 24 s of a core, and those that are
    ever imported a fraction of that, when they are."""
    command = [str(_python()), "-m", "pip", "--disable-pip-version-check", "install"]
    command += ["--no-compile", *what]
    return subprocess.run(command, env={**os.environ, **environment}).returncode


def _pip_runs() -> bool:
    return _python().exists() and not _quietly("-m", "pip", "--version").returncode


def _has_torch() -> bool:
    return not _quietly("-c", "import importlib.metadata as m; m.version('torch')").returncode


def _quietly(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(_python()), *arguments], capture_output=True, text=True)


def _torch_index() -> dict[str, str]:
    given = os.environ.get("TORCH_INDEX")
    return {"PIP_INDEX_URL": given} if given else {}


def _pinned_torch() -> str:
    """The version that the tests pin, so that `make test` after `make demo` fetches none anew."""
    import tomllib  # not before 3.11

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (pin,) = (d for d in project["optional-dependencies"]["dev"] if d.startswith("torch=="))
    return pin


def _brings_cuda(torch: str) -> bool:
    """Whether pip, as it is configured here, would take CUDA's packages along with torch."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.json")
        arguments = ["install", "--dry-run", "--quiet", "--report", str(report), torch]
        command = [str(_python()), "-m", "pip", "--disable-pip-version-check", *arguments]
        subprocess.run(command, capture_output=True, env={**os.environ, **_torch_index()})
        if not report.exists():
            return False  # the installation itself will say what is wrong
        found = json.loads(report.read_text("utf-8"))["install"]
    return any(p["metadata"]["name"].startswith(("nvidia-", "cuda-")) for p in found)


def _has_nvidia() -> bool:
    return bool(shutil.which("nvidia-smi")) or Path("/proc/driver/nvidia").exists()


def _fail(why: str) -> int:
    print(f"{why}\nTry: make PYTHON=python3.12 demo", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["train"])))
