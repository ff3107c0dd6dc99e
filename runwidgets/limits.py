"""Every limit in one place, with its unit.

The traits of the server extension and the embedded service both fill this class; nobody below them
knows where a number came from. A limit that is passed gives an error that names it.
"""

from dataclasses import dataclass

KIB = 1024
MB = 1000 * 1000
GB = 1000 * MB


@dataclass(frozen=True)
class Limits:
    """What the service accepts and keeps.

    Notes
    -----
    **Source:** the defaults are those of RELIABILITY, "Bad input".
    """

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
    """Result files of one run."""
    result_size: int = 10 * GB
    """Bytes of all result files of one run."""
    link_size: int = 64 * MB
    """Bytes from which a static file is linked into the working folder instead of copied."""
    queue: int = 10_000
    """Runs that may wait at once."""
    page: int = 100
    """Runs in one answer, where the caller does not say."""
    page_max: int = 500
    """Runs in one answer, at most."""
    name_length: int = 255
    """Characters of a name of a workflow, group or file."""
    cancel_grace: float = 3.0
    """Seconds between the interrupt and the kill of a cancelled run."""
    start_timeout: float = 60.0
    """Seconds in which a kernel must answer after its start."""
    disk_floor: int = 100 * MB
    """Bytes that must stay free on the disk for a run to be accepted."""
