"""Of a stub 300 random filters are enough: thousands of them are for real engines."""

import pytest

pytest.register_assert_rewrite("tunewright.testing.vectors")

import databases_told  # noqa: E402
from vector_databases import STUBS  # noqa: E402


def pytest_configure(config: pytest.Config) -> None:
    databases_told.writes(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def kept(item: pytest.Item) -> bool:
        given = getattr(item, "callspec", None)
        if given is None or ("_part" not in given.params and given.params.get("_times", 0) < 1000):
            return True
        return not any(given.id.startswith(stub) for stub in STUBS)

    left_out = [item for item in items if not kept(item)]
    items[:] = [item for item in items if kept(item)]
    config.hook.pytest_deselected(items=left_out)
