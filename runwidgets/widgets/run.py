"""The live view of a run."""

from typing import Any

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.run import Run, static_bundle
from runwidgets.errors import RunWidgetsError
from runwidgets.schema import RunEvent
from runwidgets.service.contracts.api import Api
from runwidgets.widgets.live import get_follower
from runwidgets.widgets.view import View


class RunView(View):
    """A live view of a run: its progress, output, metrics and results, and a button to cancel it.

    Parameters
    ----------
    run : Run or str
        The run, or its id.
    api : Api, optional
        The services, if the run is given by its id; None for the result of `connect`.

    Attributes
    ----------
    run_id : str
        The run that is shown; set it to show another run.
    value : str
        State of the run; ``"DELETED"`` after its removal.
    progress : dict
        ``cell`` of ``cells``, ``fraction`` (0 to 1), ``text``.

    Raises
    ------
    UnknownRunError
        There is no such run.
    """

    _bundle = "run"
    run_id = traitlets.Unicode(help="Id of the run that is shown.").tag(sync=True)
    state = traitlets.Unicode(help="State of the run.").tag(sync=True)
    value = traitlets.Unicode(help="State of the run.")
    progress = traitlets.Dict(help="Progress of the run.")
    _listened_run = ""

    def __init__(self, run: Run | str, *, api: Api | None = None, **options: object) -> None:
        shown = run if isinstance(run, Run) else Run(api or connect(), run)
        self._run = shown
        state = shown.state.value
        super().__init__(
            shown.api,
            run_id=shown.id,
            state=state,
            value=state,
            progress=dict(shown.handle.get("progress", {})),
            **options,
        )
        self._listened_run = shown.id
        get_follower(self._api.events).listen(shown.id, self._on_events)
        self.observe(self._subscribe, names="run_id")
        self.observe(self._copy_state, names="state")

    @property
    def run(self) -> Run:
        """The run that is shown."""
        if self._run.id != self.run_id:
            self._run = Run(self._api, self.run_id)
        return self._run

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run has ended; see `Run.wait`."""
        return self.run.wait(timeout)

    def close(self) -> None:
        """Remove the view; the run continues."""
        if self._listened_run:
            get_follower(self._api.events).ignore(self._listened_run, self._on_events)
            self._listened_run = ""
        super().close()

    def __repr__(self) -> str:
        return f"RunView({self.run_id!r}, {self.state})"

    def _static_html(self) -> str:
        try:
            return static_bundle(self.run)["text/html"]
        except RunWidgetsError:
            return super()._static_html()

    def _on_events(self, events: list[RunEvent]) -> None:
        for event in events:
            with self._show_errors():
                if event["kind"] == "progress":
                    self.progress = dict(event["data"])
                elif event["kind"] == "state":
                    self.state = event["data"]["state"]
                elif event["kind"] == "deleted":
                    self.state = "DELETED"

    def _copy_state(self, _: Any) -> None:
        self.value = self.state

    def _subscribe(self, _: Any) -> None:
        live = get_follower(self._api.events)
        live.ignore(self._listened_run, self._on_events)
        self._listened_run = self.run_id
        live.listen(self.run_id, self._on_events)
        self.state, self.progress = self.run.state.value, dict(self.run.handle.get("progress", {}))
