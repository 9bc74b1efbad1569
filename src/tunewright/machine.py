"""What this machine has: memory, a processor that is fast in bfloat16, a GPU. No torch here."""

import ctypes
import importlib.util
import os
import re
import shutil
from pathlib import Path

_MEMORY, _PROCESSOR = Path("/proc/meminfo"), Path("/proc/cpuinfo")
# What the drivers show: NVIDIA's, in containers too, and AMD's.
_GPUS = (Path("/proc/driver/nvidia/gpus"), Path("/dev/nvidia0"), Path("/dev/kfd"))
_HIDDEN = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
_FAST = {"avx512_bf16", "amx_bf16"}


def memory() -> int:
    """Bytes of memory that there are."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def available_memory() -> int:
    """Bytes that processes can still take; where the system does not say, as many as there are."""
    try:
        lines = _MEMORY.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvail")) * 1024
    except (OSError, StopIteration):
        return memory()


def trim() -> None:
    """Give memory that is free back to the system, where the C library can (not macOS, not musl).
    Takes some milliseconds, in which nobody allocates."""
    release = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if release is not None:
        release(0)


def fast_in_bfloat16() -> bool:
    """Whether its processor multiplies bfloat16 fast, by what Linux says of it; no graphics
    processor is asked."""
    try:
        lines = _PROCESSOR.read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "")
    return not _FAST.isdisjoint(flags.split())


def computes_wide(compute_dtype: str) -> bool:
    """Whether weights are kept in float32, by the value of the setting `compute_dtype`."""
    return compute_dtype == "float32" or (compute_dtype == "auto" and not fast_in_bfloat16())


def embeds_on_gpu(device: str) -> bool:
    """Whether embeddings are computed on a GPU, by the setting `embedding_device`. torch is not
    asked, whose import takes seconds: what its build can use is written in a file of it."""
    if device != "auto":
        return device == "gpu"
    torch = importlib.util.find_spec("torch")
    return torch is not None and _has_gpu() and _built_for_gpus(Path(torch.origin or ""))


def _has_gpu() -> bool:
    hidden = any(os.environ.get(name) in ("", "-1") for name in _HIDDEN)
    return not hidden and any(path.exists() for path in _GPUS)


def _built_for_gpus(torch: Path) -> bool:
    """torch: its __init__.py. Those with CUDA or ROCm are."""
    try:
        text = torch.with_name("version.py").read_text("utf-8")
    except OSError:
        return False
    return re.search(r"^(cuda|hip)\b[^=\n]*= *['\"]", text, re.MULTILINE) is not None


def free_disk(path: Path) -> int:
    """Bytes free where `path`, which need not be there yet, would lie."""
    return shutil.disk_usage(_there(path)).free


def same_disk(one: Path, other: Path) -> bool:
    """Whether both lie, or would lie, on the same file system."""
    return _there(one).stat().st_dev == _there(other).stat().st_dev


def _there(path: Path) -> Path:
    return next(place for place in (path, *path.absolute().parents) if place.exists())
