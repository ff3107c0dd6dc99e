"""`Run` and `Sweep` as Python objects: compared, hashed and shown."""

from pathlib import Path

import pytest

import runwidgets as rw
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from tests.builders import finished, write_notebook
from tests.conftest import JupyterServer


@pytest.fixture
def sweep(api: Api, folder: Path) -> rw.Sweep:
    """Start a sweep of two points."""
    path = write_notebook(folder / "pair.ipynb", "assert x", parameters="x = 1")
    return rw.sweep(path, x=[0, 1], api=api)


def test_two_objects_of_one_run_are_equal(api: Api, sweep: rw.Sweep) -> None:
    """A set has each run once, however it was reached."""
    first, second = sweep.wait(60)

    again = rw.Run(api, first.id)

    assert first == again and first is not again and hash(first) == hash(again)
    assert {first, again, second} == {again, second} and first in list(sweep)
    assert first != second and first != first.id and first != sweep


def test_two_objects_of_one_sweep_are_equal(api: Api, sweep: rw.Sweep, folder: Path) -> None:
    """A second sweep of the same points is a different one."""
    other = rw.sweep(folder / "pair.ipynb", x=[0, 1], api=api)

    assert rw.Sweep(api, sweep.id) == sweep and len({sweep, rw.Sweep(api, sweep.id), other}) == 2
    assert sweep != other and sweep != sweep.id
    other.wait(60)
    sweep.wait(60)


def test_objects_of_one_server_are_equal_over_any_connection(server: JupyterServer, folder: Path) -> None:
    """The store decides."""
    with server.api() as one, server.api() as other:
        handle = finished(one, folder, "1")

        assert rw.Run(one, handle) == rw.Run(other, handle["id"])


def test_the_same_id_in_another_store_is_another_run(
    instance: Instance, folder: Path, tmp_path: Path
) -> None:
    """A copy of a root has the same ids."""
    handle = finished(instance.api(), folder, "1")
    elsewhere = open_instance(tmp_path / "root", slots=1)

    assert rw.Run(instance.api(), handle) == rw.Run(instance.api(), handle)
    assert rw.Run(instance.api(), handle) != rw.Run(elsewhere.api(), handle)
    elsewhere.close()


def test_what_is_shown_is_current(api: Api, sweep: rw.Sweep) -> None:
    """Neither object was asked for anything else before."""
    first = next(iter(sweep))

    rw.Sweep(api, sweep.id).wait(60)

    assert repr(sweep) == f"Sweep('{sweep.id}', 2 points: 1 SUCCESS, 1 ERROR)"
    assert repr(first) == f"Run('{first.id}', ERROR)"


def test_what_was_deleted_is_shown_as_it_was_last(sweep: rw.Sweep) -> None:
    """An object can always be shown."""
    first = next(iter(sweep.wait(60)))
    last = repr(sweep), repr(first)

    sweep.delete()

    assert (repr(sweep), repr(first)) == last
