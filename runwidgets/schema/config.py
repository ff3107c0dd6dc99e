"""Configs of runs and sweeps; their keys are written as in Python."""

from typing import Literal

from typing_extensions import TypedDict


class RunConfig(TypedDict, total=False):
    """Settings of a run; all of them may be omitted."""

    timeout: float
    """Time limit of the whole run, in seconds."""
    cell_timeout: float
    """Time limit of one cell, in seconds."""
    cwd: Literal["run", "notebook"]
    """Working folder of the notebook: a folder of the run, or the notebook's own folder."""
    isolation: Literal["auto", "spawn"]
    """Whether the run is forked from a warm process if possible, or always spawned."""
    transport: Literal["auto", "zmq"]
    """Whether a forked kernel may communicate without ZeroMQ."""
    retries: int
    """Further attempts after an error, 0 to 10."""
    resources: dict[str, float]
    """What a worker of a Dask cluster must have: a number above 0 by name."""
    results_of: str
    """Id of a sweep whose result files are provided in the folder passed to the parameter ``runs``."""
    key: str
    """Idempotency key: a second start with the same key in the same group returns the result of the first."""


class SweepConfig(RunConfig, total=False):
    """Settings of the runs of a sweep, and of the sweep."""

    on_error: Literal["continue", "stop"]
    """A `SweepOnError`: what happens to the other runs when one ends in ERROR."""
    reuse: bool
    """Whether a point uses an earlier successful run with the same values."""
    parallel: int
    """Number of its runs that may execute at once, at least 1."""
    priority: int
    """-100 to 100; runs with a higher priority are claimed first."""
