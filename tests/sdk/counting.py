"""Which calls an SDK of the generations 1.x to 3.x offers, and which of them were answered."""

import inspect
from typing import Any

ROOTS = ("files", "uploads", "fine_tuning", "models", "chat.completions", "completions")
ROOTS += ("embeddings", "batches", "vector_stores")


class Counted:
    """A client, or a resource of one, that writes down each call that was answered in `made`."""

    def __init__(self, target: Any, path: str = "", made: dict[str, str] | None = None) -> None:
        self.target = target
        self.path = path
        self.made = {} if made is None else made

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.target, name)
        if name.startswith("with_"):
            return value
        path = f"{self.path}.{name}" if self.path else name
        return (
            self._call(value, path) if inspect.ismethod(value) else Counted(value, path, self.made)
        )

    def _call(self, method: Any, path: str) -> Any:
        async def later(coming: Any) -> Any:
            value = await coming
            self.made[path] = "yes"
            return value

        def call(*given: Any, **named: Any) -> Any:
            value = method(*given, **named)
            if inspect.iscoroutine(value):
                return later(value)
            self.made[path] = "yes"
            return value

        return call


def offered(client: Any) -> list[str]:
    """``fine_tuning.jobs.create`` and so on: what there is of our resources in this generation."""
    found: list[str] = []
    for root in ROOTS:
        resource = client
        for name in root.split("."):
            resource = getattr(resource, name)
        found += _calls(resource, root)
    return sorted(found)


def _calls(resource: Any, path: str) -> list[str]:
    found = []
    for name in dir(type(resource)):
        if name.startswith(("_", "with_")):
            continue
        value = getattr(resource, name)
        if inspect.ismethod(value):
            found.append(f"{path}.{name}")
        elif hasattr(value, "_client"):
            found += _calls(value, f"{path}.{name}")
    return found
