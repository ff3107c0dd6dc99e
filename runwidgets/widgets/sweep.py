"""The live view of a sweep."""

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.sweep import Sweep
from runwidgets.errors import RunWidgetsError
from runwidgets.report import sweep_html
from runwidgets.service.contracts.api import Api
from runwidgets.widgets.view import View


class SweepView(View):
    """A live view of a sweep: progress, results over the parameters, best run, failures, and all runs.

    Parameters
    ----------
    sweep : Sweep or str
        The sweep, or its id.
    api : Api, optional
        The services, if the sweep is given by its id; None for the result of `connect`.

    Attributes
    ----------
    sweep_id : str
        The sweep that is shown; set it to show another sweep.
    metric : str
        The metric that is drawn and that ranks the runs; empty for the first objective of the search that
        the sweep belongs to, or else the first metric.
    direction : {"", "minimize", "maximize"}
        Whether the least or the greatest value of the metric is the best; empty for the direction in the
        search, or else "minimize".
    selected : list of str
        Ids of the runs that are selected in the table.
    value : dict
        Number of runs by state, as last received by the view.

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
    metric = traitlets.Unicode(help="The metric that is drawn.").tag(sync=True)
    direction = traitlets.Enum(
        ["", "minimize", "maximize"],
        "",
        help="Whether the least or the greatest value is the best; empty as the search has it.",
    ).tag(sync=True)
    selected = traitlets.List(traitlets.Unicode(), help="Ids of the selected runs.").tag(sync=True)
    value = traitlets.Dict(help="Number of runs by state.").tag(sync=True)
    shows = traitlets.Unicode(
        help="What the grid shows: state or metric; empty to choose automatically."
    ).tag(sync=True)
    down = traitlets.Unicode(help="The parameter down the grid; empty to choose automatically.").tag(
        sync=True
    )
    across = traitlets.Unicode(help="The parameter across the grid; empty to choose automatically.").tag(
        sync=True
    )
    is_log = traitlets.Bool(True, help="Whether scales may be logarithmic.").tag(sync=True)

    def __init__(self, sweep: Sweep | str, *, api: Api | None = None, **options: object) -> None:
        shown = sweep if isinstance(sweep, Sweep) else Sweep(api or connect(), sweep)
        super().__init__(shown.api, sweep_id=shown.id, value=shown.counts, **options)

    @property
    def sweep(self) -> Sweep:
        """The sweep that is shown."""
        return Sweep(self._api, self.sweep_id)

    def __repr__(self) -> str:
        return f"SweepView({self.sweep_id!r})"

    def _static_html(self) -> str:
        try:
            return sweep_html(self.sweep.handle)
        except RunWidgetsError:
            return super()._static_html()
