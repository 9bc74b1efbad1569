"""What a figure was measured on."""

import datetime
import os
import platform
from pathlib import Path

_TELLING = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")


def described() -> str:
    """The processor, what it can do, how busy it was, and the date."""
    model, flags = platform.processor() or platform.machine(), ""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
        fields = {name.strip(): value.strip() for name, value in lines.items()}
        model = fields.get("model name", model)
        flags = " ".join(flag for flag in _TELLING if flag in fields.get("flags", "").split())
    load = os.getloadavg()[0]
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return f"{model}, {os.cpu_count()} cores ({flags}), load {load:.1f} at the end, {today}"
