"""The run service in this process."""

from typing import IO, Any, cast

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from runwidgets.errors import InvalidArgumentError, UnknownFileError, UnknownRunError
from runwidgets.execution.backend import Backend
from runwidgets.failpoints import reach
from runwidgets.schema import (
    Argument,
    LogPiece,
    PartialFileHandle,
    ResultFileHandle,
    RunConfig,
    RunHandle,
    RunList,
    RunReason,
    RunSeries,
    TablePage,
)
from runwidgets.service.contracts.runs import RunService
from runwidgets.service.local.components import Components
from runwidgets.service.local.pagination import make_table, read_page
from runwidgets.service.local.submission.submission import PreparedRun, Submission, refuse_lost_secrets
from runwidgets.service.local.submission.sweep_results import refuse_other_results
from runwidgets.service.local.validation import check_flag, check_text, check_whole_number
from runwidgets.service.retention import delete_row
from runwidgets.states import RunState
from runwidgets.store.database.columns import RunRow
from runwidgets.store.identifiers import check_id

LOG_PIECE = 256 * 1024
"""Bytes of the log in one response."""


class LocalRunService(RunService):
    """Runs of the store, for one user.

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

    def start_run(
        self, group_id: str, arguments: list[Argument], config: RunConfig | None = None
    ) -> RunHandle:
        """Validate every argument, then accept the run; see `RunService`."""
        submission = Submission(self._components, self._user, group_id, config)
        run = submission.prepare(arguments)
        key = submission.settings.get("key")
        if key is not None and (earlier := self._components.runs.find_by_key(group_id, key)) is not None:
            return self._handle(earlier)
        return self._accept(submission, run)

    def get_run(self, run_id: str) -> RunHandle:
        """Return the handle of a run; see `RunService`."""
        return self._handle(self._run(run_id))

    def list_runs(
        self,
        group_id: str,
        state: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> RunList:
        """List the runs of a group, oldest first; see `RunService`."""
        components = self._components
        components.group(self._user, group_id)
        size = (
            components.limits.page
            if limit is None
            else check_whole_number("limit", limit, 1, components.limits.page_max)
        )
        cursor = None if before is None else check_whole_number("before", before, 1, 2**62)
        rows, next_cursor = components.runs.list(group_id, _parse_state(state), size, cursor)
        page: RunList = {
            "runs": [{"id": row.id, "state": row.state, "createdAt": row.created_at} for row in rows]
        }
        if next_cursor is not None:
            page["next"] = str(next_cursor)
        return page

    def get_table(self, group_id: str, before: str | None = None, limit: int | None = None) -> TablePage:
        """Return the runs of a group as rows, newest first; see `RunService`."""
        self._components.group(self._user, group_id)
        rows, next_cursor = self._components.runs.list(group_id, None, *read_page(limit, before, "before"))
        return make_table(rows[::-1], next_cursor)

    def cancel_run(self, run_id: str, reason: str | None = None) -> RunHandle:
        """Stop an active run; see `RunService`."""
        message = self._check_message("reason", reason) or "the run was cancelled"
        return self._cancel(run_id, RunReason.CANCELED, message)

    def prune_run(self, run_id: str, message: str | None = None) -> RunHandle:
        """Stop an active run because it is not promising; see `RunService`."""
        text = self._check_message("message", message) or "the run was not promising"
        return self._cancel(run_id, RunReason.PRUNED, text)

    def rerun(self, run_id: str, latest: bool = False) -> RunHandle:
        """Start an earlier run again, as it was; see `RunService`."""
        is_latest = check_flag("latest", latest)
        row = self._run(run_id)
        version = self._components.catalog.get_version(row.version_id)
        refuse_lost_secrets(row, version, self._components.catalog.get_group(row.group_id))
        settings: RunConfig = row.config.copy()
        settings.pop("key", None)
        submission = Submission(
            self._components,
            self._user,
            row.group_id,
            settings,
            version=None if is_latest else version,
            repeats=True,
        )
        submission.settings.pop("key", None)  # one of the group would name the earlier run
        run = submission.prepare(row.arguments)
        if "results_of" in settings and not is_latest:
            refuse_other_results(self._components, row.id, run.directory.description["files"])
        return self._accept(submission, run)

    def _accept(self, submission: Submission, run: PreparedRun) -> RunHandle:
        """Accept a prepared run, or return the one that has its key."""
        components, group_id = self._components, submission.group.id
        try:
            with submission.create_directories([run]):
                (accepted,) = components.runs.accept([run.row], components.limits.queue)
        except IntegrityError:
            key = submission.settings.get("key")
            earlier = components.runs.find_by_key(group_id, key) if key is not None else None
            if earlier is None:
                components.catalog.get_group(group_id)  # raises if the group was deleted in the meantime
                if run.row.get("uploads"):
                    raise UnknownFileError("arguments", "a file that they name was deleted") from None
                raise
            return self._handle(earlier)
        self._backend.submit(accepted.id)
        return self._handle(accepted, submission.version, submission.group)

    def delete_run(self, run_id: str) -> RunHandle:
        """Remove a run and its files; see `RunService`."""
        handle = self.get_run(run_id)
        if delete_row(self._components.runs, self._components.files, run_id).holds_slot:
            self._backend.cancel(run_id)  # the backend removes the directory after the last process
        else:
            reach("row deleted")
            self._components.files.delete_run(run_id)
        self._components.remove_unused_uploads()
        return handle

    def get_result_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a result file of a SUCCESS run; see `RunService`."""
        return self._open_file(self._run(run_id), file_id, is_result=True)

    def get_partial_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a partial file of a run without success; see `RunService`."""
        return self._open_file(self._run(run_id), file_id, is_result=False)

    def get_result_archive(self, run_id: str) -> IO[bytes]:
        """Open an archive of all result files of a SUCCESS run; see `RunService`."""
        row = self._run(run_id)
        if row.state != RunState.SUCCESS.value:
            raise UnknownRunError(f"run {run_id}", f"it is {row.state}; only a SUCCESS run has an archive")
        names = [(each.name, _stored_name(each)) for each in self._components.runs.get_files(run_id)]
        return self._components.files.open_archive(run_id, names)

    def get_log(self, run_id: str, offset: int | None = None) -> LogPiece:
        """Return a part of what the notebook printed; see `RunService`."""
        self._run(run_id)
        begin = 0 if offset is None else check_whole_number("offset", offset, -(2**62), 2**62)
        content, begin, size = self._components.files.read_log(run_id, begin, LOG_PIECE)
        return _log_piece(content, begin, size)

    def get_series(self, run_id: str, limit: int | None = None) -> RunSeries:
        """Return the series that a run recorded; see `RunService`."""
        self._run(run_id)
        max_points = None if limit is None else check_whole_number("limit", limit, 2, 2**31)
        return {"series": self._components.runs.series(run_id, max_points)}

    def get_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook; see `RunService`."""
        self._run(run_id)
        return self._components.files.open_notebook(run_id)

    def _open_file(self, run: RunRow, file_id: str, is_result: bool) -> IO[bytes]:
        check_id("file", file_id)
        kind = "result" if is_result else "partial"
        if (run.state == RunState.SUCCESS.value) == is_result:
            for row in self._components.runs.get_files(run.id):
                if row.id == file_id:
                    return self._components.files.open_result(run.id, _stored_name(row))
        raise UnknownFileError(f"file {file_id}", f"{run.state} run {run.id} has no such {kind} file")

    def _check_message(self, name: str, text: str | None) -> str | None:
        return None if text is None else check_text(name, text, self._components.limits.string_size)

    def _cancel(self, run_id: str, reason: RunReason, message: str) -> RunHandle:
        self._run(run_id)
        row = self._components.runs.move(run_id, RunState.CANCELED, reason, [message])
        reach("cancelled")
        if row.host is None:  # it was never claimed
            self._components.files.forget_secrets(run_id)
        self._backend.cancel(run_id)
        return self._handle(row)

    def _run(self, run_id: str) -> RunRow:
        row = self._components.runs.get(run_id)
        self._components.policy.check(self._user, self._components.catalog.get_group(row.group_id))
        return row

    def _handle(
        self, row: RunRow, version: Row[Any] | None = None, group: Row[Any] | None = None
    ) -> RunHandle:
        components = self._components
        version = version or components.catalog.get_version(row.version_id)
        group = group or components.catalog.get_group(row.group_id)
        handle: RunHandle = {
            "id": row.id,
            "state": row.state,
            "createdAt": row.created_at,
            "workflowId": row.workflow_id,
            "groupId": row.group_id,
            "arguments": row.arguments,
            "parameters": [*version.template["handle"]["parameters"], *group.parameters],
            "metrics": row.metrics,
            "config": row.config,
            "notebook": version.template["name"],
            "version": version.sha256,
        }
        if warnings := components.templates.list_warnings(version, group):
            handle["warnings"] = warnings
        if row.started_at is not None:
            handle["startedAt"] = row.started_at
        if row.progress is not None:
            handle["progress"] = row.progress
        if row.sweep_id is not None:
            handle["sweepId"] = row.sweep_id
        if row.finished_at is not None:
            handle["finishedAt"] = row.finished_at
            files = [_file_handle(each) for each in components.runs.get_files(row.id)]
            if row.state == RunState.SUCCESS.value:
                handle["files"] = cast("list[ResultFileHandle]", files)
            else:
                handle["reason"] = row.reason
                handle["messages"] = row.messages
                handle["partialFiles"] = files
            if row.state == RunState.CANCELED.value and row.holds_slot:
                handle["isEnding"] = True
        return handle


