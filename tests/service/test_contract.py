import inspect
import re

import pytest

from runwidgets import errors
from runwidgets.service.contracts import api as contracts
from runwidgets.service.contracts.runs import RunService

SIGNATURES = {
    "start_run": "(self, group_id: str, arguments: list[Argument], config: RunConfig | None = None)"
    " -> RunHandle",
    "get_run": "(self, run_id: str) -> RunHandle",
    "list_runs": "(self, group_id: str, state: str | None = None) -> RunList",
    "cancel_run": "(self, run_id: str, reason: str | None = None) -> RunHandle",
    "delete_run": "(self, run_id: str) -> RunHandle",
    "get_result_file": "(self, run_id: str, file_id: str) -> IO[bytes]",
    "get_result_archive": "(self, run_id: str) -> IO[bytes]",
}
"""The seven methods that programs are written against, with their parameters."""

CONTRACTS = [
    contracts.RunService,
    contracts.SweepService,
    contracts.WorkflowService,
    contracts.GroupService,
    contracts.UploadService,
    contracts.EventService,
]


@pytest.mark.parametrize("name", sorted(SIGNATURES))
def test_a_method_of_the_run_service_has_exactly_its_signature(name: str) -> None:
    """A program that is written against the contract works with both implementations."""
    signature = re.sub(r"(?:\w+\.)+(?=\w+)", "", str(inspect.signature(getattr(RunService, name))))

    assert signature == SIGNATURES[name]
    assert name in RunService.__abstractmethods__


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_error_that_a_contract_names_is_one_of_ours(contract: type) -> None:
    """The section "Raises" of a contract names classes that exist."""
    for name in contract.__abstractmethods__:
        text = inspect.getdoc(getattr(contract, name)) or ""
        raises = text.partition("Raises\n------\n")[2]

        assert all(hasattr(errors, each) for each in re.findall(r"^(\w+Error)$", raises, re.MULTILINE))


@pytest.mark.parametrize("contract", CONTRACTS)
def test_every_method_of_a_contract_has_two_implementations(contract: type) -> None:
    """What works in this process works over HTTP, and the reverse."""
    from runwidgets.service import factory as wiring
    from runwidgets.service.http import services as remote

    implementations = contract.__subclasses__()

    assert {cls.__name__ for cls in implementations} == {
        f"Local{contract.__name__}",
        f"Remote{contract.__name__}",
    }
    assert not any(cls.__abstractmethods__ for cls in implementations)
    assert remote and wiring
