"""The live view of a run."""

from typing import Any

import traitlets

from runwidgets.client.connect import connect
from runwidgets.client.run import Run, static_bundle
from runwidgets.errors import RunWidgetsError
from runwidgets.service.contracts.runs import Api
from runwidgets.widgets.live import follower
from runwidgets.widgets.view import View


class RunView(View):
    """A run, live: where it is, what it prints and measures, what it left, and how to stop it.

    Parameters
    ----------
    run : Run or str
        The run, or its id.
    api : Api, optional
        Where a run given by its id is; None for what `connect` finds.

    Attributes
    ----------
    run_id : str
        The run that is shown; set it to show another.
    value : str
        Its state; ``"DELETED"`` when it is gone.
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
    progress = traitlets.Dict(help="How far the run is.")
    _listening = ""

    def __init__(self, run: Run | str, *, api: Api | None = None, **options: Any) -> None:
        shown = run if isinstance(run, Run) else Run(api or connect(), run)
        self._run = shown
        state = shown.state.value
        super().__init__(
            shown.api,
            run_id=shown.id,
            state=state,
            value=state,
            progress=shown.progress,
            **options,
        )
        self._listening = shown.id
        follower(self._api.events).listen(shown.id, self._hear)
        self.observe(self._follow, names="run_id")
        self.observe(self._copy, names="state")

    @property
    def run(self) -> Run:
        """The run, as a handle."""
        if self._run.id != self.run_id:
            self._run = Run(self._api, self.run_id)
        return self._run

    def wait(self, timeout: float | None = None) -> Run:
        """Wait until the run has ended; see `Run.wait`."""
        return self.run.wait(timeout)

    def close(self) -> None:
        """Take the view away; the run goes on."""
        if self._listening:
            follower(self._api.events).ignore(self._listening, self._hear)
            self._listening = ""
        super().close()

    def __repr__(self) -> str:
        return f"RunView({self.run_id!r}, {self.state})"

    def _static_html(self) -> str:
        try:
            return static_bundle(self.run)["text/html"]
        except RunWidgetsError:
            return super()._static_html()

    def _hear(self, events: list[dict[str, Any]]) -> None:
        news = {event["kind"]: event["data"] for event in events}
        with self._guarding():
            if "progress" in news:
                self.progress = news["progress"]
        with self._guarding():
            if "state" in news:
                self.state = news["state"]["state"]
            if "deleted" in news:
                self.state = "DELETED"

    def _copy(self, _: Any) -> None:
        self.value = self.state

    def _follow(self, _: Any) -> None:
        live = follower(self._api.events)
        live.ignore(self._listening, self._hear)
        self._listening = self.run_id
        live.listen(self.run_id, self._hear)
        self.state, self.progress = self.run.state.value, self.run.progress
