"""The fixtures of the store: an S3 server, and a house on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.s3 import bucket, s3
from tests.store.houses import House, open_house

__all__ = ["bucket", "house", "s3"]


@pytest.fixture
def house(bucket: str, tmp_path: Path) -> Iterator[House]:
    """Open a house on an empty bucket."""
    opened = open_house(bucket, tmp_path)
    yield opened
    opened.service.close()
