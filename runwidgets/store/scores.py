"""The numbers by which successful runs are ranked, kept apart so that an index knows the best.

A run's metrics are JSON in its row, which no index can sort. When a run succeeds they change no more, and
those of them that are numbers are written here: the best run of a group is then the first entry of an
index, however many runs there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, true

from runwidgets.states import RunState
from runwidgets.store.changes import PIECE, RunRow
from runwidgets.store.database import Database
from runwidgets.store.tables import groups, runs, scores

LONGEST = 255
"""Characters of a name of a metric that runs are ranked by; an index takes no long ones."""
Order = Sequence[tuple[str, bool]]
"""Names of metrics, and whether the greatest comes first."""


def keep_scores(connection: Connection, row: RunRow) -> None:
    """Write the numbers among the metrics of a run, in the transaction in which it succeeds."""
    rows = list(score_rows(row.seq, row.group_id, row.metrics))
    if rows:
        connection.execute(insert(scores), rows)


def score_rows(seq: int, group_id: str, metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a run's metrics; those that are no numbers have none."""
    for name, value in metrics.items():
        if _is_kept(name) and isinstance(value, (int, float)) and not isinstance(value, bool):
            try:
                yield {"group_id": group_id, "name": name, "value": float(value), "run_seq": seq}
            except OverflowError:
                continue  # a whole number of more than 308 digits


def best_of_each(database: Database, group_ids: Sequence[str], order: Order) -> Sequence[Row[Any]]:
    """Return the best successful run of each of some groups, oldest first.

    A run without a number for a metric comes after those that have one; of equals the oldest is the best.

    Parameters
    ----------
    database : Database
        Where they are.
    group_ids : sequence of str
        The groups; those without a successful run have no row in the answer.
    order : sequence of (str, bool)
        See `Order`.

    Returns
    -------
    sequence of Row
        ``id``, ``group_id``, ``created_at``, ``finished_at`` and ``metrics``.
    """
    its_group = groups.c.id
    ranked = [chosen.where(score.c.group_id == its_group) for chosen, score, _ in _stages(order)]
    ranked.append(_oldest().where(runs.c.group_id == its_group))
    best = func.coalesce(*(each.limit(1).scalar_subquery() for each in ranked), None)
    found: list[int] = []
    with database.read() as connection:
        for begin in range(0, len(group_ids), PIECE):
            chosen = select(best).where(its_group.in_(group_ids[begin : begin + PIECE]))
            found.extend(seq for seq in connection.execute(chosen).scalars() if seq is not None)
        return _read(connection, found)


def best_of_all(database: Database, group_ids: Sequence[str], order: Order, most: int) -> Sequence[Row[Any]]:
    """Return the best successful runs of some groups, oldest first; see `best_of_each`.

    Among them are the `most` best of all; where there are very many groups, more than these.
    """
    found: list[int] = []
    with database.read() as connection:
        for begin in range(0, len(group_ids), PIECE):
            piece, room = group_ids[begin : begin + PIECE], most
            ranked = [
                chosen.where(score.c.group_id.in_(piece), _lacks(score.c.run_seq, earlier))
                for chosen, score, earlier in _stages(order)
            ]
            ranked.append(_oldest().where(runs.c.group_id.in_(piece), _lacks(runs.c.seq, _kept(order))))
            for chosen in ranked:
                if room > 0:
                    seqs = connection.execute(chosen.limit(room)).scalars().all()
                    found.extend(seqs)
                    room -= len(seqs)
        return _read(connection, found)


def _stages(order: Order) -> Iterator[tuple[Select[Any], Any, Order]]:
    """Yield for each metric the question for the runs that have it, best first, its table, and those before.

    Who ranks by several metrics asks for the runs that have the first; then for those that have the second,
    but not the first; and so on.
    """
    kept = _kept(order)
    for at, (name, is_descending) in enumerate(kept):
        score = scores.alias(f"score_{at}")
        joined: Any = score
        keys: list[ColumnElement[Any]] = [_directed(score.c.value, is_descending)]
        for number, (further, is_its) in enumerate(kept[at + 1 :]):
            tie = scores.alias(f"tie_{at}_{number}")
            joined = joined.outerjoin(tie, (tie.c.run_seq == score.c.run_seq) & (tie.c.name == further))
            keys += [tie.c.value.is_(None), _directed(tie.c.value, is_its)]
        chosen = select(score.c.run_seq).select_from(joined).where(score.c.name == name)
        yield chosen.order_by(*keys, score.c.run_seq), score, kept[:at]


def _kept(order: Order) -> Order:
    return [(name, is_descending) for name, is_descending in order if _is_kept(name)]


def _is_kept(name: str) -> bool:
    return len(name) <= LONGEST and name.isprintable()


def _directed(value: ColumnElement[float], is_descending: bool) -> ColumnElement[float]:
    return value.desc() if is_descending else value


def _oldest() -> Select[Any]:
    return select(runs.c.seq).where(runs.c.state == RunState.SUCCESS.value).order_by(runs.c.seq)


def _lacks(run_seq: ColumnElement[int], order: Order) -> ColumnElement[bool]:
    if not order:
        return true()
    has = select(scores.c.value).where(scores.c.run_seq == run_seq)
    return ~has.where(scores.c.name.in_([name for name, _ in order])).exists()


def _read(connection: Connection, seqs: Sequence[int]) -> Sequence[Row[Any]]:
    wanted = (runs.c.id, runs.c.group_id, runs.c.created_at, runs.c.finished_at, runs.c.metrics)
    found: list[Row[Any]] = []
    ordered = sorted(seqs)
    for begin in range(0, len(ordered), PIECE):
        chosen = select(*wanted).where(runs.c.seq.in_(ordered[begin : begin + PIECE]))
        found.extend(connection.execute(chosen.order_by(runs.c.seq)))
    return found
