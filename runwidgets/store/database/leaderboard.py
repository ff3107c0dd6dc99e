"""An index of the metrics by which successful runs are ranked.

A run's metrics are JSON in its row, which no database index can sort. They no longer change once the run
succeeds; the numbers among them are then written to a table of their own. The best run of a group is the
first entry of its index, however many runs there are. Infinity is ranked as a number, NaN is not.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, true, union_all

from runwidgets.record import read_value
from runwidgets.schema import JsonValue
from runwidgets.states import RunState
from runwidgets.store.database.columns import RunRow
from runwidgets.store.database.database import BATCH_SIZE, Database
from runwidgets.store.database.tables import groups, runs, scores

MAX_METRIC_NAME = 255
"""Maximum length of the name of a metric that runs can be ranked by; database indexes limit their keys."""
MAX_UNION = 50
"""Number of groups up to which each is queried separately, in one statement."""
Order = Sequence[tuple[str, bool]]
"""Names of metrics, and whether the greatest value comes first."""


def store_scores(connection: Connection, row: RunRow) -> None:
    """Write the numeric metrics of a run, in the transaction in which it succeeds."""
    rows = list(score_rows(row.seq, row.group_id, row.metrics))
    if rows:
        connection.execute(insert(scores), rows)


def score_rows(seq: int, group_id: str, metrics: Mapping[str, JsonValue]) -> Iterator[dict[str, str | float]]:
    """Yield the rows for a run's metrics; metrics that are not numbers have none."""
    for name, value in metrics.items():
        score = read_score(value)
        if _is_rankable(name) and score is not None:
            yield {"group_id": group_id, "name": name, "value": score, "run_seq": seq}


def read_score(value: JsonValue) -> float | None:
    """Return the number by which a run is ranked; None for NaN and for values that are not numbers."""
    number = read_value(value)
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        return None
    try:
        return None if math.isnan(number) else float(number)
    except OverflowError:
        return None  # a whole number with more than 308 digits


def find_ranked(database: Database, group_ids: Sequence[str], names: Sequence[str]) -> set[str]:
    """Return the metrics among some names for which a successful run of some groups has a number."""
    ranked = set()
    with database.read() as connection:
        for name in filter(_is_rankable, names):
            for begin in range(0, len(group_ids), BATCH_SIZE):
                is_in_batch = scores.c.group_id.in_(group_ids[begin : begin + BATCH_SIZE])
                query = select(scores.c.run_seq).where(is_in_batch, scores.c.name == name).limit(1)
                if connection.execute(query).scalar() is not None:
                    ranked.add(name)
    return ranked


def best_of_each(database: Database, group_ids: Sequence[str], order: Order) -> Sequence[Row[Any]]:
    """Return the best successful run of each of some groups, oldest first.

    Runs without a number for a metric come after those with one; among equal runs the oldest is the best.
    Without an order, the newest run is the best.

    Parameters
    ----------
    database : Database
        The database.
    group_ids : sequence of str
        The groups; groups without a successful run have no row in the result.
    order : sequence of (str, bool)
        The sort order; see `Order`.

    Returns
    -------
    sequence of Row
        ``id``, ``group_id``, ``version_id``, ``created_at``, ``started_at``, ``finished_at``, ``arguments``
        and ``metrics``.
    """
    group_id = groups.c.id
    best_of_stages = [
        stage.query.with_only_columns(stage.seq).where(stage.group_id == group_id).limit(1).scalar_subquery()
        for stage in _stages(order)
    ]
    best = func.coalesce(*best_of_stages, None)
    seqs: list[int] = []
    with database.read() as connection:
        for begin in range(0, len(group_ids), BATCH_SIZE):
            query = select(best).where(group_id.in_(group_ids[begin : begin + BATCH_SIZE]))
            seqs.extend(seq for seq in connection.execute(query).scalars() if seq is not None)
        return _read(connection, seqs)


def best_of_all(database: Database, group_ids: Sequence[str], order: Order, limit: int) -> Sequence[Row[Any]]:
    """Return the best successful runs of some groups, oldest first; see `best_of_each`.

    The result contains the `limit` best ones of all groups, and more than these if there are many groups.
    """
    best_seqs: list[int] = []
    with database.read() as connection:
        for begin in range(0, len(group_ids), BATCH_SIZE):
            batch, remaining = group_ids[begin : begin + BATCH_SIZE], limit
            for stage in _stages(order):
                if remaining > 0:
                    seqs = connection.execute(_best_of(stage, batch, remaining)).scalars().all()
                    best_seqs.extend(seqs)
                    remaining -= len(seqs)
        return _read(connection, best_seqs)


