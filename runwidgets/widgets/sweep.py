"""The live view of a sweep."""

from typing import Any

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.sweep import Sweep
from runwidgets.errors import RunWidgetsError
from runwidgets.report import sweep_html
from runwidgets.service.contracts.runs import Api
from runwidgets.widgets.view import View


class SweepView(View):
    """A sweep, live: how far it is, what came out over its parameters, the best run, what failed, all runs.

    Parameters
    ----------
    sweep : Sweep or str
        The sweep, or its id.
    api : Api, optional
        Where a sweep given by its id is; None for what `connect` finds.

    Attributes
    ----------
    sweep_id : str
        The sweep that is shown; set it to show another.
    metric : str
        The metric that is drawn and of which the best is told; empty for the first that there is.
    direction : {"minimize", "maximize"}
        Which value of it is the best.
    selected : list of str
        Ids of the runs that are selected in the table.
    value : dict
        Number of runs by state, as the view has seen it last.

    Raises
    ------
    UnknownSweepError
        There is no such sweep.

    Examples
    --------
    >>> rw.SweepView(rw.sweep("train.ipynb", lr=[0.1, 0.01]), metric="loss")  # doctest: +SKIP
    """

    _bundle = "sweep"
    sweep_id = traitlets.Unicode(help="Id of the sweep that is shown.").tag(sync=True)
    metric = traitlets.Unicode(help="Which metric is drawn.").tag(sync=True)
    direction = traitlets.Enum(["minimize", "maximize"], "minimize", help="Which value is best.").tag(
        sync=True
    )
    selected = traitlets.List(traitlets.Unicode(), help="Ids of the selected runs.").tag(sync=True)
    value = traitlets.Dict(help="Number of runs by state.").tag(sync=True)
    shows = traitlets.Unicode(help="What the grid shows: state, metric, or what suits.").tag(sync=True)
    down = traitlets.Unicode(help="The parameter down the grid; empty for what suits.").tag(sync=True)
    across = traitlets.Unicode(help="The parameter across the grid; empty for what suits.").tag(sync=True)
    is_log = traitlets.Bool(True, help="Whether scales are logarithmic where it helps.").tag(sync=True)

    def __init__(self, sweep: Sweep | str, *, api: Api | None = None, **options: Any) -> None:
        shown = sweep if isinstance(sweep, Sweep) else Sweep(api or connect(), sweep)
        super().__init__(shown.api, sweep_id=shown.id, value=shown.counts, **options)

    @property
    def sweep(self) -> Sweep:
        """The sweep, as a handle."""
        return Sweep(self._api, self.sweep_id)

    def __repr__(self) -> str:
        return f"SweepView({self.sweep_id!r})"

    def _static_html(self) -> str:
        try:
            return sweep_html(self.sweep.handle)
        except RunWidgetsError:
            return super()._static_html()
