"""The contract of `VectorIndex` as tests: a plugin of pytest for any index.

    pip install 'tunewright[testing]'
    pytest -p tunewright.testing.vectors --pyargs tunewright.testing.vectors --index PLACE

PLACE is what `open_index` takes, an index of another package too. The tests make collections called
``contract_...`` there and drop them. Each answer is compared with a reference in plain Python
(`reference`), which knows nothing of an index. `-m "not slow"` leaves out the longest.
"""

import pytest

pytest.register_assert_rewrite("tunewright.testing.vectors.both")

from tunewright.testing.vectors.fixtures import both, index  # noqa: E402

__all__ = ["both", "index", "place"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--index", help="the place of the vector index that is tried")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: thousands of random filters and histories")


@pytest.fixture(scope="session")
def place(pytestconfig: pytest.Config) -> str:
    if not (given := pytestconfig.getoption("--index")):
        pytest.exit("Which index is tried? Say --index PLACE.", returncode=4)
    return str(given)
