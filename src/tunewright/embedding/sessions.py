"""How ONNX Runtime is opened here: few threads, that sleep when they have nothing to do."""

import os
from pathlib import Path

import onnxruntime

from tunewright.errors import Corrupt

THREADS = min(4, os.cpu_count() or 1)  # a batch is small, and others need processors too


def open_session(
    path: Path, threads: int | None = None, *, arena: bool = False
) -> onnxruntime.InferenceSession:
    """threads: None for `THREADS`. arena: whether it keeps what its largest batch took, for the
    next: in int8 1.15 to 1.25 times as fast, in float32 1.04.

    Raises Corrupt where the file is none that it can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or THREADS
    # Threads that spin for work take the processor from training on the same machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # int8 weights become float32 once, when they are loaded, and not in every call.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    options.enable_mem_pattern = False  # no two batches are of one shape
    # Without it the scheduler gives memory back after a burst: builtin-mini 118 MB when it is
    # opened, 147 in a burst, 118 again, not 141.
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 4  # what it prints of a broken file is in the exception too
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common root
        raise Corrupt(f"{path} cannot be read: {error}") from error
