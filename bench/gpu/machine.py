"""The GPU, its software, and its two ceilings: matrix products and memory."""

import json
import platform
from importlib.metadata import version

import torch


def main() -> None:
    said = {
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers")},
        "cuda": torch.version.cuda,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }
    if torch.cuda.is_available():
        said |= {"bf16_tflops": _products(), "copy_tb_s": _copies()}
    print(json.dumps(said))


def _products(size: int = 8192) -> float:
    one, other = torch.randn(2, size, size, device="cuda", dtype=torch.bfloat16)
    return round(2 * size**3 / _seconds(lambda: one @ other) / 1e12)


def _copies(size: int = 2**31) -> float:
    one, other = torch.randint(0, 99, (2, size), device="cuda", dtype=torch.uint8)
    return round(2 * size / _seconds(lambda: other.copy_(one)) / 1e12, 2)


def _seconds(work: object, times: int = 10) -> float:
    for _ in range(3):
        work()
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for _ in range(times):
        work()
    ended.record()
    torch.cuda.synchronize()
    return began.elapsed_time(ended) / 1000 / times


if __name__ == "__main__":
    main()
