"""JSON values of users."""

from typing import TypeAlias

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
"""The value of an argument, of a default, or of a metric; the package does not interpret it."""
