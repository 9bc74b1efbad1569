"""By which rates a job plans: this machine's, measured once, and the same ones to its end.

    HOME/speed.json    {device and its software: Rates}: what was measured, for all jobs; how
                       attention is computed too (`attending`)
    FOLDER/speed.json  Rates and their device: what the job in this folder began with, wherever it
                       goes on with such a device

Another choice between plans changes the last bits of the weights, so nothing is measured twice:
whoever wants it anew removes the home's file.
"""

import contextlib
import math
import platform
from dataclasses import asdict, astuple, fields
from pathlib import Path
from typing import Any

import torch

from tunewright import durable
from tunewright.errors import Corrupt, StorageFull
from tunewright.training.plans.costs import RATES, Rates
from tunewright.training.probe import measure
from tunewright.training.ranks import Ranks
from tunewright.training.recipe import Recipe
from tunewright.training.report import Message, Report
from tunewright.weights.base import compute_dtype

FILE = "speed.json"
WORTH = 60.0  # seconds of work; a shorter job has less to gain than the measurement takes
_FURTHEST = 20  # times: of the proportions that stand in the code; what is beyond is no measurement
_NAMES = tuple(field.name for field in fields(Rates))


def rates_of(
    recipe: Recipe,
    folder: Path,
    ranks: Ranks,
    seconds: float,
    device: torch.device,
    report: Report,
) -> Rates:
    """Those that the job in `folder` began with. Else, on a processor, those of this machine where
    the job takes long enough; else RATES. The leader's for all ranks.

    seconds: what the job takes by RATES, so alike each time; 0 where there is no choice of plans.
    """
    found = RATES[device.type]
    if ranks.rank == 0:
        kept = read(folder / FILE)
        if (began := _rates(kept)) and kept.get("device") == device.type:
            found = began
        elif recipe.speed is not None and seconds >= WORTH and device.type == "cpu":
            found = _machines(recipe.speed, report)
    return Rates(*ranks.of_leader(astuple(found)))


def keep(folder: Path, rates: Rates, device: torch.device) -> None:
    """With the job, before its first step."""
    said = {**asdict(rates), "device": device.type}
    if read(folder / FILE) != said:
        durable.write_json(folder / FILE, said)


def _machines(file: Path, report: Report) -> Rates:
    """What cannot be measured or written down fails no job; a later one tries again."""
    name, usual = name_of(), RATES["cpu"]
    try:
        if known := _rates(read(file).get(name)):
            return known
        found = measure()
        if plausible(found, usual):
            before = read(file)  # once more: whoever was faster is right
            if known := _rates(before.get(name)):
                return known
            durable.write_json(file, {**before, name: asdict(found)})
            return found
        reason = ", ".join(f"{name} {value:.2g}" for name, value in asdict(found).items())
    except (OSError, MemoryError, RuntimeError, StorageFull) as error:
        reason = str(error) or type(error).__name__
    text = f"This machine's speed could not be measured ({reason}): the usual speeds are assumed."
    report(Message("info", text))
    return usual


def plausible(found: Rates, usual: Rates) -> bool:
    """Whether all are positive numbers, in proportions not too far from the usual ones."""
    if not all(math.isfinite(rate) and rate > 0 for rate in astuple(found)):
        return False
    scale = found.product / usual.product
    pairs = zip(astuple(found), astuple(usual), strict=True)
    return all(1 / _FURTHEST <= rate / scale / other <= _FURTHEST for rate, other in pairs)


def name_of() -> str:
    """Of what the proportions depend on. Not the host's: that of a container changes with it."""
    return f"{_processor()}, torch {torch.__version__}, {compute_dtype()}"


def _processor() -> str:
    lines: list[str] = []
    with contextlib.suppress(OSError):  # elsewhere than on Linux
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    model = next(models, platform.processor() or platform.machine())
    return f"{model}, {torch.backends.cpu.get_cpu_capability()}"


def read(file: Path) -> dict[str, Any]:
    """Nothing where there is no such file, or a damaged one: it is written anew."""
    try:
        found = durable.read_json(file)
    except (FileNotFoundError, Corrupt):
        return {}
    return found if isinstance(found, dict) else {}


def _rates(found: Any) -> Rates | None:
    figures = [found.get(name) for name in _NAMES] if isinstance(found, dict) else []
    sound = [rate for rate in figures if isinstance(rate, float) and rate > 0]
    return Rates(*sound) if len(sound) == len(_NAMES) else None
