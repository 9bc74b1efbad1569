"""All tensors of a safetensors file as numpy arrays, bfloat16 included."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize, safe_open

from tunewright.errors import Corrupt


def read(file: Path) -> dict[str, NDArray[Any]]:
    """In their own dtype; bfloat16, which numpy lacks, as float32 with the same values. Raises
    Corrupt where the file is broken, or has a dtype of neither."""
    try:
        with safe_open(file, framework="numpy") as tensors:
            names = list(tensors.keys())
            if all(tensors.get_slice(name).get_dtype() != "BF16" for name in names):
                return {name: tensors.get_tensor(name) for name in names}
        return {name: _array(said) for name, said in deserialize(file.read_bytes())}
    except (SafetensorError, TypeError, ValueError, OSError) as error:
        raise Corrupt(f"{file} cannot be read: {error}") from error


def _array(said: dict[str, Any]) -> NDArray[Any]:
    data, shape = said["data"], said["shape"]
    if said["dtype"] == "BF16":  # the upper half of a float32
        wide = np.frombuffer(data, "<u2").astype(np.uint32) << 16
        return wide.view(np.float32).reshape(shape)
    kind = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I8": "i1"}
    if said["dtype"] not in kind:
        raise TypeError(f"the dtype {said['dtype']} is not supported")
    return np.frombuffer(data, kind[said["dtype"]]).reshape(shape)
