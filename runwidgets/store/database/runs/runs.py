"""The SQL statements about runs.

A state changes by one ``UPDATE … WHERE state IN (…)`` whose list comes from the state machine: of two
concurrent writers the first succeeds, and the other gets an error. Each change writes its event in the same
transaction, so the events never differ from the rows.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import Connection, Row, func, select, true, update

from runwidgets.errors import InvalidRunStateError, UnknownRunError
from runwidgets.schema import EventKind, Progress, RunReason, Series
from runwidgets.states import ACTIVE, TERMINAL, RunState, sources
from runwidgets.store.database.columns import NewFile, NewRun, RunRow
from runwidgets.store.database.database import Database
from runwidgets.store.database.events import emit
from runwidgets.store.database.leaderboard import Order, best_of_all, best_of_each, find_ranked, store_scores
from runwidgets.store.database.metrics import RecordedValue, read_series, store_metrics
from runwidgets.store.database.runs.queue_limit import check_queue_limit
from runwidgets.store.database.runs.run_batches import (
    accept_runs,
    cancel_runs,
    end_of,
    end_times,
    remove_runs,
    stop_sweep,
)
from runwidgets.store.database.runs.run_files import add_files
from runwidgets.store.database.runs.slots import claim_next, is_any_waiting, release_slot
from runwidgets.store.database.tables import events, files, runs
from runwidgets.store.identifiers import check_id


class Runs:
    """The runs of one database.

    Parameters
    ----------
    database : Database
        The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[Any]:
        """Return a transaction that includes all statements of this thread in its block."""
        return self._database.write()

    def accept(self, values: Sequence[NewRun], queue_limit: int) -> Sequence[RunRow]:
        """Add PENDING runs, all of them or none.

        Parameters
        ----------
        values : sequence of dict
            Columns of each run: ``id``, ``group_id``, ``workflow_id``, ``version_id``, ``arguments``,
            ``config``, ``created_by``, ``idempotency_key``, ``sweep_id``, ``rank``, ``fingerprint``.
        queue_limit : int
            Runs that may be PENDING afterwards.

        Returns
        -------
        sequence of RunRow
            The new rows, in order.

        Raises
        ------
        QueueFullError
            More runs would wait than allowed.
        """
        with self._database.write() as connection:
            return accept_runs(connection, values, queue_limit)

    def check_queue_limit(self, count: int, queue_limit: int) -> None:
        """Raise an error early if runs would not be accepted.

        Raises
        ------
        QueueFullError
            With `count` further runs, more than `queue_limit` would be PENDING.
        """
        with self._database.read() as connection:
            check_queue_limit(connection, count, queue_limit)

    def find_by_key(self, group_id: str, key: str) -> RunRow | None:
        """Return the run of a group with an idempotency key."""
        with self._database.read() as connection:
            query = select(runs).where(runs.c.group_id == group_id, runs.c.idempotency_key == key)
            return connection.execute(query).one_or_none()

    def get(self, run_id: str) -> RunRow:
        """Return a run.

        Raises
        ------
        UnknownRunError
            There is no such run.
        """
        with self._database.read() as connection:
            return _get(connection, run_id)

    def get_files(self, run_id: str) -> Sequence[Row[Any]]:
        """Return the files of a run, in order: results if it is SUCCESS, else partial files."""
        with self._database.read() as connection:
            query = select(files).where(files.c.run_id == run_id).order_by(files.c.position)
            return connection.execute(query).all()

    def list(
        self,
        group_id: str,
        state: RunState | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> tuple[Sequence[RunRow], int | None]:
        """Return the newest runs of a group, oldest first, and the cursor of the older ones.

        Parameters
        ----------
        group_id : str
            The group.
        state : RunState, optional
            Only runs in this state.
        limit : int, optional
            Maximum number of runs; None for all.
        before : int, optional
            Only runs with a smaller ``seq``.

        Returns
        -------
        rows : sequence of RunRow
            The runs, oldest first.
        next : int or None
            The value of `before` for the previous page; None if there is none.
        """
        query = select(runs).where(runs.c.group_id == group_id).order_by(runs.c.seq.desc())
        if state is not None:
            query = query.where(runs.c.state == state.value)
        if before is not None:
            query = query.where(runs.c.seq < before)
        if limit is not None:
            query = query.limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        if limit is None or len(rows) <= limit:
            return rows[::-1], None
        return rows[:limit][::-1], rows[limit - 1].seq

    def claim(self, host: str, instance: str, slots: int) -> RunRow | None:
        """Claim the oldest of the pending runs with the lowest rank for a host, if a slot is free.

        Runs of a sweep that already executes as many as it may are skipped. It is one statement: exactly one
        of several concurrent callers gets a given run. Called by the backend's dispatcher only, from its own
        thread.

        Parameters
        ----------
        host : str
            Name of the claiming machine; slots are counted per host.
        instance : str
            The instance that tracks the run.
        slots : int
            Runs that this host may execute at once, at least 1.

        Returns
        -------
        RunRow or None
            The claimed run, now RUNNING; None if no run is waiting or no slot is free.

        Notes
        -----
        **Source:** plain BEGIN gave 2,231 busy errors in 2,000 claims, BEGIN IMMEDIATE none.
        """
        with self._database.read() as connection:
            if not is_any_waiting(connection):
                return None
        with self._database.write() as connection:
            return claim_next(connection, host, instance, slots)

    def move(
        self,
        run_id: str,
        target: RunState,
        reason: RunReason | None = None,
        messages: Sequence[str] = (),
        results: Iterable[NewFile] = (),
        holds_slot: bool = True,
    ) -> RunRow:
        """Move a run into a terminal state; an ERROR may stop the sweep of the run.

        Parameters
        ----------
        run_id : str
            The run.
        target : RunState
            SUCCESS, ERROR or CANCELED.
        reason : RunReason, optional
            The reason; None for SUCCESS only.
        messages : sequence of str
            The messages for users.
        results : iterable of dict
            Columns of its result files, or of the partial files of an ERROR, without ``run_id`` and
            ``position``.
        holds_slot : bool
            False if its processes have ended, so that its slot is released at once.

        Returns
        -------
        RunRow
            The new row of the run.

        Raises
        ------
        UnknownRunError
            There is no such run.
        InvalidRunStateError
            A concurrent writer was first, or the state machine does not allow the move.
        """
        legal = [state.value for state in sources(target)]
        changed: dict[str, object] = {"state": target.value, "messages": list(messages)}
        changed["reason"] = None if reason is None else reason.value
        if not holds_slot:
            changed["holds_slot"] = False
        with self._database.write() as connection:
            row = connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.state.in_(legal))
                .values(**changed, **end_times())
                .returning(runs)
            ).one_or_none()
            if row is None:
                state = RunState(_get(connection, run_id).state)
                problem = f"it has already ended as {state}" if state in TERMINAL else f"it is {state}"
                only = " and ".join(sorted(legal))
                raise InvalidRunStateError(f"run {run_id}", problem, f"only {only} runs can become {target}")
            add_files(connection, run_id, results)
            emit(connection, row, EventKind.STATE, end_of(row))
            if target is RunState.SUCCESS:
                store_scores(connection, row)
            if target is RunState.ERROR:
                stop_sweep(connection, row)
            return row

    def cancel_all(self, reason: RunReason, message: str) -> None:
        """Cancel every active run, with a reason and a message."""
        with self._database.write() as connection:
            cancel_runs(connection, true(), reason, message)

    def never_started(self, sweep_id: str) -> Sequence[str]:
        """Return the ids of the runs of a sweep that were cancelled while they were waiting."""
        query = select(runs.c.id).where(runs.c.sweep_id == sweep_id, runs.c.state == RunState.CANCELED.value)
        with self._database.read() as connection:
            return connection.execute(query.where(runs.c.host.is_(None))).scalars().all()

    def store_progress(
        self,
        run_id: str,
        progress: Progress | None = None,
        metrics: Sequence[RecordedValue] = (),
        log_size: int | None = None,
        *,
        is_new_attempt: bool = False,
    ) -> None:
        """Store what an executing run reports.

        Parameters
        ----------
        run_id : str
            The run; a deleted run is ignored.
        progress : dict, optional
            The new ``progress`` of the run handle.
        metrics : sequence of RecordedValue
            Values in the order in which they were recorded; the last one of a name is kept.
        log_size : int, optional
            Bytes of the log; only sent as an event, not stored.
        is_new_attempt : bool, optional
            Whether an attempt began since the last call, to which no metric recorded before belongs.
        """
        with self._database.write() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
            if row is None:
                return
            changed: dict[str, object] = {}
            if progress is not None:
                changed["progress"] = progress
                emit(connection, row, EventKind.PROGRESS, progress)
            if metrics or is_new_attempt:
                earlier = {} if is_new_attempt else row.metrics
                changed["metrics"] = earlier | store_metrics(connection, row, metrics)
            if log_size is not None:
                emit(connection, row, EventKind.LOG, {"size": log_size})
            if changed:
                connection.execute(update(runs).where(runs.c.id == run_id).values(**changed))

    def release(self, run_id: str, partial_files: Iterable[NewFile] = ()) -> bool:
        """Release the slot of a run without processes; see `release_slot`."""
        with self._database.write() as connection:
            return release_slot(connection, run_id, partial_files)

    def list_slot_holders(self) -> Sequence[RunRow]:
        """Return the runs that hold a slot, on any host."""
        with self._database.read() as connection:
            return connection.execute(select(runs).where(runs.c.holds_slot)).all()

    def take_over(self, run_id: str, previous: str, instance: str, host: str) -> bool:
        """Take over a run of a dead instance, from a host; return False if another instance was first."""
        with self._database.write() as connection:
            result = connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.instance == previous, runs.c.holds_slot)
                .values(instance=instance, host=host)
            )
            return result.rowcount == 1

    def delete(self, run_id: str) -> RunRow:
        """Remove an ended run.

        Returns
        -------
        RunRow
            The former row of the run.

        Raises
        ------
        UnknownRunError
            There is no such run.
        InvalidRunStateError
            The run is active.
        """
        with self._database.write() as connection:
            row = _get(connection, run_id)
            if RunState(row.state) in ACTIVE:
                raise InvalidRunStateError(f"run {run_id}", f"it is {row.state}", "cancel it first")
            remove_runs(connection, [row])
            return row

    def count_active(self, group_ids: Sequence[str]) -> int:
        """Return how many runs of some groups are active."""
        with self._database.read() as connection:
            query = select(func.count()).select_from(runs).where(runs.c.group_id.in_(group_ids))
            return connection.execute(
                query.where(runs.c.state.in_([state.value for state in ACTIVE]))
            ).scalar_one()

    def ids(self, group_ids: Sequence[str]) -> Sequence[str]:
        """Return the ids of all runs of some groups."""
        with self._database.read() as connection:
            return connection.execute(select(runs.c.id).where(runs.c.group_id.in_(group_ids))).scalars().all()

    def last_activity(self) -> datetime | None:
        """Return when a run was last active: now if one is active, None before the first run."""
        with self._database.read() as connection:
            active = select(runs.c.id).where(runs.c.state.in_([state.value for state in ACTIVE])).limit(1)
            if connection.execute(active).first() is not None:
                return datetime.now(timezone.utc)
            newest = connection.execute(select(events.c.at).order_by(events.c.seq.desc()).limit(1)).scalar()
        return None if newest is None else datetime.fromisoformat(newest)

    def series(self, run_id: str, max_points: int | None) -> dict[str, Series]:
        """Return the series that a run recorded; see `read_series`."""
        return read_series(self._database, run_id, max_points)

    def best(self, group_ids: Sequence[str], order: Order, limit: int | None = None) -> Sequence[Row[Any]]:
        """Return the best successful run of each group, or the `limit` best ones of all groups.

        See `best_of_each` and `best_of_all`.
        """
        if limit is None:
            return best_of_each(self._database, group_ids, order)
        return best_of_all(self._database, group_ids, order, limit)

    def find_ranked(self, group_ids: Sequence[str], names: Sequence[str]) -> set[str]:
        """Return the metrics among some names for which a successful run of some groups has a number."""
        return find_ranked(self._database, group_ids, names)


def _get(connection: Connection, run_id: str) -> RunRow:
    row = connection.execute(select(runs).where(runs.c.id == check_id("run", run_id))).one_or_none()
    if row is None:
        raise UnknownRunError(f"run {run_id}", "there is no such run")
    return row
