"""The changes of state, in Jupyter's own event system."""

import logging
from importlib.resources import files

from jupyter_events import EventLogger

from runwidgets.schema import RunEvent, StateNotice

SCHEMA = "https://events.jupyter.org/runwidgets/run_state/v1"


def register_schema(event_logger: EventLogger) -> None:
    """Register the schema ``run_state`` with the event logger of a server."""
    schema = files("runwidgets.server.events") / "schemas" / "run_state" / "v1.yaml"
    event_logger.register_event_schema(schema.read_text("utf-8"))


def emit_state(event_logger: EventLogger, event: RunEvent) -> None:
    """Emit an event if it is a change of state; the log says if that fails."""
    notice = state_notice(event)
    if notice is not None:
        try:
            event_logger.emit(schema_id=SCHEMA, data=dict(notice))
        except Exception:
            logging.getLogger(__name__).warning("An event could not be emitted.", exc_info=True)


def state_notice(event: RunEvent) -> StateNotice | None:
    """Return an event in the schema of Jupyter's event system, or None if it is not a change of state.

    Parameters
    ----------
    event : dict
        An event of `EventService`.

    Returns
    -------
    dict or None
        ``{runId, groupId, seq, state, reason?, at}``, as in ``schemas/run_state/v1.yaml``.
    """
    if event["kind"] != "state":
        return None
    notice: StateNotice = {
        "runId": event["runId"],
        "groupId": event["groupId"],
        "seq": event["seq"],
        "state": event["data"]["state"],
        "at": event["at"],
    }
    if "reason" in event["data"]:
        notice["reason"] = event["data"]["reason"]
    return notice
