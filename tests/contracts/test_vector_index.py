"""The contract of `VectorIndex`, the same for every implementation: the tests that
`tunewright.testing.vectors` publishes. One more implementation is one more place in
`vector_databases`."""

from collections.abc import Callable, Iterator

import pytest
from databases_told import version_of
from vector_databases import params

from tunewright.testing.vectors.fixtures import *  # noqa: F403
from tunewright.testing.vectors.test_failing import *  # noqa: F403
from tunewright.testing.vectors.test_filters import *  # noqa: F403
from tunewright.testing.vectors.test_histories import *  # noqa: F403
from tunewright.testing.vectors.test_refused import *  # noqa: F403
from tunewright.testing.vectors.test_rows import *  # noqa: F403


@pytest.fixture(scope="module", params=params())
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with request.param(tmp_path_factory.mktemp("index")) as opened:
        yield opened


def test_what_is_tried_says_its_version(
    place: str, record_property: Callable[[str, str], None]
) -> None:
    """Which docs/databases.json has."""
    record_property("version", version_of(place))
