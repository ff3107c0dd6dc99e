"""What a template says to the service that runs it: metrics and progress.

Both functions display a small MIME bundle and nothing else, so the notebook also runs without the
service; the engine reads the bundles as they pass. Imports nothing of ours, so a template pays
nothing for it.
"""

import json
import math
import uuid
from typing import Any

METRIC_TYPE = "application/vnd.runwidgets.metric+json"
PROGRESS_TYPE = "application/vnd.runwidgets.progress+json"
METRIC_SIZE = 64 * 1024
"""Bytes of one metric's JSON text; a metric is a number or a small value, no data set."""


_ODD = ("NaN", "Infinity", "-Infinity")
_shown: dict[str, tuple[int, str]] = {}
"""By series: the cell that shows it, and the id of what shows it there."""


def record(name: str, value: Any, step: float | None = None) -> None:
    """Record a metric of the run.

    The last value recorded under a name is the metric's value; with steps, all of them are its series.

    Parameters
    ----------
    name : str
        Name of the metric, 1 to 255 characters.
    value : Any
        A number, or a JSON value of at most 64 KiB. NumPy scalars are taken as the Python numbers
        they hold. NaN and infinity are kept as the strings ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.
    step : float, optional
        Where the value, a number, stands in a series: an epoch, an iteration, a time. A value that is
        recorded for a step again takes the place of the earlier one.

    Raises
    ------
    TypeError
        The value has no JSON form; or there is a step, and value or step is no number.
    ValueError
        The name is empty or too long, or the value too large.

    Examples
    --------
    >>> import runwidgets
    >>> runwidgets.record("accuracy", 0.97)
    accuracy = 0.97
    >>> for epoch in range(2):
    ...     runwidgets.record("loss", 1 / (epoch + 1), step=epoch)
    loss = 1.0 (step 0)
    loss = 0.5 (step 1)
    """
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise ValueError(f"record: a metric's name is a string of 1 to 255 characters, not {name!r}")
    plain = _plain(value)
    if len(json.dumps(plain)) > METRIC_SIZE:
        raise ValueError(f"{name}: a metric holds at most 64 KiB; write larger data to a file")
    if step is None:
        _display({METRIC_TYPE: {"name": name, "value": plain}, "text/plain": f"{name} = {plain}"})
        return
    place = _plain(step)
    if not _is_number(plain) and plain not in _ODD:
        raise TypeError(f"{name}: a value of a series is a number, not {value!r:.80}")
    if not _is_number(place):
        raise TypeError(f"{name}: a step is a number, not {step!r:.80}")
    text = f"{name} = {plain} (step {place})"
    _display({METRIC_TYPE: {"name": name, "value": plain, "step": place}, "text/plain": text}, series=name)


def progress(fraction: float, text: str = "") -> None:
    """Report how far the run has come.

    Parameters
    ----------
    fraction : float
        Between 0 and 1.
    text : str
        What is going on, in a few words.

    Raises
    ------
    ValueError
        The fraction lies outside 0 to 1.

    Examples
    --------
    >>> import runwidgets
    >>> runwidgets.progress(0.5, "half way")
    50 % half way
    """
    share = float(fraction)
    if not 0 <= share <= 1:
        raise ValueError(f"progress: the fraction must be between 0 and 1, got {fraction}")
    line = f"{share:.0%}".replace("%", " %") + (f" {text}" if text else "")
    _display({PROGRESS_TYPE: {"fraction": share, "text": str(text)}, "text/plain": line})


def _plain(value: Any) -> Any:
    """Return the JSON form of a value, in plain Python types."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    elif hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a metric is a number or a small JSON value, not a {type(value).__name__}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _display(bundle: dict[str, Any], series: str | None = None) -> None:
    """Display a bundle in the notebook, or print its text where there is none.

    Of a series each cell shows the last value alone: a display per step would fill the notebook.
    """
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        print(bundle["text/plain"])
        return
    shell = get_ipython()
    if shell is None:
        print(bundle["text/plain"])
    elif series is None:
        display(bundle, raw=True)
    else:
        cell, shown = _shown.get(series, (None, ""))
        is_update = cell == shell.execution_count
        _shown[series] = (shell.execution_count, shown if is_update else uuid.uuid4().hex)
        display(bundle, raw=True, display_id=_shown[series][1], update=is_update)
