"""An embedding model in its fast form, where that is near enough to the exact one and faster."""

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tunewright import probing
from tunewright.embedding.chosen import Chosen
from tunewright.embedding.graph_files import outside
from tunewright.errors import MissingExtra
from tunewright.fetching import Listener, need_room

_FAST = "onnx/fast.onnx"
# What a model in int8 must keep of the exact one. all-MiniLM-L6-v2 keeps 0.9991, 0.9976 and 0.977
# on the texts that are compared; with one scale for a whole batch it is 0.992, 0.973 and 0.88, on
# reviews, and a text alone differs from the same in a batch by up to 0.978.
LEAST = {"cosine_mean": 0.995, "cosine_min": 0.98, "overlap_at_10": 0.93, "alone_min": 0.9999}
_FASTER = 1.1  # times as fast as exact, or it is not worth what it loses


def quickened(folder: Path, chosen: Chosen, listener: Listener) -> Chosen:
    """`chosen` by a graph in int8, which is written below `folder` in place of the exact one; as it
    was, with the reason said, where there is no such graph that is good enough.

    Raises MissingExtra; BadRequest where it takes too much time or memory; StorageFull.
    """
    if chosen.graph is None:
        engine = "static" if chosen.engine == "static" else "torch"
        return _exact(chosen, listener, f"it is run by the engine '{engine}', which has no int8")
    if find_spec("onnx") is None:
        raise MissingExtra("Writing a model in int8, once, when it is added", "train")
    exact = folder / chosen.graph
    need_room(folder, exact.stat().st_size, "Writing the model in int8")
    listener.say("Writing it in int8, once, and comparing that with the exact model.")
    found = probing.quantized(folder, chosen.graph, _FAST)
    if reason := _why_not(found):
        (folder / _FAST).unlink(missing_ok=True)
        return _exact(chosen, listener, reason)
    for file in (*outside(exact), exact):
        file.unlink()
    known = {name: value for name, value in chosen.found.items() if name != "key"}
    return replace(chosen, graph=_FAST, precision="fast", found={**known, "fast": found})


def _exact(chosen: Chosen, listener: Listener, reason: str) -> Chosen:
    listener.say(f"It is added with the precision exact, not fast: {reason}.")
    return chosen


def _why_not(found: Mapping[str, Any]) -> str | None:
    """Why a graph of which this was measured is not used."""
    if reason := found.get("reason"):
        return reason
    for name, least in LEAST.items():
        if not found[name] >= least:  # also NaN
            called = name.replace("_", " ")
            return f"in int8 its {called} with exact is {found[name]:.4f}, and {least} is needed"
    if found["times_as_fast"] < _FASTER:
        return f"on this processor int8 is {found['times_as_fast']:.2f} times as fast"
    return None