@dataclass(frozen=True, kw_only=True)
class _Stage:
    """The runs that have one metric, but none of the metrics before it, best first."""

    query: Select[Any]
    """Columns ``seq`` and ``key_0``, ``key_1``, …, by which they are sorted."""
    seq: ColumnElement[int]
    group_id: ColumnElement[str]
    earlier: Order
    later: Order
    """The metric and the following ones."""
    is_newest_first: bool = False
    """Whether the newest of equal runs comes first, instead of the oldest."""


def _stages(order: Order) -> Iterator[_Stage]:
    """Yield a stage for each metric, and one for the runs that have none of the metrics."""
    rankable = [(name, is_descending) for name, is_descending in order if _is_rankable(name)]
    for index, (name, _) in enumerate(rankable):
        score = scores.alias(f"score_{index}")
        joined: Any = score
        keys = [score.c.value.label("key_0")]
        for number, (next_name, _) in enumerate(rankable[index + 1 :], 1):
            tie = scores.alias(f"tie_{index}_{number}")
            joined = joined.outerjoin(tie, (tie.c.run_seq == score.c.run_seq) & (tie.c.name == next_name))
            keys.append(tie.c.value.label(f"key_{number}"))
        seq = score.c.run_seq
        query = select(seq.label("seq"), *keys).select_from(joined).where(score.c.name == name)
        ordered = query.order_by(*_ordered(keys, rankable[index:]), seq)
        yield _Stage(
            query=ordered,
            seq=seq,
            group_id=score.c.group_id,
            earlier=rankable[:index],
            later=rankable[index:],
        )
    by_age = runs.c.seq if order else runs.c.seq.desc()
    yield _Stage(
        query=select(runs.c.seq).where(runs.c.state == RunState.SUCCESS.value).order_by(by_age),
        seq=runs.c.seq,
        group_id=runs.c.group_id,
        earlier=rankable,
        later=[],
        is_newest_first=not order,
    )


def _ordered(keys: Sequence[ColumnElement[Any]], order: Order) -> Iterator[ColumnElement[Any]]:
    """Yield the sort keys: the first key always exists, missing values of the others come last."""
    for number, (key, (_, is_descending)) in enumerate(zip(keys, order, strict=True)):
        if number > 0:
            yield key.is_(None)
        yield key.desc() if is_descending else key.asc()


def _best_of(stage: _Stage, group_ids: Sequence[str], limit: int) -> Select[Any]:
    """Select the best runs of some groups: for a few groups from the index of each, else by one sort."""
    stage_query = stage.query.where(_has_none_of(stage.seq, stage.earlier)).limit(limit)
    if len(group_ids) > MAX_UNION:
        return stage_query.with_only_columns(stage.seq).where(stage.group_id.in_(group_ids))
    group_queries = (select(stage_query.where(stage.group_id == name).subquery()) for name in group_ids)
    candidates = union_all(*group_queries).subquery()
    keys = [candidates.c[f"key_{number}"] for number in range(len(stage.later))]
    by_age = candidates.c.seq.desc() if stage.is_newest_first else candidates.c.seq
    return select(candidates.c.seq).order_by(*_ordered(keys, stage.later), by_age).limit(limit)


def _is_rankable(name: str) -> bool:
    return len(name) <= MAX_METRIC_NAME and name.isprintable()


def _has_none_of(run_seq: ColumnElement[int], order: Order) -> ColumnElement[bool]:
    if not order:
        return true()
    has = select(scores.c.value).where(scores.c.run_seq == run_seq)
    return ~has.where(scores.c.name.in_([name for name, _ in order])).exists()


def _read(connection: Connection, seqs: Sequence[int]) -> Sequence[Row[Any]]:
    columns = (
        *(runs.c.id, runs.c.group_id, runs.c.version_id, runs.c.arguments, runs.c.metrics),
        *(runs.c.created_at, runs.c.started_at, runs.c.finished_at),
    )
    rows: list[Row[Any]] = []
    ordered = sorted(seqs)
    for begin in range(0, len(ordered), BATCH_SIZE):
        query = select(*columns).where(runs.c.seq.in_(ordered[begin : begin + BATCH_SIZE]))
        rows.extend(connection.execute(query.order_by(runs.c.seq)))
    return rows
