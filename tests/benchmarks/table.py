"""The table of all rows, the description of the machine above it, and its position in the README."""

import datetime
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
PACKAGES = (
    "runwidgets",
    "papermill",
    "ipykernel",
    "nbclient",
    "jupyter-scheduler",
    "ploomber-engine",
    "ploomber",
    "hydra-core",
    "joblib",
    "optuna",
    "distributed",
)
NOTHING = "-"


class NotMeasuredError(Exception):
    """A row cannot be measured here; the message says why in one sentence."""


@dataclass(frozen=True)
class Row:
    """One line of the table; its texts are ready to be printed."""

    what: str
    """What was done, on both sides."""
    ours: str = NOTHING
    """What it took here, with its unit."""
    theirs: str = NOTHING
    """What it took on the other side, with its unit."""
    ratio: str = NOTHING
    """Ours against theirs."""
    target: str = NOTHING
    """What the ratio, or our figure where there is no other side, should be."""
    is_met: bool | None = None
    """Whether it is; None where there is no target or no figure."""
    note: str = ""
    """What was warmed and counted, or why there is no figure."""

    def line(self) -> str:
        """Return the row as a line of a Markdown table."""
        met = NOTHING if self.is_met is None else "yes" if self.is_met else "no"
        cells = (self.what, self.ours, self.theirs, self.ratio, self.target, met)
        return f"| {' | '.join(cells)} |"


def make_table(rows: Sequence[Row], facts: str) -> str:
    """Return rows as Markdown: the machine, the table, and the notes below it.

    Parameters
    ----------
    rows : sequence of Row
        The rows, in order.
    facts : str
        One line about the machine.

    Returns
    -------
    str
        Markdown without a newline at its end.
    """
    lines = [f"**{facts}**", "", "| what | ours | theirs | ratio | target | met? |"]
    lines += ["|---|---|---|---|---|---|", *(row.line() for row in rows), ""]
    return "\n".join([*lines, *(f"- {row.what}: {row.note}" for row in rows if row.note)]).rstrip()


def write_table(table: str) -> None:
    """Replace the table between the markers of the README."""
    before, _, rest = README.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")


def machine_facts() -> str:
    """Return one line about the machine, determined before anything is measured."""
    memory = psutil.virtual_memory().total / 2**30
    facts = [
        f"{_processor()}, {os.cpu_count()} cores",
        f"{memory:.0f} GiB RAM",
        f"{platform.system()} {platform.release()}",
        f"temporary folder on {_file_system(Path(tempfile.gettempdir()))}",
        f"load {os.getloadavg()[0]:.1f} before the start",
        f"Python {platform.python_version()}",
        *(f"{name} {_release(name)}" for name in PACKAGES),
        f"{datetime.date.today():%Y-%m-%d}",
    ]
    return "; ".join(facts)


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    for line in about.read_text().splitlines() if about.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """Return the type of a folder's file system, which determines the speed of durable writes."""
    mounts = [
        mount
        for mount in psutil.disk_partitions(all=True)
        if folder.resolve().is_relative_to(mount.mountpoint)
    ]
    return max(mounts, key=lambda mount: len(mount.mountpoint)).fstype if mounts else "an unknown disk"


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
