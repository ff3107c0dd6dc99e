"""Widgets that were opened and closed leave no resources."""

import gc
import threading
from collections.abc import Callable
from pathlib import Path

import comm
import psutil
import pytest
from ipywidgets import Widget
from ipywidgets.widgets import widget as widgets

import runwidgets as rw
from runwidgets.service.contracts.api import Api
from runwidgets.widgets.view import View
from tests.builders import DOUBLE, arguments, ended, group_of, wait_until, workflow

FIRST, ALL = 100, 500
MB = 1_000_000


def counts() -> tuple[int, int, int]:
    """Return the numbers of threads, comms and widgets."""
    gc.collect()
    return threading.active_count(), len(comm.get_comm_manager().comms), len(widgets._instances)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "api"),
    [
        ("RunForm", "local"),
        ("RunView", "remote"),
        ("Results", "local"),
        ("RunTable", "local"),
        ("SweepView", "remote"),
        ("RunBrowser", "local"),
    ],
    indirect=["api"],
)
def test_five_hundred_views_leave_no_more_than_one_hundred(api: Api, folder: Path, kind: str) -> None:
    """There are no more threads, comms and widgets, and hardly more memory."""
    made = workflow(api, folder, DOUBLE, parameters="x = 1")
    run = ended(api, api.runs.start_run(group_of(made), [])["id"])["id"]
    sweep = api.sweeps.start_sweep(group_of(made), [arguments(x=1)], {"reuse": True})["id"]
    wait_until(lambda: api.sweeps.get_sweep(sweep)["isDone"])
    source = {"RunView": run, "Results": run, "SweepView": sweep}.get(kind, made["id"])
    before = counts()

    def open_and_close() -> None:
        view = make(source, api=api)
        view._repr_mimebundle_()
        view.close()

    make: Callable[..., View] = getattr(rw, kind)
    for _ in range(FIRST):
        open_and_close()
    gc.collect()
    memory = psutil.Process().memory_info().rss
    for _ in range(ALL - FIRST):
        open_and_close()

    wait_until(lambda: counts() == before)
    assert psutil.Process().memory_info().rss - memory < 20 * MB


def test_an_unclosed_view_is_collected_with_its_last_reference(api: Api, folder: Path) -> None:
    """The follower holds no view: views that ipywidgets closed all at once are collected."""
    run = ended(api, api.runs.start_run(group_of(workflow(api, folder, "1")), [])["id"])["id"]
    before = counts()
    for _ in range(20):
        rw.RunView(run, api=api)

    Widget.close_all()

    wait_until(lambda: counts()[1:] <= before[1:])
    wait_until(lambda: not [each for each in threading.enumerate() if each.name == "runwidgets-live"])
