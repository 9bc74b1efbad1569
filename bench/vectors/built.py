"""What each engine searches: built once by a rival, each time by ours."""

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from contender import OURS, Contender, LeftOut


@dataclass
class Built:
    """widths: by filter, those found to be enough; kept with what a rival built."""

    name: str
    folder: str
    seconds: float
    megabytes: int  # on the disk
    widths: dict[str, list]

    def keep(self) -> None:
        if self.name not in OURS:
            Path(self.folder).with_suffix(".json").write_text(json.dumps(asdict(self)))


def built(
    name: str, cache: Path, count: int, place: Path, limit: float, again: bool
) -> Built | None:
    """None, with the reason on the standard error, where the engine cannot or takes too long. The
    three of ours have the same rows: those after the first are copies."""
    folder = (place if name in OURS else cache / "built") / f"{name}-{count}"
    kept = folder.with_suffix(".json")
    if kept.exists() and not again:
        return Built(**json.loads(kept.read_text()))
    kept.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    if name in OURS and (same := place / f"{OURS[0]}-{count}").exists():
        shutil.copytree(same, folder)
        return Built(name, str(folder), 0.0, _megabytes(folder), {})
    folder.mkdir(parents=True)
    try:
        contender = Contender(name, cache, count, place / f"{name}.log")
        took = contender.ask("build", limit, folder=folder)["wall"]
        contender.close()
    except LeftOut as why:
        print(f"{name} is left out: {why}", file=sys.stderr)
        return None
    found = Built(name, str(folder), took, _megabytes(folder), {})
    print(f"{name}: built in {took:.0f} s, {found.megabytes} MB", file=sys.stderr)
    found.keep()
    return found


def _megabytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) >> 20
