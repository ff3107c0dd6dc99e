"""The slots: how many runs execute at once, which of those that wait is next, and when a slot is free again.

A slot is the column ``holds_slot`` of a run. The statement that claims a run takes it; it is free again when
the processes of the run are gone, not when its state changes. Those of a cancelled run end after it; its
partial files are therefore stored together with the release of its slot.
"""

from collections.abc import Iterable
from functools import cache

from sqlalchemy import Connection, ScalarSelect, func, or_, select, update

from runwidgets.schema import EventKind
from runwidgets.states import RunState
from runwidgets.store.database.columns import NewFile, RunRow
from runwidgets.store.database.database import not_before
from runwidgets.store.database.events import emit
from runwidgets.store.database.runs.queue_limit import PENDING
from runwidgets.store.database.runs.run_files import add_files
from runwidgets.store.database.tables import runs, sweeps


@cache
def next_to_claim(*, for_update: bool = False) -> ScalarSelect[int]:
    """Return the run that is claimed next, from one index; with `for_update` its row is locked.

    The statement is cached, because copying the columns of a table twice takes longer than the query.
    """
    waiting, busy = runs.alias("waiting"), runs.alias("busy")
    full = (
        select(busy.c.sweep_id)
        .join(sweeps, sweeps.c.id == busy.c.sweep_id)
        .where(busy.c.holds_slot, sweeps.c.parallel.is_not(None))
        .group_by(busy.c.sweep_id, sweeps.c.parallel)
        .having(func.count() >= sweeps.c.parallel)
    )
    paused = select(sweeps.c.id).where(sweeps.c.is_paused)
    is_free = waiting.c.sweep_id.not_in(full) & waiting.c.sweep_id.not_in(paused)
    query = (
        select(waiting.c.seq)
        .where(waiting.c.state == PENDING)
        .where(or_(waiting.c.sweep_id.is_(None), is_free))
        .order_by(waiting.c.rank, waiting.c.seq)
        .limit(1)
    )
    if for_update:
        query = query.with_for_update(of=waiting, skip_locked=True)
    return query.scalar_subquery()


def is_any_waiting(connection: Connection) -> bool:
    """Return whether a run waits that may be claimed."""
    return connection.execute(select(next_to_claim())).scalar() is not None


def claim_next(connection: Connection, host: str, instance: str, slots: int) -> RunRow | None:
    """Claim the run that is next if fewer than `slots` runs execute on the host; see `Runs.claim`."""
    busy = select(func.count()).select_from(runs).where(runs.c.host == host, runs.c.holds_slot)
    row = connection.execute(
        update(runs)
        .where(runs.c.seq == next_to_claim(for_update=True), runs.c.state == RunState.PENDING.value)
        .where(busy.scalar_subquery() < slots)
        .values(
            state=RunState.RUNNING.value,
            started_at=not_before(runs.c.created_at),
            host=host,
            instance=instance,
            holds_slot=True,
        )
        .returning(runs)
    ).one_or_none()
    if row is not None:
        emit(connection, row, EventKind.STATE, {"state": row.state, "startedAt": row.started_at})
    return row


def release_slot(connection: Connection, run_id: str, partial_files: Iterable[NewFile]) -> bool:
    """Release the slot of a run without processes, and store the partial files of a cancelled one.

    Parameters
    ----------
    connection : Connection
        The open transaction.
    run_id : str
        The run.
    partial_files : iterable of dict
        Columns of its files, without ``run_id`` and ``position``; ignored unless the run was cancelled,
        because with any other end its files are stored at once.

    Returns
    -------
    bool
        False if the run was deleted.
    """
    row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
    if row is None:
        return False
    connection.execute(update(runs).where(runs.c.id == run_id).values(holds_slot=False))
    if row.holds_slot and row.state == RunState.CANCELED.value:
        emit(connection, row, EventKind.FILES, {"count": add_files(connection, run_id, partial_files)})
    return True
