"""What a template says to the service that runs it: metrics and progress.

Both functions display a small MIME bundle and nothing else, so the notebook also runs without the
service; the engine reads the bundles as they pass. Imports nothing of ours, so a template pays
nothing for it.
"""

import json
import math
from typing import Any

METRIC_TYPE = "application/vnd.runwidgets.metric+json"
PROGRESS_TYPE = "application/vnd.runwidgets.progress+json"
METRIC_SIZE = 64 * 1024
"""Bytes of one metric's JSON text; a metric is a number or a small value, no data set."""


def record(name: str, value: Any) -> None:
    """Record a metric of the run.

    The last value recorded under a name is the one that the run keeps.

    Parameters
    ----------
    name : str
        Name of the metric, 1 to 255 characters.
    value : Any
        A number, or a JSON value of at most 64 KiB. NumPy scalars are taken as the Python numbers
        they hold. NaN and infinity are kept as the strings ``"NaN"``, ``"Infinity"``, ``"-Infinity"``.

    Raises
    ------
    TypeError
        The value has no JSON form.
    ValueError
        The name is empty or too long, or the value too large.

    Examples
    --------
    >>> import runwidgets
    >>> runwidgets.record("accuracy", 0.97)
    accuracy = 0.97
    """
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise ValueError(f"record: a metric's name is a string of 1 to 255 characters, not {name!r}")
    plain = _plain(value)
    if len(json.dumps(plain)) > METRIC_SIZE:
        raise ValueError(f"{name}: a metric holds at most 64 KiB; write larger data to a file")
    _display({METRIC_TYPE: {"name": name, "value": plain}, "text/plain": f"{name} = {plain}"})


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


def _display(bundle: dict[str, Any]) -> None:
    """Display a bundle in the notebook, or print its text where there is none."""
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display
    except ModuleNotFoundError:
        print(bundle["text/plain"])
        return
    if get_ipython() is None:
        print(bundle["text/plain"])
    else:
        display(bundle, raw=True)
