"""The tables, with the constraints that the database enforces.

Times are ISO 8601 text in UTC with microseconds, so that their text order is their order in time. The
constraints repeat what the code ensures: a state outside the state machine, a terminal run without an end or
a run that is no longer PENDING without a start cannot be stored by any writer.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from runwidgets.schema import CANCELED_REASONS, RunReason
from runwidgets.states import TERMINAL, RunState

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Serial = BigInteger().with_variant(Integer, "sqlite")
"""A number that the database increments; SQLite supports that for INTEGER only."""


def _quoted(members: frozenset[RunState] | frozenset[RunReason]) -> str:
    return ", ".join(f"'{value}'" for value in sorted(member.value for member in members))


def _reference(table: str, cascade: bool = True) -> ForeignKey:
    return ForeignKey(f"{table}.id", ondelete="CASCADE" if cascade else None)


workflows = Table(
    "workflows",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("source", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("is_named", Boolean, nullable=False),
    Column("is_described", Boolean, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("version_id", Serial),
    Column("owner", Text),
    Column("created_at", String(32), nullable=False),
    sqlite_autoincrement=True,
)
"""Registered notebooks; `is_named` and `is_described`: given by a user, not by the template."""

versions = Table(
    "versions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("workflow_id", String(64), _reference("workflows"), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("notebook", String(64), nullable=False),
    Column("template", JSON, nullable=False),
    Column("created_at", String(32), nullable=False),
    UniqueConstraint("workflow_id", "sha256"),
    sqlite_autoincrement=True,
)
"""Versions of templates; `notebook` is the SHA-256 of the stored copy."""

groups = Table(
    "groups",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("workflow_id", String(64), _reference("workflows"), nullable=False),
    Column("name", Text, nullable=False),
    Column("owner", Text),
    Column("parameters", JSON, nullable=False),
    Column("config", JSON, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", String(32), nullable=False),
    UniqueConstraint("workflow_id", "name"),
    sqlite_autoincrement=True,
)

members = Table(
    "members",
    metadata,
    Column("group_id", String(64), _reference("groups"), primary_key=True),
    Column("username", Text, primary_key=True),
)

uploads = Table(
    "uploads",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("group_id", String(64), _reference("groups"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("is_deleted", Boolean, nullable=False, default=False),
    Column("created_at", String(32), nullable=False),
    Index(
        "ix_uploads_deleted", "id", sqlite_where=text("is_deleted = 1"), postgresql_where=text("is_deleted")
    ),
    sqlite_autoincrement=True,
)
"""Uploads; `is_deleted`: a user deleted it, and it is kept as long as a run names it."""

sweeps = Table(
    "sweeps",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("group_id", String(64), _reference("groups"), nullable=False),
    Column("name", Text),
    Column("config", JSON, nullable=False),
    Column("idempotency_key", Text),
    Column("stops_on_error", Boolean, nullable=False),
    Column("parallel", Integer),
    Column("is_paused", Boolean, nullable=False, default=False),
    Column("last_number", Integer, nullable=False),
    Column("varied", JSON, nullable=False),
    Column("constants", JSON, nullable=False),
    Column("created_by", Text),
    Column("created_at", String(32), nullable=False),
    UniqueConstraint("group_id", "idempotency_key"),
    CheckConstraint("parallel > 0", name="parallel_is_positive"),
    Index("ix_sweeps_group_id_seq", "group_id", "seq"),
    Index("ix_sweeps_paused", "id", sqlite_where=text("is_paused = 1"), postgresql_where=text("is_paused")),
    sqlite_autoincrement=True,
)
"""`last_number` is the number of the newest point; `constants` has a digest of the value of each parameter
that took only one value so far, `varied` the names of the others."""

runs = Table(
    "runs",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("group_id", String(64), _reference("groups"), nullable=False),
    Column("workflow_id", String(64), _reference("workflows"), nullable=False, index=True),
    Column("version_id", Serial, _reference("versions"), nullable=False),
    Column("sweep_id", String(64), _reference("sweeps")),
    Column("rank", Integer, nullable=False, default=0),
    Column("fingerprint", String(64)),
    Column("idempotency_key", Text),
    Column("state", String(8), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("config", JSON, nullable=False),
    Column("reason", String(32)),
    Column("messages", JSON, nullable=False),
    Column("progress", JSON(none_as_null=True)),
    Column("metrics", JSON, nullable=False),
    Column("created_by", Text),
    Column("created_at", String(32), nullable=False),
    Column("started_at", String(32)),
    Column("finished_at", String(32)),
    Column("host", Text),
    Column("instance", String(64)),
    Column("holds_slot", Boolean, nullable=False),
    UniqueConstraint("group_id", "idempotency_key"),
    CheckConstraint(f"state IN ({_quoted(frozenset(RunState))})", name="state_is_known"),
    CheckConstraint(
        f"(state IN ({_quoted(TERMINAL)})) = (finished_at IS NOT NULL)", name="terminal_has_an_end"
    ),
    CheckConstraint("(state = 'PENDING') = (started_at IS NULL)", name="all_but_pending_have_a_beginning"),
    CheckConstraint("state != 'RUNNING' OR holds_slot", name="running_holds_a_slot"),
    CheckConstraint(f"reason IN ({_quoted(frozenset(RunReason))})", name="reason_is_known"),
    CheckConstraint(
        "(state IN ('CANCELED', 'ERROR')) = (reason IS NOT NULL)", name="unsuccessful_has_a_reason"
    ),
    CheckConstraint(
        f"(state = 'CANCELED') = (reason IN ({_quoted(CANCELED_REASONS)}))", name="reason_fits_the_state"
    ),
    Index("ix_runs_group_id_seq", "group_id", "seq"),
    Index("ix_runs_group_id_state_seq", "group_id", "state", "seq"),
    Index("ix_runs_group_id_fingerprint", "group_id", "fingerprint"),
    Index("ix_runs_sweep_id_state", "sweep_id", "state"),
    Index(
        "ix_runs_pending",
        "rank",
        "seq",
        "sweep_id",
        "state",
        sqlite_where=text("state = 'PENDING'"),
        postgresql_where=text("state = 'PENDING'"),
    ),
    Index(
        "ix_runs_holding",
        "sweep_id",
        "host",
        sqlite_where=text("holds_slot = 1"),
        postgresql_where=text("holds_slot"),
    ),
    sqlite_autoincrement=True,
)
"""`instance` tracks the run and `host` executes it, both empty if it ended before it was claimed; then it
began when it ended. `holds_slot` until its processes have ended. The run with
the lowest `rank` is claimed first, from an index with all columns of the query. `fingerprint` is equal for
runs with the same results."""

run_uploads = Table(
    "run_uploads",
    metadata,
    Column("run_id", String(64), _reference("runs"), primary_key=True),
    Column("upload_id", String(64), _reference("uploads"), primary_key=True, index=True),
)
"""The uploads that the arguments of each run name."""

points = Table(
    "sweep_points",
    metadata,
    Column("sweep_id", String(64), _reference("sweeps"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("run_id", String(64), _reference("runs"), nullable=False, index=True),
)
"""Points of sweeps, numbered from 1, each with its present run; a point is removed with its run."""

instances = Table(
    "instances",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("beat", BigInteger, nullable=False),
)
"""Instances that share no folder, each with a counter that it increments while it is alive."""

scores = Table(
    "scores",
    metadata,
    Column("group_id", String(64), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", Double, primary_key=True),
    Column("run_seq", Serial, ForeignKey("runs.seq", ondelete="CASCADE"), primary_key=True, index=True),
    sqlite_with_rowid=False,
)
"""Numeric metrics of successful runs, in the order of the ranking."""

files = Table(
    "files",
    metadata,
    Column("run_id", String(64), _reference("runs"), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64)),
    Column("display", JSON, nullable=False),
)
"""Result files of successful runs, partial files of others, of which large ones are not hashed; `display`
contains their title, caption, widget and format from the template."""

events = Table(
    "events",
    metadata,
    Column("seq", Serial, primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("group_id", String(64), nullable=False),
    Column("sweep_id", String(64)),
    Column("kind", String(16), nullable=False),
    Column("data", JSON, nullable=False),
    Column("at", String(32), nullable=False),
    Index("ix_events_run_id_seq", "run_id", "seq"),
    sqlite_autoincrement=True,
)
"""Events, in order; numbers are never reused, so a reader can resume."""
