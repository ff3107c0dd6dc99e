"""The figures of `tests/benchmarks/README.md`, where they are measured and written down."""

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "tests" / "benchmarks" / "README.md"
RIVALS = ("papermill", "ploomber", "jupyter-scheduler", "Hydra")


def read_benchmarks() -> dict[str, list[str]]:
    """Return the rows by what is measured: ours, theirs, ratio, target, whether it is met."""
    text = SOURCE.read_text("utf-8")
    rows = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in text.splitlines() if line.startswith("| ")]
    return {row[0]: row[1:] for row in rows if len(row) == 6 and row[0] not in {"what", "---"}}


def list_benchmarks() -> str:
    """Return the rows that compare with other packages, as they were measured."""
    rows = [
        f"| {what} | {row[0]} | {row[1]} | {row[2]} |"
        for what, row in read_benchmarks().items()
        if any(rival in what for rival in RIVALS)
    ]
    return "| what | runwidgets | the other | ratio |\n|---|---|---|---|\n" + "\n".join(rows)
