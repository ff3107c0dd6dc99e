"""Fixtures of the store: a database with a workflow in it; an S3 server, and an instance on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from runwidgets.store.database.database import Database
from runwidgets.store.database.runs.runs import Runs
from runwidgets.store.database.tables import groups, versions, workflows
from tests.conftest import url_of
from tests.s3 import bucket, s3
from tests.store.shared_root import SharedRoot, open_shared_root

__all__ = ["bucket", "database", "queue", "run_row", "s3", "shared"]

NOW = "2026-01-01T00:00:00.000000+00:00"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open a new database."""
    opened = Database(url_of(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def queue(database: Database) -> Runs:
    """Create the rows to which a run refers."""
    with database.write() as connection:
        connection.execute(
            insert(workflows).values(
                id="w",
                source="s",
                name="n",
                is_named=False,
                is_described=False,
                fingerprint="f",
                created_at=NOW,
            )
        )
        connection.execute(
            insert(versions).values(workflow_id="w", sha256="s", notebook="n", template={}, created_at=NOW)
        )
        connection.execute(
            insert(groups).values(
                id="g", workflow_id="w", name="d", parameters=[], config={}, is_default=True, created_at=NOW
            )
        )
    return Runs(database)


@pytest.fixture
def shared(bucket: str, tmp_path: Path) -> Iterator[SharedRoot]:
    """Open an instance on an empty bucket."""
    opened = open_shared_root(bucket, tmp_path)
    yield opened
    opened.instance.close()


def run_row(run_id: str) -> dict[str, object]:
    """Return the columns of a new run."""
    return {"id": run_id, "group_id": "g", "workflow_id": "w", "version_id": 1, "arguments": [], "config": {}}
