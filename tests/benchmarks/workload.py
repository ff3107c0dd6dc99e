"""The workload of both sides: notebooks, repetitions, and measurement of time."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.builders import write_notebook

SLOTS = 2
"""Runs at once, on both sides."""
WARM_UP = 10
"""Runs of ours before the clock starts; the first of them start the warm processes."""

PARAMETERS = "x = 1"
TRIVIAL = "y = x * 2\nprint('twice x is', y)"
IMPORTS = """\
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

print(pd.Series(np.arange(10) * x).sum())"""
PLOT = """\
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

t = np.linspace(0, 6, 100)
frame = pd.DataFrame({"t": t, "y": np.sin(x * t)})
print(frame["y"].describe())
figure, axes = plt.subplots(figsize=(3, 2))
axes.plot(frame["t"], frame["y"])
figure.savefig("plot.png")
plt.close(figure)"""
BLOCK = "import time\nprint('begun', flush=True)\ntime.sleep(3600)"
"""A cell that keeps its slot busy."""

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Rate:
    """A number of finished runs and the seconds that they took."""

    runs: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Runs per second."""
        return self.runs / self.seconds

    def __str__(self) -> str:
        return f"{self.per_second:.3g} runs/s"


@dataclass
class Bench:
    """One execution of the benchmark: its sizes, its folder, and earlier measurements.

    Attributes
    ----------
    runs : int
        Runs of a batch whose throughput is measured.
    is_quick : bool
        Smaller sizes everywhere, for a trial whose figures are not quoted.
    folder : Path
        Temporary folder of all rows, removed at the end.
    """

    runs: int
    is_quick: bool
    folder: Path
    _seen: dict[Any, Any] = field(default_factory=dict)

    def size(self, full: int, quick: int) -> int:
        """Return one of two sizes."""
        return quick if self.is_quick else full

    def once(self, key: Any, measure: Callable[[], Seen]) -> Seen:
        """Measure only once what several rows compare with; a failure is repeated."""
        if key not in self._seen:
            self._seen[key] = measure()
        return self._seen[key]

    def has(self, key: Any) -> bool:
        """Return whether something was measured already."""
        return key in self._seen

    def new_folder(self) -> Path:
        """Create a new folder."""
        folder = self.folder / uuid.uuid4().hex
        folder.mkdir()
        return folder

    def notebook(self, cell: str) -> Path:
        """Write a notebook with a parameters cell and one further code cell."""
        return write_notebook(self.new_folder() / "work.ipynb", cell, parameters=PARAMETERS)

    def rate(self, batch: Callable[[int], None]) -> Rate:
        """Measure throughput: batches until enough time has passed to average out fluctuations.

        Parameters
        ----------
        batch : callable
            Takes a number of runs and returns when all of them have succeeded.

        Returns
        -------
        Rate
            The rate of all batches together, at least one.
        """
        enough = self.size(10, 1)
        done, begin = 0, time.perf_counter()
        while True:
            batch(self.runs)
            done, seconds = done + self.runs, time.perf_counter() - begin
            if seconds >= enough:
                return Rate(done, seconds)


def clock(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin
