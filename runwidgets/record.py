"""What a notebook reports about its run: metrics and progress.

Both functions display a small MIME bundle and do nothing else, so the notebook also works outside a run;
the runner reads the bundles from the kernel's output. This module imports no other module of the package,
which keeps its import cheap for notebooks.
"""

import json
import math
import uuid
from typing import Any

METRIC_TYPE = "application/vnd.runwidgets.metric+json"
PROGRESS_TYPE = "application/vnd.runwidgets.progress+json"
METRIC_SIZE = 64 * 1024
"""Bytes of one metric's JSON text; a metric is a number or a small value, not a data set."""


NON_FINITE = ("NaN", "Infinity", "-Infinity")
"""Texts of the floats that JSON cannot express."""
_displays: dict[str, tuple[int, str]] = {}
"""By series: the cell that displays it, and the display id."""


def record(name: str, value: object, step: float | None = None) -> None:
    """Record a metric of the run.

    The last value recorded under a name is the value of the metric. Values with a step form a series.

    Parameters
    ----------
    name : str
        Name of the metric, 1 to 255 characters.
    value : Any
        A number, or a JSON value of at most 64 KiB. A NumPy scalar is converted to the Python number
        that it holds. NaN and infinity are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` in JSON.
    step : float, optional
        The position of the value, which must be a number, in the series: an epoch, an iteration, a time.
        A second value for the same step replaces the first.

    Raises
    ------
    TypeError
        The value has no JSON form; or a step is given, and the value or the step is not a number.
    ValueError
        The name is empty or too long, or the value is too large.

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
    position = _plain(step)
    if not _is_number(plain) and plain not in NON_FINITE:
        raise TypeError(f"{name}: a value of a series is a number, not {value!r:.80}")
    if not _is_number(position):
        raise TypeError(f"{name}: a step is a number, not {step!r:.80}")
    text = f"{name} = {plain} (step {position})"
    _display({METRIC_TYPE: {"name": name, "value": plain, "step": position}, "text/plain": text}, series=name)


def progress(fraction: float, text: str = "") -> None:
    """Report how far the run has progressed.

    Parameters
    ----------
    fraction : float
        Between 0 and 1.
    text : str
        What the run is doing, in a few words.

    Raises
    ------
    ValueError
        The fraction is not between 0 and 1.

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


def read_value(value: Any) -> Any:
    """Return a metric as it was recorded: JSON has no NaN and no infinity, so on the wire they are strings.

    Parameters
    ----------
    value : JSON value
        As in a run handle.

    Returns
    -------
    Any
        The value, with floats for NaN and infinity, also within lists and objects.

    Examples
    --------
    >>> read_value([1, "Infinity"])
    [1, inf]
    """
    if isinstance(value, str):
        return float(value) if value in NON_FINITE else value
    if isinstance(value, list):
        return [read_value(item) for item in value]
    if isinstance(value, dict):
        return {key: read_value(item) for key, item in value.items()}
    return value


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


def _display(bundle: dict[str, object], series: str | None = None) -> None:
    """Display a bundle in the notebook, or print its text outside of IPython.

    Each cell displays only the last value of a series: one display per step would fill the notebook.
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
        cell, display_id = _displays.get(series, (None, ""))
        is_update = cell == shell.execution_count
        _displays[series] = (shell.execution_count, display_id if is_update else uuid.uuid4().hex)
        display(bundle, raw=True, display_id=_displays[series][1], update=is_update)
