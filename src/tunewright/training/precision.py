"""The dtype that a job computes in: the one that it began with, wherever it is resumed.

    FOLDER/dtype.json    "float32" or "bfloat16"

On another machine, or under another setting, it would end with other weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunewright import durable
from tunewright.errors import Corrupt
from tunewright.training.recipe import Recipe
from tunewright.weights.base import DTYPES, compute_dtype, computing_in, named_dtype

FILE = "dtype.json"


@contextmanager
def as_it_began(recipe: Recipe, folder: Path) -> Iterator[None]:
    """Inside, products are computed in the dtype that the job in `folder` began with; else, as
    `recipe` says."""
    name = _kept(folder) or recipe.compute_dtype
    with computing_in(named_dtype(name) if name else compute_dtype()):
        yield


def keep(folder: Path) -> None:
    """With the job, before its first step."""
    name = dtype_name()
    if _kept(folder) != name:
        durable.write_json(folder / FILE, name)


def dtype_name() -> str:
    return next(name for name, dtype in DTYPES.items() if dtype == compute_dtype())


def _kept(folder: Path) -> str | None:
    """None where there is no such file, or a damaged one: it is written anew."""
    try:
        found = durable.read_json(folder / FILE)
    except (FileNotFoundError, Corrupt):
        return None
    return found if isinstance(found, str) and found in DTYPES else None
