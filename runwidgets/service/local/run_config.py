"""The config of a run and of a sweep: its keys, their values, and where defaults come from."""

import math
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import cast

from runwidgets.errors import InvalidArgumentError, InvalidTemplateError
from runwidgets.execution.runner.environment import find_problem
from runwidgets.schema import RunConfig, SweepConfig, SweepOnError
from runwidgets.service.local.validation import check_flag, check_search
from runwidgets.templates.texts import text_problem

MAX_RETRIES = 10
MAX_TAGS = 100
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
    for name, value in config.items():
        setting = f"{subject}.{name:.64}"
        if name not in CHECKS:
            known = ", ".join([*other_keys, *CHECKS])
            raise InvalidArgumentError(setting, "there is no such config key", f"there are {known}")
        CHECKS[name](setting, value)
    return cast(RunConfig, dict(config))


def merge_configs(
    template: RunConfig, group: RunConfig, given: RunConfig, environment: Mapping[str, str]
) -> RunConfig:
    """Return the config of a run: what is given for it, else that of its group, else its template's defaults.

    Parameters
    ----------
    template, group, given : dict
        Validated configs; each takes precedence over those before it, key by key.
    environment : mapping of str to str
        The variables of all runs of the instance, to which those of the config are added.
    """
    merged = template | group | given
    if variables := {**environment, **merged.get("environment", {})}:
        merged["environment"] = variables
    return merged


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
        _check_short_text("config.key", sweep_config["key"])
    if sweep_config.get("on_error", SweepOnError.CONTINUE) not in [each.value for each in SweepOnError]:
        raise InvalidArgumentError("config.on_error", "it must be 'continue' or 'stop'")
    if "search" in sweep_config:
        check_search(sweep_config["search"])
    check_flag("config.reuse", sweep_config.get("reuse", False))
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


def _check_seconds(setting: str, value: object) -> None:
    if value is not None and not _is_positive(value):
        raise InvalidArgumentError(setting, "it must be a number of seconds above 0, or None for no limit")


def _check_choice(setting: str, value: object, *, choices: tuple[str, str]) -> None:
    if value not in choices:
        raise InvalidArgumentError(setting, f"it must be {' or '.join(map(repr, choices))}")


def _check_retries(setting: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_RETRIES:
        raise InvalidArgumentError(setting, f"it must be a whole number from 0 to {MAX_RETRIES}")


def _check_short_text(setting: str, value: object) -> None:
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise InvalidArgumentError(setting, "it must be a string of 1 to 255 characters")
    if problem := text_problem(value):
        raise InvalidArgumentError(setting, problem)


def _check_kernel_name(setting: str, value: object) -> None:
    if value is not None:
        _check_short_text(setting, value)


def _check_resources(setting: str, resources: object) -> None:
    if not isinstance(resources, dict) or not all(map(_is_positive, resources.values())):
        raise InvalidArgumentError(
            setting, "it must be an object with a number above 0 by name", 'such as {"GPU": 1}'
        )


def _check_tags(setting: str, tags: object) -> None:
    is_list = isinstance(tags, list) and len(tags) <= MAX_TAGS
    if not is_list or not all(isinstance(tag, str) and 0 < len(tag) <= 255 for tag in tags):  # type: ignore[attr-defined]
        raise InvalidArgumentError(
            setting, f"it must be a list of at most {MAX_TAGS} tags of cells", 'such as ["slow"]'
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


CHECKS: dict[str, Callable[[str, object], object]] = {
    "timeout": _check_seconds,
    "cell_timeout": _check_seconds,
    "cwd": partial(_check_choice, choices=("run", "notebook")),
    "isolation": partial(_check_choice, choices=("auto", "spawn")),
    "transport": partial(_check_choice, choices=("auto", "zmq")),
    "skip_tags": _check_tags,
    "only_tags": _check_tags,
    "allow_errors": check_flag,
    "kernel_name": _check_kernel_name,
    "retries": _check_retries,
    "resources": _check_resources,
    "results_of": _check_short_text,
    "environment": check_environment,
    "key": _check_short_text,
}
"""The keys of the config of a run, and what checks their values."""
