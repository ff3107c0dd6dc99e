from collections.abc import Iterator
from typing import Any

import pytest

from runwidgets.limits import Limits
from runwidgets.service.factory import Instance
from tests.builders import checked_instance

PATHS: dict[str, dict[str, Any]] = {
    "direct": {},
    "zmq": {"transport": "zmq"},
    "spawn": {"isolation": "spawn"},
}
"""The ways to a kernel, as settings of a run."""


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Use each way to start a kernel."""
    return PATHS[request.param]


@pytest.fixture(scope="module")
def private_instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Open an instance for this module, and check its invariants at the end."""
    root = tmp_path_factory.mktemp("faults") / "root"
    with checked_instance(root, slots=2, limits=Limits(cancel_grace=1.0)) as instance:
        yield instance
