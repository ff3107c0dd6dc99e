"""Runs, over the store and a backend, in this process."""

import json
import math
import os
import uuid
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Row
from sqlalchemy.exc import IntegrityError

from runwidgets.crashpoints import reach
from runwidgets.errors import InvalidArgumentError, StorageFullError, UnknownFileError, UnknownRunError
from runwidgets.execution.backend import Backend
from runwidgets.service.base import RunService
from runwidgets.service.catalog import Parts
from runwidgets.service.retention import delete_row
from runwidgets.states import RunState
from runwidgets.store.runs import RunRow
from runwidgets.templates.parameters import Parameter, check_arguments, parse_parameters

Json = dict[str, Any]

LOG_PIECE = 256 * 1024
"""Bytes of the log in one answer."""
TABLE_PAGE = 2_000
"""Rows of a table in one answer, at most."""
COLUMNS = ("id", "state", "createdAt", "startedAt", "finishedAt", "arguments", "metrics", "message")
MASK = "***"
MAX_RETRIES = 10
RUNNER_KEYS = ("name", "folder", "kernelName", "language", "outputs", "constructors", "imports")
"""What a runner needs to know of a template."""


class LocalRunService(RunService):
    """Runs of the store, for one user.

    Parameters
    ----------
    parts : Parts
        The house.
    backend : Backend
        Where runs execute.
    user : str or None
        Who asks.
    """

    def __init__(self, parts: Parts, backend: Backend, user: str | None) -> None:
        self._parts = parts
        self._backend = backend
        self._user = user

    def start_run(self, group_id: str, arguments: list[Json], config: Json | None = None) -> Json:
        """Validate every argument, then accept the run; see `RunService`."""
        parts = self._parts
        group = parts.group(self._user, group_id)
        version = parts.templates.current(parts.catalog.get_workflow(group.workflow_id))
        parameters = _parameters(version, group)
        uploads: dict[str, Row[Any]] = {}
        if "$file" in str(arguments):
            uploads = {row.id: row for row in parts.catalog.list_uploads(group_id)}
        values = check_arguments(parameters, arguments, uploads.__contains__, parts.limits)
        settings = {**group.config, **check_config(config, "config")}
        key = settings.get("key")
        if key is not None and (found := parts.runs.find_by_key(group_id, key)) is not None:
            return self._handle(found)
        if parts.files.free_space() < parts.limits.disk_floor:
            raise StorageFullError("disk", f"less than {parts.limits.disk_floor:,} bytes are free")
        run_id = uuid.uuid4().hex
        secret = {each.name for each in parameters if each.secret}
        shown = [
            {"name": each["name"], "value": MASK if each["name"] in secret else each["value"]}
            for each in arguments
        ]
        files, plain = _place(values, uploads)
        template = version.template
        description = {
            "id": run_id,
            "workflowId": group.workflow_id,
            "groupId": group_id,
            "arguments": shown,
            "values": {**template["defaults"], **{k: v for k, v in plain.items() if k not in secret}},
            "config": settings,
            "template": {key: template[key] for key in RUNNER_KEYS} | {"sha256": version.sha256},
            "inputs": template["inputs"],
            "files": files,
            "limits": asdict(parts.limits),
        }
        given = {
            each["fileId"]: parts.files.upload(group_id, each["fileId"], uploads[each["fileId"]].name)
            for each in files
        }
        secrets = {name: plain[name] for name in plain if name in secret}
        row = {
            "id": run_id,
            "group_id": group_id,
            "workflow_id": group.workflow_id,
            "version_id": version.id,
            "arguments": shown,
            "config": settings,
            "created_by": self._user,
            "idempotency_key": key,
        }
        lock = parts.files.create_run(run_id, description, version.notebook, given, secrets)
        reach("folder made")
        try:
            (accepted,) = parts.runs.accept([row], parts.limits.queue)
        except IntegrityError:
            parts.files.delete_run(run_id)
            found = parts.runs.find_by_key(group_id, key) if key is not None else None
            if found is None:
                parts.catalog.get_group(group_id)  # says that it was deleted meanwhile
                raise
            return self._handle(found)
        except BaseException:
            parts.files.delete_run(run_id)
            raise
        finally:
            os.close(lock)
        reach("accepted")
        self._backend.submit(run_id)
        return self._handle(accepted, version, group)

    def get_run(self, run_id: str) -> Json:
        """Return the handle of a run; see `RunService`."""
        return self._handle(self._run(run_id))

    def list_runs(
        self,
        group_id: str,
        state: str | None = None,
        *,
        limit: int | None = None,
        before: str | None = None,
    ) -> Json:
        """List the runs of a group, oldest first; see `RunService`."""
        parts = self._parts
        parts.group(self._user, group_id)
        size = parts.limits.page if limit is None else _whole("limit", limit, 1, parts.limits.page_max)
        cursor = None if before is None else _whole("before", before, 1, 2**62)
        rows, following = parts.runs.list(group_id, _state(state), size, cursor)
        answer: Json = {
            "runs": [{"id": row.id, "state": row.state, "createdAt": row.created_at} for row in rows]
        }
        if following is not None:
            answer["next"] = str(following)
        return answer

    def get_table(self, group_id: str, before: str | None = None, limit: int | None = None) -> Json:
        """Return the runs of a group as rows, newest first; see `RunService`."""
        self._parts.group(self._user, group_id)
        size = TABLE_PAGE if limit is None else _whole("limit", limit, 1, TABLE_PAGE)
        cursor = None if before is None else _whole("before", before, 1, 2**62)
        rows, following = self._parts.runs.list(group_id, None, size, cursor)
        answer: Json = {"columns": list(COLUMNS), "rows": [_cells(row) for row in reversed(rows)]}
        if following is not None:
            answer["next"] = str(following)
        return answer

    def cancel_run(self, run_id: str, reason: str | None = None) -> Json:
        """Stop an active run; see `RunService`."""
        self._run(run_id)
        message = (
            _text("reason", reason, self._parts.limits.string_size) if reason else "the run was cancelled"
        )
        row = self._parts.runs.move(run_id, RunState.CANCELED, [message])
        reach("cancelled")
        if row.started_at is None:
            self._parts.files.forget_secrets(run_id)
        self._backend.cancel(run_id)
        return self._handle(row)

    def rerun(self, run_id: str) -> Json:
        """Start a run with the arguments and settings of an earlier one; see `RunService`."""
        row = self._run(run_id)
        version = self._parts.catalog.get_version(row.version_id)
        given = {each["name"] for each in row.arguments}
        for parameter in _parameters(version, self._parts.catalog.get_group(row.group_id)):
            if parameter.secret and parameter.name in given:
                raise InvalidArgumentError(
                    parameter.name, "it is secret and was not kept", "start a new run and give it again"
                )
        settings = {name: value for name, value in row.config.items() if name != "key"}
        return self.start_run(row.group_id, row.arguments, settings)

    def delete_run(self, run_id: str) -> Json:
        """Remove a run and its files; see `RunService`."""
        handle = self.get_run(run_id)
        if delete_row(self._parts.runs, self._parts.files, run_id).holds_slot:
            self._backend.cancel(run_id)  # whose processes still end; the backend removes the folder then
        else:
            reach("row deleted")
            self._parts.files.delete_run(run_id)
        return handle

    def get_result_file(self, run_id: str, file_id: str) -> IO[bytes]:
        """Open a result file of a SUCCESS run; see `RunService`."""
        self._run(run_id)
        for row in self._parts.runs.get_files(run_id):
            if row.id == file_id:
                return self._parts.files.open_result(run_id, _stored_name(row))
        raise UnknownFileError(f"file {file_id[:64]}", f"run {run_id} has no such result file")

    def get_result_archive(self, run_id: str) -> IO[bytes]:
        """Open an archive of all result files of a SUCCESS run; see `RunService`."""
        row = self._run(run_id)
        if row.state != RunState.SUCCESS.value:
            raise UnknownRunError(f"run {run_id}", f"it is {row.state}; only a SUCCESS run has an archive")
        names = [(each.name, _stored_name(each)) for each in self._parts.runs.get_files(run_id)]
        return self._parts.files.open_archive(run_id, names)

    def get_log(self, run_id: str, offset: int = 0) -> Json:
        """Return a piece of what the notebook printed; see `RunService`."""
        self._run(run_id)
        begin = _whole("offset", offset, -(2**62), 2**62)
        content, begin, size = self._parts.files.read_log(run_id, begin, LOG_PIECE)
        return _log_piece(content, begin, size)

    def get_notebook(self, run_id: str) -> IO[bytes]:
        """Open the executed notebook, as far as the run has come; see `RunService`."""
        self._run(run_id)
        return self._parts.files.open_notebook(run_id)

    def _run(self, run_id: str) -> RunRow:
        row = self._parts.runs.get(run_id)
        self._parts.policy.check(self._user, self._parts.catalog.get_group(row.group_id))
        return row

    def _handle(self, row: RunRow, version: Row[Any] | None = None, group: Row[Any] | None = None) -> Json:
        parts = self._parts
        version = version or parts.catalog.get_version(row.version_id)
        group = group or parts.catalog.get_group(row.group_id)
        handle: Json = {
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
        }
        if row.started_at is not None:
            handle["startedAt"] = row.started_at
        if row.progress is not None:
            handle["progress"] = row.progress
        if row.sweep_id is not None:
            handle["sweepId"] = row.sweep_id
        if row.finished_at is not None:
            handle["finishedAt"] = row.finished_at
            if row.state == RunState.SUCCESS.value:
                handle["files"] = [file_handle(each) for each in parts.runs.get_files(row.id)]
            else:
                handle["messages"] = row.messages
        return handle


