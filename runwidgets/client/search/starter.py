"""The starter: starts the runs of a search, and those of an earlier search again."""

from runwidgets.client.run import read_state
from runwidgets.client.search.plan import SearchPlan
from runwidgets.client.submit import make_arguments
from runwidgets.client.sweep import Sweep
from runwidgets.schema import (
    INTERRUPTED_REASONS,
    AddedPoint,
    Argument,
    JsonValue,
    PointRow,
    SweepConfig,
    WorkflowHandle,
)
from runwidgets.service.contracts.api import Api
from runwidgets.states import RunState
from runwidgets.templates.arguments import tag_values
from runwidgets.templates.parameters import parse_parameters
from runwidgets.templates.scalars import tag_floats


class Starter:
    """Starts the runs of a search.

    Parameters
    ----------
    api : Api
        The services.
    workflow : dict
        The handle of the workflow.
    group_id : str
        The group of the runs.
    plan : SearchPlan
        Has the arguments of all runs.
    """

    def __init__(self, api: Api, workflow: WorkflowHandle, group_id: str, plan: SearchPlan) -> None:
        self._api = api
        self.group_id = group_id
        self._workflow = workflow
        self._plan = plan

    def start(self, points: list[dict[str, JsonValue]], config: SweepConfig, name: str | None) -> Sweep:
        """Start the sweep of the search with its first points."""
        handle = self._api.sweeps.start_sweep(self.group_id, self._arguments(points), config, name)
        self._sweep = Sweep(self._api, handle)
        return self._sweep

    def add(self, points: list[dict[str, JsonValue]]) -> list[tuple[int, str, RunState]]:
        """Start runs at further points; return the number of each point, the id of its run and its state."""
        added = self._api.sweeps.add_points(self._sweep.id, self._arguments(points))
        return [read_descriptor(each) for each in added["runs"]]

    def resume(self, sweep: Sweep) -> list[PointRow]:
        """Return the points of an earlier search, after interrupted runs have been started again.

        Raises
        ------
        InvalidArgumentError
            A point does not fit the plan.
        """
        self._sweep = sweep
        rows = self._read_points(sweep)
        interrupted = [row["number"] for row in rows if row["reason"] in INTERRUPTED_REASONS]
        if not interrupted:
            return rows
        self._api.sweeps.rerun_failed(sweep.id, interrupted)
        return self._read_points(sweep)

    def _read_points(self, sweep: Sweep) -> list[PointRow]:
        defaults = {
            each["name"]: each["defaultValue"]
            for each in self._workflow["parameters"]
            if "defaultValue" in each
        }
        parameters = parse_parameters(self._workflow["parameters"])
        rows = sweep.points()
        for row in rows:
            row["arguments"] = tag_floats(tag_values(parameters, {**defaults, **row["arguments"]}))
            self._plan.check_point(row)
        return rows

    def _arguments(self, points: list[dict[str, JsonValue]]) -> list[list[Argument]]:
        filled = [{**self._plan.fixed, **point} for point in points]
        return make_arguments(self._api, self.group_id, self._workflow, filled)


def read_descriptor(row: AddedPoint | PointRow) -> tuple[int, str, RunState]:
    """Return the number of a point, the id of its run and its state."""
    return row["number"], row["id"], read_state(row["state"])
