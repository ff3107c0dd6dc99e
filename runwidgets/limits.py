"""Every limit in one place, with its unit.

The traits of the server extension and `runwidgets.connect` both fill this class; no code below them knows
where a number comes from. Exceeding a limit raises an error that names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

KIB = 1024
MB = 1000 * 1000
GB = 1000 * MB
MAX_DAYS = 36_500
"""Days for which a run may be kept; the calendar ends in the year 9999."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits on what an instance accepts and keeps.

    Notes
    -----
    **Source:** the defaults were chosen against requests that are malformed, oversized or hostile.
    """

    @classmethod
    def from_json(cls, fields: Mapping[str, float]) -> "Limits":
        """Return the limits whose fields are given, as ``run.json`` has them."""
        return cls(**cast(Any, fields))

    json_body: int = 10 * MB
    """Bytes of a request's JSON body."""
    upload: int = 1 * GB
    """Bytes of one uploaded file."""
    template_size: int = 20 * MB
    """Bytes of a notebook that becomes a workflow."""
    parameters: int = 100
    """Parameters of one template."""
    string_size: int = 64 * KIB
    """Bytes of one string argument, in UTF-8."""
    nesting: int = 32
    """Levels of lists and records inside one argument."""
    outputs: int = 50 * MB
    """Bytes of cell outputs that one run stores in its notebook; the log keeps the rest."""
    log: int = 200 * MB
    """Bytes of one run's log."""
    result_files: int = 10_000
    """Result files of one run, or partial files of one without success."""
    result_size: int = 10 * GB
    """Bytes of all result files of one run, or of all its partial files."""
    static_files: int = 10_000
    """Files in one folder, or of one glob, that a notebook names; runs get none of a larger one."""
    static_entries: int = 100_000
    """Entries of folders that are looked at for one such name."""
    link_size: int = 64 * MB
    """Bytes above which an input is a link to a copy that runs share, where files cannot be cloned."""
    queue: int = 10_000
    """Runs that may wait at once."""
    page: int = 100
    """Runs in one response when the caller sets no limit."""
    page_max: int = 500
    """Maximum number of runs in one response."""
    name_length: int = 255
    """Characters of a name of a workflow, group or file."""
    cancel_grace: float = 3.0
    """Seconds between the interrupt and the kill of a cancelled run."""
    start_timeout: float = 60.0
    """Seconds within which a kernel must reply after its start."""
    disk_floor: int = 100 * MB
    """Bytes that must remain free on the disk for a run to be accepted."""