def _cells(row: RunRow) -> list[Any]:
    given = {each["name"]: each["value"] for each in row.arguments}
    times = (row.created_at, row.started_at, row.finished_at)
    message = row.messages[0] if row.messages else None
    return [row.id, row.state, *times, given, row.metrics, message]


def file_handle(row: Row[Any]) -> Json:
    """Return the handle of a result file."""
    shown = {key: value for key, value in row.display.items() if key != "isNotebook"}
    return {
        "id": row.id,
        "name": row.name,
        **shown,
        "mimeType": row.mime_type,
        "size": row.size,
        "sha256": row.sha256,
    }


def check_config(config: Any, subject: str) -> Json:
    """Return the settings of a run, checked.

    Parameters
    ----------
    config : dict or None
        ``timeout``, ``cell_timeout`` (seconds, above 0), ``cwd`` (``"run"``, ``"notebook"``),
        ``isolation`` (``"auto"``, ``"spawn"``), ``kernel`` (``"auto"``, ``"zmq"``), ``retries`` (0 to
        10), ``key`` (1 to 255 characters).
    subject : str
        What to call it in an error.

    Returns
    -------
    dict
        The settings that are given.

    Raises
    ------
    InvalidArgumentError
        A setting is unknown or makes no sense.
    """
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise InvalidArgumentError(subject, "it must be an object", 'such as {"timeout": 60}')
    choices = {"cwd": ("run", "notebook"), "isolation": ("auto", "spawn"), "kernel": ("auto", "zmq")}
    for name, value in config.items():
        where = f"{subject}.{name:.64}"
        if name in {"timeout", "cell_timeout"}:
            is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or value <= 0:
                raise InvalidArgumentError(where, "it must be a number of seconds above 0")
        elif name in choices:
            if value not in choices[name]:
                raise InvalidArgumentError(where, f"it must be {' or '.join(map(repr, choices[name]))}")
        elif name == "retries":
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RETRIES:
                raise InvalidArgumentError(where, f"it must be a whole number from 0 to {MAX_RETRIES}")
        elif name == "key":
            if not isinstance(value, str) or not 0 < len(value) <= 255:
                raise InvalidArgumentError(where, "it must be a string of 1 to 255 characters")
        else:
            known = "timeout, cell_timeout, cwd, isolation, kernel, retries, key"
            raise InvalidArgumentError(where, "there is no such setting", f"there are {known}")
    return dict(config)