def _file_handle(row: Row[Any]) -> PartialFileHandle:
    """Return the handle of a partial file; that of a result file always has its hash."""
    display = {key: value for key, value in row.display.items() if key != "isNotebook"}
    handle = {"id": row.id, "name": row.name, **display, "mimeType": row.mime_type, "size": row.size}
    if row.sha256 is not None:
        handle["sha256"] = row.sha256
    return cast(PartialFileHandle, handle)


def _stored_name(row: Row[Any]) -> str | None:
    return None if row.display.get("isNotebook") else row.name


def _log_piece(content: bytes, begin: int, size: int) -> LogPiece:
    """Cut a part of the log at whole characters; an incomplete character is left to the next part."""
    start = 0
    while start < min(4, len(content)) and content[start] & 0xC0 == 0x80:
        start += 1
    end = len(content)
    for distance in range(1, min(4, end - start) + 1):
        byte = content[end - distance]
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            end = end - distance if needed > distance else end
            break
    text = content[start:end].decode("utf-8", "replace")
    return {"text": text, "offset": begin + start, "next": begin + end, "size": size}


def _parse_state(name: str | None) -> RunState | None:
    if name is None:
        return None
    try:
        return RunState(name)
    except ValueError:
        known = ", ".join(state.value for state in RunState)
        raise InvalidArgumentError("state", f"{name!r:.80} is not a state", f"use one of {known}") from None
