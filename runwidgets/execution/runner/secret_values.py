"""The values of secret parameters in a runner: read, turned into code, and masked in all output."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runwidgets.schema import JsonValue, RunnerTemplate
from runwidgets.templates.injection import injected_code
from runwidgets.templates.scalars import untag_floats

MASK = "***"


def read_secrets(path: Path) -> dict[str, JsonValue]:
    """Read the secret arguments, by name."""
    secrets: dict[str, JsonValue] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return secrets


def to_code(secrets: Mapping[str, JsonValue], template: RunnerTemplate) -> list[tuple[str, str]]:
    """Return each secret value, and the code that assigns it."""
    return [
        (str(untag_floats(value)), injected_code(template, {name: value}, ""))
        for name, value in secrets.items()
    ]


def mask(value: Any, secrets: Sequence[str], names: int = 2) -> Any:
    """Return a string, or a structure of strings, without secrets.

    Parameters
    ----------
    value : Any
        JSON: a string, or the content of a message.
    secrets : sequence of str
        The values to mask; an empty one is ignored.
    names : int
        Levels whose keys are not masked: those of a message, and of its MIME bundle.

    Returns
    -------
    Any
        A copy; on deeper levels, numbers equal to a secret are masked too.
    """
    if isinstance(value, str):
        for secret in filter(None, secrets):
            value = value.replace(secret, MASK)
    elif isinstance(value, dict):
        keys = value if names > 0 else [mask(key, secrets) for key in value]
        return {key: mask(item, secrets, names - 1) for key, item in zip(keys, value.values(), strict=True)}
    elif isinstance(value, list):
        return [mask(item, secrets, names - 1) for item in value]
    elif names <= 0 and str(value) in secrets:
        return MASK
    return value