def _parameters(version: Row[Any], group: Row[Any]) -> tuple[Parameter, ...]:
    own = version.template["handle"]["parameters"]
    return _parse(json.dumps(own)) + _parse(json.dumps(group.parameters))


@lru_cache(maxsize=256)
def _parse(declarations: str) -> tuple[Parameter, ...]:
    """Return parameters with their types built: that is most of what checking an argument costs."""
    return tuple(parse_parameters(json.loads(declarations)))


def _place(values: Json, uploads: dict[str, Row[Any]]) -> tuple[list[Json], Json]:
    """Return where each uploaded argument goes, and the values with paths in place of files."""
    files, plain = [], {}
    for name, value in values.items():
        if isinstance(value, dict) and value.get("type") == "$file":
            upload = uploads[value["value"]["fileId"]]
            target = value["value"].get("targetPath") or upload.name
            if target.endswith("/"):
                target += upload.name
            files.append({"fileId": upload.id, "path": target, "sha256": upload.sha256, "size": upload.size})
            value = str(Path(target))
        plain[name] = value
    return files, plain


def _stored_name(row: Row[Any]) -> str | None:
    return None if row.display.get("isNotebook") else row.name


def _log_piece(content: bytes, begin: int, size: int) -> Json:
    """Cut a piece to whole characters: what the next piece will have whole is left to it."""
    start = 0
    while start < min(4, len(content)) and content[start] & 0xC0 == 0x80:
        start += 1
    end = len(content)
    for back in range(1, min(4, end - start) + 1):
        byte = content[end - back]
        if byte & 0xC0 != 0x80:
            needed = 4 if byte >= 0xF0 else 3 if byte >= 0xE0 else 2 if byte >= 0xC0 else 1
            end = end - back if needed > back else end
            break
    text = content[start:end].decode("utf-8", "replace")
    return {"text": text, "offset": begin + start, "next": begin + end, "size": size}


def _state(given: str | None) -> RunState | None:
    if given is None:
        return None
    try:
        return RunState(given)
    except ValueError:
        known = ", ".join(state.value for state in RunState)
        raise InvalidArgumentError("state", f"{given!r:.80} is no state", f"use one of {known}") from None


def _whole(name: str, given: Any, least: int, most: int) -> int:
    text = str(given)
    digits = text[1:] if text.startswith("-") else text
    if isinstance(given, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        raise InvalidArgumentError(name, f"{text!r:.80} is not a whole number")
    if not least <= int(text) <= most:
        raise InvalidArgumentError(name, f"must be {least:,} to {most:,}, got {int(text):,}")
    return int(text)


def _text(name: str, given: Any, limit: int) -> str:
    if not isinstance(given, str) or len(given.encode("utf-8", "replace")) > limit:
        raise InvalidArgumentError(name, f"it must be text of at most {limit:,} bytes")
    return given.encode("utf-8", "backslashreplace").decode()
