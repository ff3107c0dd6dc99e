"""The result files of a run, with a preview by type."""

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.run import Run, static_bundle
from runwidgets.errors import RunWidgetsError
from runwidgets.service.contracts.api import Api
from runwidgets.widgets.view import View


class Results(View):
    """The result files of a run: pictures, tables, text and the executed notebook, with downloads.

    Parameters
    ----------
    run : Run or str
        The run, or its id; while the run is active, the view waits for its files.
    api : Api, optional
        The services, if the run is given by its id; None for the result of `connect`.

    Attributes
    ----------
    run_id : str
        The run whose files are shown; set it to show those of another run.

    Raises
    ------
    UnknownRunError
        There is no such run.
    """

    _bundle = "results"
    run_id = traitlets.Unicode(help="Id of the run whose files are shown.").tag(sync=True)

    def __init__(self, run: Run | str, *, api: Api | None = None, **options: object) -> None:
        shown = run if isinstance(run, Run) else Run(api or connect(), run)
        super().__init__(shown.api, run_id=shown.id, **options)

    @property
    def value(self) -> list[str]:
        """The names of the files."""
        return list(Run(self._api, self.run_id).files)

    def __repr__(self) -> str:
        return f"Results({self.run_id!r})"

    def _static_html(self) -> str:
        try:
            return static_bundle(Run(self._api, self.run_id))["text/html"]
        except RunWidgetsError:
            return super()._static_html()
