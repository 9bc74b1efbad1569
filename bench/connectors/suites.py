"""The published suite, run on an adapter in the environment of its library."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from vector_databases import SLOW

HERE = Path(__file__).resolve().parents[2]
SUITE = "tunewright.testing.vectors"


def counted(library: str, engine: str) -> dict[str, str]:
    """Of each case "passed", "failed: ..." or "cannot: ...". Of those of a server that is down,
    silent or slow none: what stands between is a relay of ours."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "index").mkdir()
        with SLOW[engine](Path(folder) / "index") as url:
            return _run(library, engine, url, Path(folder))


def _run(library: str, engine: str, url: str, folder: Path) -> dict[str, str]:
    python, place = Path(sys.executable), url
    paths = [HERE / "src", HERE / "bench" / "connectors"]
    if library == "ours":
        paths.append(HERE / ".sdk" / "databases" / engine)
    else:
        python = HERE / ".sdk" / f"connectors-{library}" / "bin" / "python"
        where = str(folder) if engine == "milvus" else url.partition(":")[2]
        place = f"rival:{library}/{engine}:{where}"
    told = ["-q", "-c", os.devnull, "--rootdir", str(folder), "-p", "no:cacheprovider"]
    asked = ["-p", "rivals", "-p", SUITE, "--pyargs", SUITE, "--index", place, "-m", "not slow"]
    chosen = ["-k", "not does_not_answer", "--cases", str(folder / "cases.json")]
    done = subprocess.run(
        [str(python), "-m", "pytest", *told, *asked, *chosen],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "ANONYMIZED_TELEMETRY": "False",
        },
    )
    if not (folder / "cases.json").exists():
        raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
    return json.loads((folder / "cases.json").read_text())
