"""What this machine has: memory, and whether its processor is fast in bfloat16. No torch here."""

import os
import shutil
from pathlib import Path

_MEMORY, _PROCESSOR = Path("/proc/meminfo"), Path("/proc/cpuinfo")
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


def free_disk(path: Path) -> int:
    """Bytes free where `path`, which need not be there yet, would lie."""
    return shutil.disk_usage(_there(path)).free


def same_disk(one: Path, other: Path) -> bool:
    """Whether both lie, or would lie, on the same file system."""
    return _there(one).stat().st_dev == _there(other).stat().st_dev


def _there(path: Path) -> Path:
    return next(place for place in (path, *path.absolute().parents) if place.exists())
