"""The components that all local services of an instance share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from runwidgets.errors import (
    InvalidRunStateError,
)
from runwidgets.limits import Limits
from runwidgets.service.local.policy import Policy
from runwidgets.service.local.templates import Templates
from runwidgets.store.database.catalog import Catalog
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.database.sweeps import Sweeps
from runwidgets.store.files.base import FileStore


@dataclass(frozen=True, kw_only=True)
class Components:
    """The components of the local services; shared by all users who start runs with the same environment."""

    catalog: Catalog
    runs: Runs
    sweeps: Sweeps
    files: FileStore
    templates: Templates
    policy: Policy
    limits: Limits
    has_resources: bool
    """Whether the backend supports ``config.resources``."""
    check_kernel: Callable[[str, str], str | None]
    """See `Backend.check_kernel`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of every run that is accepted, to which those of ``config.environment`` are added."""

    def group(self, user: str | None, group_id: str) -> Row[Any]:
        """Return a group in which a user may act."""
        group = self.catalog.get_group(group_id)
        self.policy.check(user, group)
        return group

    def remove_unused_uploads(self) -> None:
        """Remove the deleted uploads that no run still names."""
        for group_id, file_id in self.catalog.remove_unused_uploads():
            self.files.delete_upload(group_id, file_id)

    def remove_runs(self, group_ids: Sequence[str], subject: str, remove: Callable[[], None]) -> None:
        """Remove the rows and then the files of some groups, unless a run in them is active."""
        if self.runs.count_active(group_ids):
            raise InvalidRunStateError(subject, "one of its runs is active", "cancel it first")
        run_ids = self.runs.ids(group_ids)
        remove()
        self.files.delete_runs(run_ids)
        for group_id in group_ids:
            self.files.delete_uploads(group_id)
