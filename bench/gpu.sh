#!/usr/bin/env bash
# What Tunewright does on a GPU, beside TRL and transformers, and whether it is what a CPU gives.
# Needs this checkout, a Python with torch (CUDA) and transformers, and what else is missing there:
# from an index, or from a folder of wheels in WHEELS. Some eight minutes (an estimate). `bench/gpu.sh --help`.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
path=$PWD/src:$PWD/bench
if [ -n "${WHEELS:-}" ]; then
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$WHEELS"/*.whl
  path=$path:$site
fi
PYTHONPATH=$path${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1 "$python" -m gpu "$@"
