"""torch and transformers, imported for a process of ours without what none of ours uses.

Half of what importing both takes (4.4 s of the processor, with this 2.0) is torch's compiler,
tensors divided among processes, and packages that happen to be installed, such as scipy: none of
them computes anything here. An engine, a trainer and an exporter call `load` first; whoever imports
`tunewright.weights` elsewhere gets both libraries as they come.

This leans on how one version of torch is built inside, so it is done with that one only
(`_TRIED`); with others, and where anything is not as it was, both are imported as they come.

``python -m tunewright.weights.libraries MODULE ...`` runs a module after it.
"""

import contextlib
import gc
import importlib
import logging
import runpy
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final

log = logging.getLogger(__name__)

_TRIED: Final = "2.13."  # of torch: `tests/weights/test_libraries` runs with it
# transformers imports them where they are installed, for kinds of models that are not ours.
_UNUSED: Final = ("accelerate", "scipy", "sklearn")
_COMPILER: Final = "torch._dynamo"
# The one module of the compiler that transformers itself names (in `masking_utils`).
_NAMED: Final = "torch._dynamo._trace_wrapped_higher_order_op"


def load() -> None:
    """Import both. Where that fails, whoever needs them says so at their own import. What they made
    is kept out of the garbage collector's rounds: objects that stay, of which a full round reads
    every one for 0.4 s."""
    if "transformers" in sys.modules:
        return
    collecting = gc.isenabled()
    gc.disable()
    try:
        with contextlib.suppress(ImportError):
            torch = importlib.import_module("torch")
            if torch.__version__.startswith(_TRIED):
                _load(torch)
    finally:
        gc.freeze()
        if collecting:
            gc.enable()


def _load(torch: Any) -> None:
    try:
        _postpone_compiler(torch)
        with _hidden(_UNUSED), _as_one_process(torch.distributed):
            importlib.import_module("transformers.modeling_utils")
            importlib.import_module("transformers.generation")
    except Exception as error:  # nothing depends on it but time
        log.warning("torch's compiler could not be left out of this process: %r", error)
        _bring_compiler_back()


class _Compiler(ModuleType):
    """Stands for ``torch._dynamo`` until somebody wants to compile: what marks functions for the
    compiler leaves them as they are; any other attribute brings the real module."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked of every module by whoever looks for a source line
            raise AttributeError(name)
        return getattr(_real_compiler(), name)


def _postpone_compiler(torch: ModuleType) -> None:
    if _COMPILER in sys.modules:
        return
    standing = _Compiler(_COMPILER)
    standing.__dict__.update(
        assume_constant_result=_unchanged,
        allow_in_graph=_unchanged,
        disable=_unchanged,
        graph_break=lambda *_, **__: None,
        __path__=[f"{path}/_dynamo" for path in torch.__path__],
    )
    sys.modules[_COMPILER] = standing
    importlib.import_module(_NAMED)
    sys.meta_path.insert(0, _Parts())


def _unchanged(fn: Callable[..., Any] | None = None, *_: Any, **__: Any) -> Callable[..., Any]:
    """A decorator, with or without arguments of its own."""
    return _unchanged if fn is None else fn


class _Parts:
    """Finds nothing: it brings the real compiler before any part of it is imported."""

    def find_spec(self, name: str, *_: Any) -> None:
        if name.startswith(f"{_COMPILER}."):
            _real_compiler()


def _real_compiler() -> ModuleType:
    _bring_compiler_back()
    return importlib.import_module(_COMPILER)


def _bring_compiler_back() -> None:
    if isinstance(sys.modules.get(_COMPILER), _Compiler):
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Parts)]
        del sys.modules[_COMPILER]


@contextlib.contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """As if they were not installed."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # pyright: ignore[reportArgumentType, reportCallIssue]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


@contextlib.contextmanager
def _as_one_process(distributed: Any) -> Iterator[None]:
    """As on a torch that was built for one process: our ranks speak to each other by themselves,
    and no tensor of transformers is divided among them."""
    before = distributed.is_available
    distributed.is_available = lambda: False
    try:
        yield
    finally:
        distributed.is_available = before


if __name__ == "__main__":
    del sys.argv[0]
    load()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
