"""The SQL statements about sweeps.

A point of a sweep has a run: one that the sweep started, whose row names the sweep, or with ``reuse`` an
earlier successful one. The counts of a sweep are counts of its points. A point is removed with its run, and a
sweep with its last point, so that the counts are always complete.
"""

import hashlib
import json
from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection, Row, func, insert, select, update

from runwidgets.errors import InvalidRunStateError, UnknownSweepError
from runwidgets.schema import Argument, EventKind, JsonValue, RunReason, StateCounts
from runwidgets.states import ACTIVE, RunState
from runwidgets.store.database.columns import NewRun, NewSweep, Point, RunRow
from runwidgets.store.database.database import BATCH_SIZE, Database, now
from runwidgets.store.database.events import emit
from runwidgets.store.database.runs.run_batches import accept_runs, cancel_runs, remove_runs
from runwidgets.store.database.tables import points, runs, sweeps
from runwidgets.store.identifiers import check_id

SweepRow = Row[Any]
"""A row of the table `sweeps`."""


class Sweeps:
    """The sweeps of one database.

    Parameters
    ----------
    database : Database
        The database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def accept(
        self,
        values: NewSweep,
        added: Sequence[Point],
        new_runs: Sequence[NewRun],
        queue_limit: int,
    ) -> SweepRow:
        """Add a sweep with its points and the runs that it starts, all of them or nothing.

        Parameters
        ----------
        values : mapping
            Columns ``id``, ``group_id``, ``name``, ``config``, ``idempotency_key``, ``stops_on_error``,
            ``parallel`` and ``created_by``.
        added : sequence of Point
            The points, in the order of their numbers.
        new_runs : sequence of dict
            Columns of the runs as in `Runs.accept`, in the order in which they are claimed.
        queue_limit : int
            Runs that may be PENDING afterwards.

        Returns
        -------
        SweepRow
            The new row.

        Raises
        ------
        QueueFullError
            More runs would wait than allowed.
        IntegrityError
            The key is already used, or the group or a reused run was deleted.
        """
        with self._database.write() as connection:
            empty: dict[str, object] = {"last_number": 0, "varied": [], "constants": {}}
            statement = insert(sweeps).values(created_at=now(), **empty, **values).returning(sweeps)
            return _extend(connection, connection.execute(statement).one(), added, new_runs, queue_limit)

    def extend(
        self, sweep_id: str, added: Sequence[Point], new_runs: Sequence[NewRun], queue_limit: int
    ) -> SweepRow:
        """Add points to a sweep; see `accept`.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        QueueFullError
            More runs would wait than allowed.
        """
        with self._database.write() as connection:
            return _extend(connection, _get(connection, sweep_id, True), added, new_runs, queue_limit)

    def replace(
        self,
        sweep_id: str,
        replaced: Sequence[tuple[int, str, str]],
        new_runs: Sequence[NewRun],
        queue_limit: int,
    ) -> SweepRow:
        """Replace the runs of points, all of them or none.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        replaced : sequence of (int, str, str)
            Number of the point, its present run and its new run.
        new_runs : sequence of dict
            Columns of the runs as in `Runs.accept`.
        queue_limit : int
            Runs that may be PENDING afterwards.

        Returns
        -------
        SweepRow
            The row of the sweep.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        InvalidRunStateError
            A concurrent call replaced a run first.
        QueueFullError
            More runs would wait than allowed.
        """
        with self._database.write() as connection:
            row = _get(connection, sweep_id, True)
            accept_runs(connection, new_runs, queue_limit)
            for number, before, after in replaced:
                statement = update(points).where(points.c.sweep_id == sweep_id, points.c.number == number)
                result = connection.execute(statement.where(points.c.run_id == before).values(run_id=after))
                if result.rowcount == 0:
                    raise InvalidRunStateError(
                        f"sweep {sweep_id}", f"its point {number} has another run now", "try again"
                    )
            return row

    def get(self, sweep_id: str) -> SweepRow:
        """Return a sweep.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        """
        with self._database.read() as connection:
            return _get(connection, sweep_id)

    def find_by_key(self, group_id: str, key: str) -> SweepRow | None:
        """Return the sweep of a group with an idempotency key."""
        with self._database.read() as connection:
            query = select(sweeps).where(sweeps.c.group_id == group_id, sweeps.c.idempotency_key == key)
            return connection.execute(query).one_or_none()

    def list(self, group_id: str) -> Sequence[SweepRow]:
        """Return the sweeps of a group, oldest first."""
        with self._database.read() as connection:
            query = select(sweeps).where(sweeps.c.group_id == group_id).order_by(sweeps.c.seq)
            return connection.execute(query).all()

    def count(self, sweep_ids: Sequence[str]) -> dict[str, StateCounts]:
        """Return the number of points by sweep and state, with all states."""
        counts = {sweep_id: {state.value: 0 for state in RunState} for sweep_id in sweep_ids}
        with self._database.read() as connection:
            for begin in range(0, len(sweep_ids), BATCH_SIZE):
                _count(connection, sweep_ids[begin : begin + BATCH_SIZE], counts)
        return cast("dict[str, StateCounts]", counts)

    def get_points(self, sweep_id: str, after: int, limit: int) -> tuple[Sequence[Row[Any]], int | None]:
        """Return points with their runs, in ascending order, and the cursor of the further ones.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        after : int
            Only points with a higher number.
        limit : int
            Maximum number of points.

        Returns
        -------
        rows : sequence of Row
            Columns of `runs`, and ``number``.
        next : int or None
            The value of `after` for the next page; None if there is none.
        """
        query = (
            select(points.c.number, runs)
            .join(runs, runs.c.id == points.c.run_id)
            .where(points.c.sweep_id == sweep_id, points.c.number > after)
            .order_by(points.c.number)
            .limit(limit + 1)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return rows[:limit], rows[limit - 1].number if len(rows) > limit else None

    def get_failed(self, sweep_id: str) -> Sequence[Row[Any]]:
        """Return the points whose runs ended in ERROR or CANCELED; see `get_points`."""
        failed = [RunState.ERROR.value, RunState.CANCELED.value]
        query = (
            select(points.c.number, runs)
            .join(runs, runs.c.id == points.c.run_id)
            .where(points.c.sweep_id == sweep_id, runs.c.state.in_(failed))
            .order_by(points.c.number)
        )
        with self._database.read() as connection:
            return connection.execute(query).all()

    def find_successes(self, group_id: str, fingerprints: Sequence[str]) -> dict[str, RunRow]:
        """Return the newest successful run of a group for each of some fingerprints."""
        successes = {}
        successful_runs = select(runs).where(
            runs.c.group_id == group_id, runs.c.state == RunState.SUCCESS.value
        )
        with self._database.read() as connection:
            for begin in range(0, len(fingerprints), BATCH_SIZE):
                query = successful_runs.where(
                    runs.c.fingerprint.in_(fingerprints[begin : begin + BATCH_SIZE])
                )
                for row in connection.execute(query.order_by(runs.c.seq)):
                    successes[row.fingerprint] = row
        return successes

    def cancel(self, sweep_id: str, reason: RunReason, message: str, pending_only: bool) -> Sequence[RunRow]:
        """Cancel the active runs that a sweep started, all of them or none.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        reason : RunReason
            Why they are cancelled.
        message : str
            The message for users.
        pending_only : bool
            Whether to cancel only waiting runs.

        Returns
        -------
        sequence of RunRow
            The runs that were cancelled.
        """
        condition = runs.c.sweep_id == sweep_id
        if pending_only:
            condition &= runs.c.state == RunState.PENDING.value
        with self._database.write() as connection:
            return cancel_runs(connection, condition, reason, message)

    def pause(self, sweep_id: str, is_paused: bool) -> tuple[SweepRow, RunRow | None]:
        """Hold back the waiting runs of a sweep, or release them.

        Parameters
        ----------
        sweep_id : str
            The sweep.
        is_paused : bool
            Whether to hold them back.

        Returns
        -------
        tuple of SweepRow and RunRow or None
            The row of the sweep, and its first waiting run.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        InvalidRunStateError
            The sweep is to be paused, but none of its runs is waiting.
        """
        with self._database.write() as connection:
            before = _get(connection, sweep_id, True)
            waiting = select(runs).where(runs.c.sweep_id == sweep_id, runs.c.state == RunState.PENDING.value)
            first = connection.execute(waiting.order_by(runs.c.seq).limit(1)).one_or_none()
            if first is None and is_paused:
                raise InvalidRunStateError(f"sweep {sweep_id}", "none of its runs is waiting")
            statement = update(sweeps).where(sweeps.c.id == sweep_id).values(is_paused=is_paused)
            after = connection.execute(statement.returning(sweeps)).one()
            if first is not None and before.is_paused != is_paused:
                emit(connection, first, EventKind.PAUSED, {"isPaused": is_paused})
            return after, first

    def delete(self, sweep_id: str) -> Sequence[RunRow]:
        """Remove a sweep with the runs that it started, except those that another sweep reuses.

        Returns
        -------
        sequence of RunRow
            The former rows of the removed runs.

        Raises
        ------
        UnknownSweepError
            There is no such sweep.
        InvalidRunStateError
            A run of the sweep is active.
        """
        with self._database.write() as connection:
            _get(connection, sweep_id, True)
            started = connection.execute(select(runs).where(runs.c.sweep_id == sweep_id)).all()
            if any(RunState(row.state) in ACTIVE for row in started):
                problem = "one of its runs is active"
                raise InvalidRunStateError(f"sweep {sweep_id}", problem, "cancel it first")
            other_points = points.alias("elsewhere")
            is_shared = (
                select(other_points.c.run_id)
                .where(other_points.c.run_id == runs.c.id, other_points.c.sweep_id != sweep_id)
                .exists()
            )
            statement = update(runs).where(runs.c.sweep_id == sweep_id, is_shared).values(sweep_id=None)
            kept_ids = set(connection.execute(statement.returning(runs.c.id)).scalars())
            removed = [row for row in started if row.id not in kept_ids]
            remove_runs(connection, removed)
            connection.execute(sweeps.delete().where(sweeps.c.id == sweep_id))
            return removed


def _extend(
    connection: Connection,
    row: SweepRow,
    added: Sequence[Point],
    new_runs: Sequence[NewRun],
    queue_limit: int,
) -> SweepRow:
    accept_runs(connection, new_runs, queue_limit)
    numbered = [
        {"sweep_id": row.id, "number": number, "run_id": point.run_id}
        for number, point in enumerate(added, row.last_number + 1)
    ]
    connection.execute(insert(points), numbered)
    varied, constants = _split_parameters(row, [point.arguments for point in added])
    changed = {"last_number": row.last_number + len(added), "varied": varied, "constants": constants}
    statement = update(sweeps).where(sweeps.c.id == row.id).values(**changed).returning(sweeps)
    return connection.execute(statement).one()


def _split_parameters(
    row: SweepRow, argument_lists: Sequence[list[Argument]]
) -> tuple[list[str], dict[str, str]]:
    """Return the parameters that take more than one value, and digests of the values of the others.

    A parameter that only some points give takes more than one value, because the others use its default.
    """
    varied, constants = dict.fromkeys(row.varied), dict(row.constants)
    is_first = row.last_number == 0
    for arguments in argument_lists:
        values = {each["name"]: _digest(each["value"]) for each in arguments}
        for name in {**values, **constants}:
            if name in varied or (name in constants and constants[name] == values.get(name)):
                continue
            if is_first:
                constants[name] = values[name]
            else:
                constants.pop(name, None)
                varied[name] = None
        is_first = False
    order = [*row.varied, *(each["name"] for arguments in argument_lists for each in arguments)]
    return sorted(varied, key=order.index), constants


def _count(connection: Connection, sweep_ids: Sequence[str], counts: dict[str, dict[str, int]]) -> None:
    """Count the runs that sweeps started, which are stored together; look up reused ones only if needed."""
    is_in_sweeps = points.c.sweep_id.in_(sweep_ids)
    totals = select(points.c.sweep_id, func.count()).where(is_in_sweeps).group_by(points.c.sweep_id)
    points_by_state = select(points.c.sweep_id, runs.c.state, func.count()).join(
        runs, runs.c.id == points.c.run_id
    )
    counted = points_by_state.group_by(points.c.sweep_id, runs.c.state)
    own_runs = counted.where(
        is_in_sweeps, runs.c.sweep_id.in_(sweep_ids), runs.c.sweep_id == points.c.sweep_id
    )
    for sweep_id, state, count in connection.execute(own_runs):
        counts[sweep_id][state] = count
    all_points = {sweep_id: count for sweep_id, count in connection.execute(totals)}
    mixed = [each for each in sweep_ids if sum(counts[each].values()) != all_points.get(each, 0)]
    if mixed:
        for sweep_id, state, count in connection.execute(counted.where(points.c.sweep_id.in_(mixed))):
            counts[sweep_id][state] = count


def _digest(value: JsonValue) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _get(connection: Connection, sweep_id: str, for_update: bool = False) -> SweepRow:
    chosen = select(sweeps).where(sweeps.c.id == check_id("sweep", sweep_id))
    row = connection.execute(chosen.with_for_update() if for_update else chosen).one_or_none()
    if row is None:
        raise UnknownSweepError(f"sweep {sweep_id}", "there is no such sweep")
    return row
