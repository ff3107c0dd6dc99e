"""The sweep service in this process."""

import json
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, cast

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from runwidgets.errors import InvalidArgumentError, InvalidRunStateError, RunWidgetsError, StorageFullError
from runwidgets.execution.backend import Backend
from runwidgets.failpoints import reach
from runwidgets.schema import (
    AddedPoint,
    Argument,
    JsonValue,
    RunConfig,
    RunReason,
    StateCounts,
    SweepAddition,
    SweepConfig,
    SweepHandle,
    SweepList,
    SweepOnError,
    TablePage,
)
from runwidgets.service.contracts.sweeps import SweepService
from runwidgets.service.local.components import Components
from runwidgets.service.local.pagination import make_table, read_page
from runwidgets.service.local.run_config import split_config
from runwidgets.service.local.submission.submission import PreparedRun, Submission, refuse_lost_secrets
from runwidgets.service.local.submission.sweep_results import refuse_other_results
from runwidgets.service.local.validation import check_flag, check_name, check_text
from runwidgets.states import ACTIVE, RunState
from runwidgets.store.database.columns import NewSweep, Point, RunRow
from runwidgets.store.database.sweeps import SweepRow


class LocalSweepService(SweepService):
    """Sweeps of the store, for one user.

    Parameters
    ----------
    components : Components
        The instance.
    backend : Backend
        The backend on which runs execute.
    user : str or None
        The user.
    """

    def __init__(self, components: Components, backend: Backend, user: str | None) -> None:
        self._components = components
        self._backend = backend
        self._user = user

    def start_sweep(
        self,
        group_id: str,
        arguments: list[list[Argument]],
        config: SweepConfig | None = None,
        name: str | None = None,
    ) -> SweepHandle:
        """Validate every point, then accept all of them; see `SweepService`."""
        components = self._components
        group = components.group(self._user, group_id)
        sweep_config, run_config = split_config(config)
        earlier = (
            components.sweeps.find_by_key(group_id, sweep_config["key"]) if "key" in sweep_config else None
        )
        if earlier is not None:
            return self._handle(earlier, group)
        sweep_id = uuid.uuid4().hex
        values: NewSweep = {
            "id": sweep_id,
            "group_id": group_id,
            "name": None if name is None else check_name(name, components.limits),
            "config": config or {},
            "idempotency_key": sweep_config.get("key"),
            "stops_on_error": sweep_config.get("on_error") == SweepOnError.STOP.value,
            "parallel": sweep_config.get("parallel"),
            "created_by": self._user,
        }
        submission = self._submission(sweep_id, group_id, sweep_config, run_config)
        prepared = self._prepare_all(submission, arguments)
        added, new = self._reuse(group_id, prepared, sweep_config)
        try:
            with submission.create_directories(new):
                rows = [run.row for run in new]
                row = components.sweeps.accept(values, added, rows, components.limits.queue)
        except IntegrityError as error:
            earlier = (
                components.sweeps.find_by_key(group_id, sweep_config["key"])
                if "key" in sweep_config
                else None
            )
            if earlier is None:
                raise self._deletion_error(group_id) from error
            return self._handle(earlier, group)
        self._submit(new)
        return self._handle(row, group)

    def get_sweep(self, sweep_id: str) -> SweepHandle:
        """Return the handle of a sweep; see `SweepService`."""
        return self._handle(*self._sweep(sweep_id))

    def list_sweeps(self, group_id: str) -> SweepList:
        """List the sweeps of a group; see `SweepService`."""
        group = self._components.group(self._user, group_id)
        rows = self._components.sweeps.list(group_id)
        counts = self._components.sweeps.count([row.id for row in rows])
        return {"sweeps": [sweep_handle(row, group, counts[row.id]) for row in rows]}

    def get_points(self, sweep_id: str, after: str | None = None, limit: int | None = None) -> TablePage:
        """Return the points of a sweep as rows; see `SweepService`."""
        row, _ = self._sweep(sweep_id)
        size, cursor = read_page(limit, after, "after")
        runs, next_cursor = self._components.sweeps.get_points(sweep_id, cursor or 0, size)
        page = make_table(runs, next_cursor, "number")
        self._add_defaults(row, runs, page)
        return page

    def add_points(self, sweep_id: str, arguments: list[list[Argument]]) -> SweepAddition:
        """Add points to a sweep; see `SweepService`."""
        components = self._components
        row, group = self._sweep(sweep_id)
        sweep_config, run_config = split_config(row.config)
        submission = self._submission(sweep_id, group.id, sweep_config, run_config)
        prepared = self._prepare_all(submission, arguments)
        added, new = self._reuse(group.id, prepared, sweep_config)
        try:
            with submission.create_directories(new):
                rows = [run.row for run in new]
                row = components.sweeps.extend(sweep_id, added, rows, components.limits.queue)
        except IntegrityError as error:
            raise self._deletion_error(group.id) from error
        self._submit(new)
        begin = row.last_number - len(added)
        points, _ = components.sweeps.get_points(sweep_id, begin, len(added))
        new_runs: list[AddedPoint] = [
            {"number": each.number, "id": each.id, "state": each.state, "createdAt": each.created_at}
            for each in points
        ]
        return {"sweep": self._handle(row, group), "runs": new_runs}

    def cancel_sweep(
        self,
        sweep_id: str,
        reason: str | None = None,
        pending_only: bool = False,
        interrupted: bool = False,
    ) -> SweepHandle:
        """Stop the active runs of a sweep; see `SweepService`."""
        components = self._components
        row, group = self._sweep(sweep_id)
        message = "the sweep was cancelled"
        if reason is not None:
            message = check_text("reason", reason, components.limits.string_size) or message
        is_interrupted = check_flag("interrupted", interrupted)
        why = RunReason.SEARCH_INTERRUPTED if is_interrupted else RunReason.CANCELED
        canceled = components.sweeps.cancel(sweep_id, why, message, check_flag("pendingOnly", pending_only))
        reach("cancelled")
        handle = self._handle(row, group)
        if not canceled and handle["isDone"]:
            raise InvalidRunStateError(f"sweep {sweep_id}", "all of its runs have ended")
        for each in canceled:
            if each.host is not None:
                self._backend.cancel(each.id)
        components.files.forget_secrets(*(each.id for each in canceled if each.host is None))
        return handle

    def pause_sweep(self, sweep_id: str, paused: bool = True) -> SweepHandle:
        """Hold back the waiting runs of a sweep, or release them; see `SweepService`."""
        _, group = self._sweep(sweep_id)
        row, waiting = self._components.sweeps.pause(sweep_id, check_flag("paused", paused))
        if waiting is not None and not paused:
            self._backend.submit(waiting.id)
        return self._handle(row, group)

    def rerun_failed(
        self, sweep_id: str, numbers: list[int] | None = None, latest: bool = False
    ) -> SweepHandle:
        """Give each point that failed a new run; see `SweepService`."""
        components = self._components
        is_latest = check_flag("latest", latest)
        row, group = self._sweep(sweep_id)
        failed = _select_failed(components.sweeps.get_failed(sweep_id), numbers, f"sweep {sweep_id}")
        components.runs.check_queue_limit(len(failed), components.limits.queue)
        versions = {each.version_id: components.catalog.get_version(each.version_id) for each in failed}
        for each in failed:
            refuse_lost_secrets(each, versions[each.version_id], group)
        alike: dict[tuple[str, str], list[Row[Any]]] = {}
        for each in failed:
            alike.setdefault((each.version_id, json.dumps(each.config, sort_keys=True)), []).append(each)
        sweep_config, _ = split_config(row.config)
        replaced, prepared = [], []
        with ExitStack() as stack:
            for earlier in alike.values():
                version = None if is_latest else versions[earlier[0].version_id]
                submission = self._submission(
                    sweep_id, group.id, sweep_config, earlier[0].config, version=version, repeats=True
                )
                again = self._prepare_again(submission, earlier, is_latest)
                stack.enter_context(submission.create_directories(again))
                prepared += again
                replaced += [
                    (each.number, each.id, run.row["id"]) for each, run in zip(earlier, again, strict=True)
                ]
            new = [run.row for run in prepared]
            components.sweeps.replace(sweep_id, replaced, new, components.limits.queue)
        self._submit(prepared)
        return self._handle(row, group)

    def _prepare_again(
        self, submission: Submission, earlier: Sequence[Row[Any]], is_latest: bool
    ) -> list[PreparedRun]:
        """Prepare the repetition of runs that have one version and one config."""
        prepared = self._prepare_all(
            submission, [each.arguments for each in earlier], [each.number for each in earlier]
        )
        if "results_of" in submission.settings and not is_latest:
            for row, run in zip(earlier, prepared, strict=True):
                refuse_other_results(self._components, row.id, run.directory.description["files"])
        return prepared

    def delete_sweep(self, sweep_id: str) -> SweepHandle:
        """Remove a sweep with the runs that it started; see `SweepService`."""
        components = self._components
        handle = self.get_sweep(sweep_id)
        try:
            deleted = components.sweeps.delete(sweep_id)
        except StorageFullError:
            if not components.files.release_space():
                raise
            deleted = components.sweeps.delete(sweep_id)
        reach("row deleted")
        for row in deleted:
            if row.holds_slot:
                self._backend.cancel(row.id)  # the backend removes the directory after the last process
        components.files.delete_runs([row.id for row in deleted if not row.holds_slot])
        components.remove_unused_uploads()
        return handle

    def _sweep(self, sweep_id: str) -> tuple[SweepRow, Row[Any]]:
        """Return a sweep in which the user may act, and its group."""
        row = self._components.sweeps.get(sweep_id)
        return row, self._components.group(self._user, row.group_id)

    def _submission(
        self,
        sweep_id: str,
        group_id: str,
        sweep_config: SweepConfig,
        run_config: RunConfig,
        *,
        version: Row[Any] | None = None,
        repeats: bool = False,
    ) -> Submission:
        submission = Submission(
            self._components,
            self._user,
            group_id,
            run_config,
            version=version,
            repeats=repeats,
            stops=sweep_id if sweep_config.get("on_error") == SweepOnError.STOP.value else None,
            sweep_id=sweep_id,
            rank=-sweep_config.get("priority", 0),
        )
        submission.settings.pop("key", None)  # a key of the group would make all points one run
        return submission

    def _prepare_all(
        self, submission: Submission, arguments: Any, numbers: Sequence[int] | None = None
    ) -> list[PreparedRun]:
        """Check every point; an error names the first invalid point by number, or by position."""
        if not isinstance(arguments, list):
            raise InvalidArgumentError(
                "arguments", "they are not a list", "give a list of lists of arguments"
            )
        if not arguments:
            raise InvalidArgumentError("arguments", "there is no point", "give the arguments of at least one")
        prepared = []
        for number, point in zip(numbers or range(1, len(arguments) + 1), arguments, strict=True):
            try:
                prepared.append(submission.prepare(point))
            except RunWidgetsError as error:
                raise type(error)(error.subject, error.problem, error.remedy, point=number) from error
        return prepared

    def _reuse(
        self, group_id: str, prepared: Sequence[PreparedRun], sweep_config: SweepConfig
    ) -> tuple[list[Point], Sequence[PreparedRun]]:
        """Return the points, and the prepared runs for those that reuse none."""
        reusable: dict[str, RunRow] = {}
        if sweep_config.get("reuse"):
            wanted = [run.row["fingerprint"] for run in prepared if run.row["fingerprint"]]
            reusable = self._components.sweeps.find_successes(group_id, wanted)
        new = [run for run in prepared if run.row["fingerprint"] not in reusable]
        self._components.runs.check_queue_limit(len(new), self._components.limits.queue)
        points = []
        for run in prepared:
            earlier = reusable.get(run.row["fingerprint"] or "")
            points.append(Point(earlier.id if earlier else run.row["id"], run.row["arguments"]))
        return points, new

    def _add_defaults(self, row: SweepRow, runs: Sequence[Row[Any]], page: TablePage) -> None:
        """Add the defaults that reused runs ran with, if the sweep varies their parameters.

        Such a run may have been started without an argument that the point has, if both lead to the same
        value.
        """
        defaults: dict[int, dict[str, JsonValue]] = {}
        column = page["columns"].index("arguments")
        for run, cells in zip(runs, page["rows"], strict=True):
            arguments = cast("dict[str, JsonValue]", cells[column])
            missing = [name for name in row.varied if name not in arguments]
            if run.sweep_id == row.id or not missing:
                continue
            if run.version_id not in defaults:
                handle = self._components.catalog.get_version(run.version_id).template["handle"]
                defaults[run.version_id] = {
                    each["name"]: each["defaultValue"]
                    for each in handle["parameters"]
                    if "defaultValue" in each
                }
            version_defaults = defaults[run.version_id]
            arguments.update({name: version_defaults[name] for name in missing if name in version_defaults})

    def _submit(self, prepared: Sequence[PreparedRun]) -> None:
        if prepared:
            self._backend.submit(prepared[0].row["id"])

    def _deletion_error(self, group_id: str) -> RunWidgetsError:
        """Return the error for an object that was deleted during the submission."""
        self._components.catalog.get_group(group_id)
        problem = "a run that they would reuse, or a file that they name, was deleted"
        return InvalidRunStateError("arguments", problem, "try again")

    def _handle(self, row: SweepRow, group: Row[Any]) -> SweepHandle:
        return sweep_handle(row, group, self._components.sweeps.count([row.id])[row.id])


