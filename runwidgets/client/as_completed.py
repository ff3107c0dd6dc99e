"""Iteration over the runs of a sweep in the order in which they end."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import cast

from runwidgets.client.dataframes import read_rows
from runwidgets.client.run import Run, read_state
from runwidgets.schema import PointRow, RunEvent
from runwidgets.service.contracts.api import Api
from runwidgets.states import TERMINAL


def read_points(api: Api, sweep_id: str) -> list[PointRow]:
    """Return the state and results of each point of a sweep, in order, without a request per run."""
    rows = read_rows(lambda after: api.sweeps.get_points(sweep_id, after=after))
    return [cast(PointRow, row) for row in rows]


class AsCompleted:
    """Iterator over the runs of a sweep in the order in which they end, for ``for`` and ``async for``."""

    def __init__(self, api: Api, sweep_id: str, timeout: float | None) -> None:
        self._api = api
        self._sweep_id = sweep_id
        self._timeout = timeout

    def __iter__(self) -> Iterator[Run]:
        return (Run(self._api, run_id) for run_id in self.ids())

    async def __aiter__(self) -> AsyncIterator[Run]:
        runs = iter(self)
        while True:
            run = await asyncio.to_thread(next, runs, None)
            if run is None:
                return
            yield run

    def ids(self) -> Iterator[str]:
        """Yield the ids of the runs in the order in which they end.

        Yields
        ------
        str
            Also the ids of runs that had ended before.

        Raises
        ------
        TimeoutError
            Runs are still active when the timeout has passed.
        UnknownSweepError
            The sweep was deleted.
        """
        stop = threading.Event()
        timer = threading.Timer(self._timeout or 0, stop.set)
        timer.daemon = True
        if self._timeout is not None:
            timer.start()
        try:
            last_seq = self._api.events.last_event()
            states = {row["id"]: read_state(row["state"]) for row in read_points(self._api, self._sweep_id)}
            yield from [run_id for run_id, state in states.items() if state in TERMINAL]
            active = {run_id for run_id, state in states.items() if state not in TERMINAL}
            follow = self._api.events.follow_events
            for event in follow(last_seq, sweep_id=self._sweep_id, stop=stop) if active else ():
                run_id, kind = event["runId"], event["kind"]
                if run_id in active and (kind == "deleted" or _has_ended(event)):
                    active.discard(run_id)
                    if kind != "deleted":
                        yield run_id
                if not active:
                    return
        finally:
            timer.cancel()
            stop.set()
        if active:
            raise TimeoutError(
                f"{len(active)} runs of sweep {self._sweep_id} are still active after {self._timeout:g} s"
            )


def _has_ended(event: RunEvent) -> bool:
    return event["kind"] == "state" and read_state(event["data"]["state"]) in TERMINAL
