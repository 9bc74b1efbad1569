"""Did the system kill a process because memory ran out?"""

from pathlib import Path

_COUNTERS = Path("/proc/vmstat")


def kills() -> int:
    """How often the kernel has killed for want of memory since it booted; 0 where it does not say.
    Kills within a container's own limit are counted too."""
    try:
        lines = _COUNTERS.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
