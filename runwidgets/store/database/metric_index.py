"""The numbers by which successful runs are ranked, kept apart so that an index knows the best.

A run's metrics are JSON in its row, which no index can sort. When a run succeeds they change no more, and
those of them that are numbers are written here: the best run of a group is then the first entry of an
index, however many runs there are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, true, union_all

from runwidgets.schema import JsonValue
from runwidgets.states import RunState
from runwidgets.store.database.database import Database
from runwidgets.store.database.run_batches import PIECE, RunRow
from runwidgets.store.database.tables import groups, runs, scores

LONGEST = 255
"""Characters of a name of a metric that runs are ranked by; an index takes no long ones."""
FEW = 50
"""Groups that are asked one by one, in one statement."""
Order = Sequence[tuple[str, bool]]
"""Names of metrics, and whether the greatest comes first."""


def keep_scores(connection: Connection, row: RunRow) -> None:
    """Write the numbers among the metrics of a run, in the transaction in which it succeeds."""
    rows = list(score_rows(row.seq, row.group_id, row.metrics))
    if rows:
        connection.execute(insert(scores), rows)


def score_rows(seq: int, group_id: str, metrics: Mapping[str, JsonValue]) -> Iterator[dict[str, str | float]]:
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
    its = groups.c.id
    firsts = [
        stage.question.with_only_columns(stage.seq).where(stage.group_id == its).limit(1).scalar_subquery()
        for stage in _stages(order)
    ]
    best = func.coalesce(*firsts, None)
    found: list[int] = []
    with database.read() as connection:
        for begin in range(0, len(group_ids), PIECE):
            chosen = select(best).where(its.in_(group_ids[begin : begin + PIECE]))
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
            for stage in _stages(order):
                if room > 0:
                    seqs = connection.execute(_best_of(stage, piece, room)).scalars().all()
                    found.extend(seqs)
                    room -= len(seqs)
        return _read(connection, found)


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """The runs that have one metric, but none of those before it, best first."""

    question: Select[Any]
    """Columns ``seq`` and ``key_0``, ``key_1``, …: what they are sorted by."""
    seq: ColumnElement[int]
    group_id: ColumnElement[str]
    earlier: Order
    later: Order
    """The metric and those after it."""


def _stages(order: Order) -> Iterator[_Stage]:
    """Yield a stage for each metric, and one for the runs that have none of them, oldest first."""
    kept = [(name, is_descending) for name, is_descending in order if _is_kept(name)]
    for at, (name, _) in enumerate(kept):
        score = scores.alias(f"score_{at}")
        joined: Any = score
        keys = [score.c.value.label("key_0")]
        for number, (further, _) in enumerate(kept[at + 1 :], 1):
            tie = scores.alias(f"tie_{at}_{number}")
            joined = joined.outerjoin(tie, (tie.c.run_seq == score.c.run_seq) & (tie.c.name == further))
            keys.append(tie.c.value.label(f"key_{number}"))
        seq = score.c.run_seq
        chosen = select(seq.label("seq"), *keys).select_from(joined).where(score.c.name == name)
        ordered = chosen.order_by(*_ordered(keys, kept[at:]), seq)
        yield _Stage(question=ordered, seq=seq, group_id=score.c.group_id, earlier=kept[:at], later=kept[at:])
    oldest = select(runs.c.seq).where(runs.c.state == RunState.SUCCESS.value).order_by(runs.c.seq)
    yield _Stage(question=oldest, seq=runs.c.seq, group_id=runs.c.group_id, earlier=kept, later=[])


def _ordered(keys: Sequence[ColumnElement[Any]], order: Order) -> Iterator[ColumnElement[Any]]:
    """Yield what to sort by: the first key is always there, of the others what is missing comes last."""
    for number, (key, (_, is_descending)) in enumerate(zip(keys, order, strict=True)):
        if number > 0:
            yield key.is_(None)
        yield key.desc() if is_descending else key.asc()


def _best_of(stage: _Stage, group_ids: Sequence[str], most: int) -> Select[Any]:
    """Ask for the best of some groups: each index gives its own where they are few, one sort where not."""
    lacking = stage.question.where(_lacks(stage.seq, stage.earlier)).limit(most)
    if len(group_ids) > FEW:
        return lacking.with_only_columns(stage.seq).where(stage.group_id.in_(group_ids))
    parts = (select(lacking.where(stage.group_id == name).subquery()) for name in group_ids)
    each = union_all(*parts).subquery()
    keys = [each.c[f"key_{number}"] for number in range(len(stage.later))]
    return select(each.c.seq).order_by(*_ordered(keys, stage.later), each.c.seq).limit(most)


def _is_kept(name: str) -> bool:
    return len(name) <= LONGEST and name.isprintable()


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
