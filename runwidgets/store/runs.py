"""Every sentence said to the database about runs.

A state changes by one ``UPDATE … WHERE state IN (…)`` whose list comes from the state machine: of
two writers the first wins and the other is told. Each change writes its event in the same
transaction, so the stream never knows more or less than the rows.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timezone
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, insert, select, update

from runwidgets.errors import InvalidRunStateError, QueueFullError, UnknownRunError
from runwidgets.states import ACTIVE, RunState, sources
from runwidgets.store.database import Database, now
from runwidgets.store.events import emit
from runwidgets.store.tables import events, files, runs

RunRow = Row[Any]
"""A row of the table `runs`."""


def _not_before(earlier: ColumnElement[str]) -> ColumnElement[str]:
    """Return the time, but never one before another, whatever the wall clock did between them."""
    moment = now()
    return case((earlier > moment, earlier), else_=moment)


class Runs:
    """The runs of one database.

    Parameters
    ----------
    database : Database
        Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def together(self) -> AbstractContextManager[Any]:
        """Return one transaction for all that is said to the database in it by this thread."""
        return self._database.write()

    def accept(self, values: Sequence[dict[str, Any]], waiting: int) -> list[RunRow]:
        """Add runs, all of them or none, PENDING.

        Parameters
        ----------
        values : sequence of dict
            Columns of each run: ``id``, ``group_id``, ``workflow_id``, ``version_id``, ``arguments``,
            ``config``, ``created_by``, ``idempotency_key``.
        waiting : int
            Runs that may be PENDING afterwards.

        Returns
        -------
        list of RunRow
            The new rows, in order.

        Raises
        ------
        QueueFullError
            More would wait.
        """
        with self._database.write() as connection:
            pending = select(func.count()).select_from(runs).where(runs.c.state == RunState.PENDING.value)
            if connection.execute(pending).scalar_one() + len(values) > waiting:
                raise QueueFullError("queue", f"{waiting} runs may wait and no more", "try again later")
            rows = []
            for each in values:
                born = {
                    "state": RunState.PENDING.value,
                    "messages": [],
                    "metrics": {},
                    "holds_slot": False,
                    "created_at": now(),
                }
                row = connection.execute(insert(runs).values(**born, **each).returning(runs)).one()
                emit(connection, row, "state", {"state": row.state})
                rows.append(row)
            return rows

    def find_by_key(self, group_id: str, key: str) -> RunRow | None:
        """Return the run of a group that was started with an idempotency key."""
        with self._database.read() as connection:
            chosen = select(runs).where(runs.c.group_id == group_id, runs.c.idempotency_key == key)
            return connection.execute(chosen).one_or_none()

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
        """Return the result files of a run, in their order."""
        with self._database.read() as connection:
            chosen = select(files).where(files.c.run_id == run_id).order_by(files.c.position)
            return connection.execute(chosen).all()

    def list(
        self,
        group_id: str,
        state: RunState | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> tuple[Sequence[RunRow], int | None]:
        """Return the newest runs of a group, oldest first, and where the older ones begin.

        Parameters
        ----------
        group_id : str
            The group.
        state : RunState, optional
            Only these.
        limit : int, optional
            How many at most; None for all.
        before : int, optional
            Only runs with a smaller ``seq``.

        Returns
        -------
        rows : sequence of RunRow
            Oldest first.
        next : int or None
            What to give as `before` for the page before; None where there is none.
        """
        chosen = select(runs).where(runs.c.group_id == group_id).order_by(runs.c.seq.desc())
        if state is not None:
            chosen = chosen.where(runs.c.state == state.value)
        if before is not None:
            chosen = chosen.where(runs.c.seq < before)
        if limit is not None:
            chosen = chosen.limit(limit + 1)
        with self._database.read() as connection:
            rows = connection.execute(chosen).all()
        if limit is None or len(rows) <= limit:
            return rows[::-1], None
        return rows[:limit][::-1], rows[limit - 1].seq

    def claim(self, host: str, service: str, slots: int) -> RunRow | None:
        """Claim the oldest pending run for a host, if a slot is free.

        One statement: of several callers exactly one gets a given run. Called by the backend's
        dispatcher only, from its own thread.

        Parameters
        ----------
        host : str
            Name of the claiming machine; slots are counted per host.
        service : str
            Who will follow the run.
        slots : int
            Runs this host may execute at once, at least 1.

        Returns
        -------
        RunRow or None
            The claimed run, now RUNNING; None when nothing waits or no slot is free.

        Notes
        -----
        **Source:** plain BEGIN gave 2,231 busy errors in 2,000 claims, BEGIN IMMEDIATE none
        (RELIABILITY, "parts underneath").
        """
        oldest = (
            select(runs.c.seq)
            .where(runs.c.state == RunState.PENDING.value)
            .order_by(runs.c.seq)
            .limit(1)
            .scalar_subquery()
        )
        busy = select(func.count()).select_from(runs).where(runs.c.host == host, runs.c.holds_slot)
        with self._database.read() as connection:
            if connection.execute(select(oldest)).scalar() is None:
                return None
        with self._database.write() as connection:
            row = connection.execute(
                update(runs)
                .where(runs.c.seq == oldest, runs.c.state == RunState.PENDING.value)
                .where(busy.scalar_subquery() < slots)
                .values(
                    state=RunState.RUNNING.value,
                    started_at=_not_before(runs.c.created_at),
                    host=host,
                    service=service,
                    holds_slot=True,
                )
                .returning(runs)
            ).one_or_none()
            if row is not None:
                emit(connection, row, "state", {"state": row.state, "startedAt": row.started_at})
            return row

    def move(
        self,
        run_id: str,
        target: RunState,
        messages: Sequence[str] = (),
        results: Iterable[dict[str, Any]] = (),
        holds_slot: bool = True,
    ) -> RunRow:
        """Bring a run into a terminal state.

        Parameters
        ----------
        run_id : str
            The run.
        target : RunState
            SUCCESS, ERROR or CANCELED.
        messages : sequence of str
            Why.
        results : iterable of dict
            Columns of its result files, without ``run_id`` and ``position``.
        holds_slot : bool
            False when its processes are gone, so that its slot is free at once.

        Returns
        -------
        RunRow
            The run as it is now.

        Raises
        ------
        UnknownRunError
            There is no such run.
        InvalidRunStateError
            Somebody else was first, or the move is none of the machine's.
        """
        legal = [state.value for state in sources(target)]
        began = func.coalesce(runs.c.started_at, runs.c.created_at)
        changed: dict[str, Any] = {"state": target.value, "messages": list(messages)}
        if not holds_slot:
            changed["holds_slot"] = False
        with self._database.write() as connection:
            row = connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.state.in_(legal))
                .values(**changed, finished_at=_not_before(began))
                .returning(runs)
            ).one_or_none()
            if row is None:
                found = _get(connection, run_id)
                raise InvalidRunStateError(
                    f"run {run_id}",
                    f"it is {found.state} and cannot become {target}",
                    f"only {' and '.join(sorted(legal))} runs can",
                )
            listed = [{"run_id": run_id, "position": at, **each} for at, each in enumerate(results)]
            if listed:
                connection.execute(insert(files), listed)
            told: dict[str, Any] = {"state": row.state, "finishedAt": row.finished_at}
            if row.started_at:
                told["startedAt"] = row.started_at
            if row.messages:
                told["messages"] = row.messages
            emit(connection, row, "state", told)
            return row

    def cancel_all(self, message: str) -> None:
        """Bring every active run into CANCELED, with a message."""
        with self._database.read() as connection:
            legal = [state.value for state in sources(RunState.CANCELED)]
            active = connection.execute(select(runs.c.id).where(runs.c.state.in_(legal))).scalars().all()
        for run_id in active:
            with suppress(InvalidRunStateError, UnknownRunError):  # it ended by itself meanwhile
                self.move(run_id, RunState.CANCELED, [message])

    def note(
        self,
        run_id: str,
        progress: dict[str, Any] | None = None,
        metrics: Sequence[tuple[str, Any]] = (),
        log_size: int | None = None,
    ) -> None:
        """Keep what a run says on its way.

        Parameters
        ----------
        run_id : str
            The run; nothing happens if it was deleted.
        progress : dict, optional
            The handle's ``progress`` from now on.
        metrics : sequence of (str, any)
            Names and values in the order in which they were recorded; the last of a name stays.
        log_size : int, optional
            Bytes of the log; only told, not kept.
        """
        with self._database.write() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
            if row is None:
                return
            changed: dict[str, Any] = {}
            if progress is not None:
                changed["progress"] = progress
                emit(connection, row, "progress", progress)
            if metrics:
                changed["metrics"] = {**row.metrics, **dict(metrics)}
                for name, value in metrics:
                    emit(connection, row, "metric", {"name": name, "value": value})
            if log_size is not None:
                emit(connection, row, "log", {"size": log_size})
            if changed:
                connection.execute(update(runs).where(runs.c.id == run_id).values(**changed))

    def release(self, run_id: str) -> bool:
        """Give the slot of a run back, whose processes are gone; False if the run was deleted."""
        with self._database.write() as connection:
            freed = update(runs).where(runs.c.id == run_id).values(holds_slot=False)
            return connection.execute(freed).rowcount == 1

    def holding(self) -> Sequence[RunRow]:
        """Return the runs that hold a slot, on any host."""
        with self._database.read() as connection:
            return connection.execute(select(runs).where(runs.c.holds_slot)).all()

    def take_over(self, run_id: str, previous: str, service: str, host: str) -> bool:
        """Follow a run whose service died, from a host; False if another was first."""
        with self._database.write() as connection:
            taken = connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.service == previous, runs.c.holds_slot)
                .values(service=service, host=host)
            )
            return taken.rowcount == 1

    def delete(self, run_id: str) -> RunRow:
        """Remove a run that has ended.

        Returns
        -------
        RunRow
            The run as it was.

        Raises
        ------
        UnknownRunError
            There is no such run.
        InvalidRunStateError
            It is active.
        """
        with self._database.write() as connection:
            row = _get(connection, run_id)
            if RunState(row.state) in ACTIVE:
                raise InvalidRunStateError(f"run {run_id}", f"it is {row.state}", "cancel it first")
            connection.execute(delete(runs).where(runs.c.id == run_id))
            connection.execute(delete(events).where(events.c.run_id == run_id))
            emit(connection, row, "deleted", {})
            return row

    def count_active(self, group_ids: Sequence[str]) -> int:
        """Return how many runs of some groups are active."""
        with self._database.read() as connection:
            chosen = select(func.count()).select_from(runs).where(runs.c.group_id.in_(group_ids))
            return connection.execute(
                chosen.where(runs.c.state.in_([state.value for state in ACTIVE]))
            ).scalar_one()

    def ids(self, group_ids: Sequence[str]) -> Sequence[str]:
        """Return the ids of all runs of some groups."""
        with self._database.read() as connection:
            return connection.execute(select(runs.c.id).where(runs.c.group_id.in_(group_ids))).scalars().all()

    def all_ids(self) -> Sequence[str]:
        """Return the ids of all runs."""
        with self._database.read() as connection:
            return connection.execute(select(runs.c.id)).scalars().all()

    def last_activity(self) -> datetime | None:
        """Return when a run last did something: now while one is active, None before the first."""
        with self._database.read() as connection:
            active = select(runs.c.id).where(runs.c.state.in_([state.value for state in ACTIVE])).limit(1)
            if connection.execute(active).first() is not None:
                return datetime.now(timezone.utc)
            newest = connection.execute(select(events.c.at).order_by(events.c.seq.desc()).limit(1)).scalar()
        return None if newest is None else datetime.fromisoformat(newest)

    def successes(self, workflow_id: str) -> Sequence[RunRow]:
        """Return the successful runs of a workflow, oldest first."""
        chosen = select(runs).where(runs.c.workflow_id == workflow_id, runs.c.state == RunState.SUCCESS.value)
        with self._database.read() as connection:
            return connection.execute(chosen.order_by(runs.c.seq)).all()


def _get(connection: Connection, run_id: str) -> RunRow:
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        raise UnknownRunError(f"run {run_id[:64]}", "there is no such run")
    return row
