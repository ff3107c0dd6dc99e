"""How runs and sweeps are executed; the keys of a config are written as in Python."""

from typing import Literal

from typing_extensions import TypedDict


class RunConfig(TypedDict, total=False):
    """Settings of a run; every one may be omitted."""

    timeout: float
    """Seconds for the whole run."""
    cell_timeout: float
    """Seconds for one cell."""
    cwd: Literal["run", "notebook"]
    """Where the notebook runs: in a folder of the run, or in that of the notebook."""
    isolation: Literal["auto", "spawn"]
    """Whether the run is forked from a warm process where that is possible, or always spawned."""
    kernel: Literal["auto", "zmq"]
    """Whether a forked kernel may do without ZeroMQ."""
    retries: int
    """Further attempts after an error, 0 to 10."""
    resources: dict[str, float]
    """What a worker of a Dask cluster must have: a number above 0 by name."""
    results_of: str
    """Id of a sweep whose result files lie in the folder that the template's parameter ``runs`` names."""
    key: str
    """Idempotency key: of two starts with one key in one group the second returns what the first made."""


class SweepConfig(RunConfig, total=False):
    """Settings of the runs of a sweep, and of the sweep itself."""

    on_error: Literal["continue", "stop"]
    """A `SweepOnError`: what happens to the other runs when one ends in ERROR."""
    reuse: bool
    """Whether a point whose run already succeeded takes that run."""
    parallel: int
    """Runs of it that may execute at once, at least 1."""
    priority: int
    """-100 to 100; runs with a higher one are claimed first."""
