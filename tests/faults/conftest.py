from collections.abc import Iterator
from typing import Any

import pytest

from runwidgets.limits import Limits
from runwidgets.service.doctor import check
from runwidgets.service.wiring import Service, open_service
from tests.ladder import wait_until

PATHS: dict[str, dict[str, Any]] = {"direct": {}, "zmq": {"kernel": "zmq"}, "spawn": {"isolation": "spawn"}}
"""The ways to a kernel, as settings of a run."""


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Go each way to a kernel."""
    return PATHS[request.param]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Open a house of this module's own; a doctor has the last word on it."""
    root = tmp_path_factory.mktemp("faults") / "root"
    service = open_service(root, slots=2, limits=Limits(cancel_grace=1.0, start_timeout=10.0))
    yield service
    wait_until(lambda: not service._backend._followed)
    service.close()
    assert check(root) == []
