"""The config of a run and of a sweep: which keys there are, and what the value of each may be."""

import math
from collections.abc import Collection
from typing import cast

from runwidgets.errors import InvalidArgumentError, InvalidTemplateError
from runwidgets.execution.runner.environment import find_problem
from runwidgets.schema import RunConfig, SweepConfig, SweepOnError
from runwidgets.service.local.validation import check_search
from runwidgets.templates.texts import text_problem

MAX_RETRIES = 10
MAX_TAGS = 100
CONFIG_KEYS = (
    "timeout",
    "cell_timeout",
    "cwd",
    "isolation",
    "transport",
    "skip_tags",
    "only_tags",
    "allow_errors",
    "kernel_name",
    "retries",
    "resources",
    "results_of",
    "environment",
    "key",
)
"""Keys of the config of a run."""
KEYS_OF_ONE_RUN = {"key", "results_of"}
"""Config keys that a template cannot have as defaults."""
SWEEP_KEYS = ("on_error", "reuse", "parallel", "priority", "search", "key")
"""Config keys of a sweep that do not belong to its runs."""
MAX_PRIORITY = 100
"""Greatest absolute value of a priority."""


def check_config(config: object, subject: str, other_keys: Collection[str] = ()) -> RunConfig:
    """Validate the config of a run.

    Parameters
    ----------
    config : dict or None
        See `RunConfig`.
    subject : str
        Name of the config in error messages.
    other_keys : collection of str, optional
        Other keys that an error message lists.

    Returns
    -------
    dict
        The keys that are given, with their values.

    Raises
    ------
    InvalidArgumentError
        A key is unknown, or its value is invalid.
    """
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise InvalidArgumentError(subject, "it must be an object", 'such as {"timeout": 60}')
    choices = {"cwd": ("run", "notebook"), "isolation": ("auto", "spawn"), "transport": ("auto", "zmq")}
    for name, value in config.items():
        setting = f"{subject}.{name:.64}"
        if name in {"timeout", "cell_timeout"}:
            if not _is_positive(value):
                raise InvalidArgumentError(setting, "it must be a number of seconds above 0")
        elif name in choices:
            if value not in choices[name]:
                raise InvalidArgumentError(setting, f"it must be {' or '.join(map(repr, choices[name]))}")
        elif name == "retries":
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RETRIES:
                raise InvalidArgumentError(setting, f"it must be a whole number from 0 to {MAX_RETRIES}")
        elif name in {"skip_tags", "only_tags"}:
            _check_tags(setting, value)
        elif name == "allow_errors":
            if not isinstance(value, bool):
                raise InvalidArgumentError(setting, "it must be true or false")
        elif name == "resources":
            _check_resources(setting, value)
        elif name == "environment":
            check_environment(setting, value)
        elif name in {"key", "kernel_name", "results_of"}:
            if not isinstance(value, str) or not 0 < len(value) <= 255:
                raise InvalidArgumentError(setting, "it must be a string of 1 to 255 characters")
            if problem := text_problem(value):
                raise InvalidArgumentError(setting, problem)
        else:
            known = ", ".join([*other_keys, *CONFIG_KEYS])
            raise InvalidArgumentError(setting, "there is no such config key", f"there are {known}")
    return cast(RunConfig, dict(config))


def split_config(config: object) -> tuple[SweepConfig, RunConfig]:
    """Split a config into the settings of the sweep and those of its runs, and validate them.

    Parameters
    ----------
    config : dict or None
        See `SweepService.start_sweep`.

    Raises
    ------
    InvalidArgumentError
        A key is unknown, or its value is invalid.
    """
    if not isinstance(config, dict):
        return {}, check_config(config, "config")
    sweep_config = {name: value for name, value in config.items() if name in SWEEP_KEYS}
    run_settings = {name: value for name, value in config.items() if name not in SWEEP_KEYS}
    run_config = check_config(run_settings, "config", SWEEP_KEYS[:-1])
    if "key" in sweep_config:
        check_config({"key": sweep_config["key"]}, "config")
    if sweep_config.get("on_error", SweepOnError.CONTINUE) not in [each.value for each in SweepOnError]:
        raise InvalidArgumentError("config.on_error", "it must be 'continue' or 'stop'")
    if "search" in sweep_config:
        check_search(sweep_config["search"])
    if not isinstance(sweep_config.get("reuse", False), bool):
        raise InvalidArgumentError("config.reuse", "it must be true or false")
    for name, minimum, maximum in (("parallel", 1, 10_000), ("priority", -MAX_PRIORITY, MAX_PRIORITY)):
        value = sweep_config.get(name, minimum)
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise InvalidArgumentError(
                f"config.{name}", f"it must be a whole number from {minimum} to {maximum:,}"
            )
    return cast(SweepConfig, sweep_config), run_config


def check_defaults(config: RunConfig, where: str) -> RunConfig:
    """Validate the default config that a template declares, and return it.

    Parameters
    ----------
    config : dict
        As in `check_config`, without the keys that only one run can have.
    where : str
        Name of the notebook, for error messages.

    Raises
    ------
    InvalidTemplateError
        A key is unknown or of one run only, or its value is invalid.
    """
    for name in sorted(config.keys() & KEYS_OF_ONE_RUN):
        problem = "it belongs to one run, and cannot be a default"
        raise InvalidTemplateError(f"{where}, config.{name}", problem, "give it when the run is started")
    try:
        return check_config(config, "config")
    except InvalidArgumentError as error:
        raise InvalidTemplateError(f"{where}, {error.subject}", error.problem, error.remedy) from error


def _check_resources(setting: str, resources: object) -> None:
    if not isinstance(resources, dict) or not all(map(_is_positive, resources.values())):
        raise InvalidArgumentError(
            setting, "it must be an object with a number above 0 by name", 'such as {"GPU": 1}'
        )


def _check_tags(setting: str, tags: object) -> None:
    given = tags if isinstance(tags, list) and len(tags) <= MAX_TAGS else []
    if not given or not all(isinstance(tag, str) and 0 < len(tag) <= 255 for tag in given):
        raise InvalidArgumentError(
            setting, f"it must be a list of 1 to {MAX_TAGS} tags of cells", 'such as ["slow"]'
        )


def check_environment(setting: str, environment: object) -> dict[str, str]:
    """Validate variables that are set for a run, and return them.

    Parameters
    ----------
    setting : str
        Name of the setting in error messages.
    environment : object
        The variables; see `find_problem`.

    Raises
    ------
    InvalidArgumentError
        They are not a dict of str to str, or one of them cannot be set.
    """
    if problem := find_problem(environment):
        raise InvalidArgumentError(setting, problem, 'such as {"OMP_NUM_THREADS": "1"}')
    return cast("dict[str, str]", environment)


def _is_positive(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and value > 0