def _select_failed(failed: Sequence[Row[Any]], numbers: object, subject: str) -> Sequence[Row[Any]]:
    """Return the failed points with the given numbers, or all of them for None."""
    if numbers is None:
        if not failed:
            raise InvalidRunStateError(subject, "no run of it failed or was cancelled")
        return failed
    if not isinstance(numbers, list) or not numbers or not all(type(each) is int for each in numbers):
        raise InvalidArgumentError("numbers", "it must be a list of numbers of points", "such as [1, 5]")
    known = {each.number: each for each in failed}
    for number in numbers:
        if number not in known:
            raise InvalidRunStateError(
                subject, f"the run of point {number} did not fail and was not cancelled"
            )
    return [known[number] for number in sorted(set(numbers))]


def sweep_handle(row: SweepRow, group: Row[Any], counts: StateCounts) -> SweepHandle:
    """Return the handle of a sweep; see `SweepService`."""
    handle: SweepHandle = {
        "id": row.id,
        "name": row.name or ", ".join(row.varied) or "sweep",
        "groupId": row.group_id,
        "workflowId": group.workflow_id,
        "createdAt": row.created_at,
        "config": row.config,
        "total": sum(counts[state.value] for state in RunState),
        "counts": counts,
        "varied": row.varied,
        "isDone": not any(counts[state.value] for state in ACTIVE),
        "isPaused": row.is_paused,
    }
    if row.created_by is not None:
        handle["createdBy"] = row.created_by
    return handle
