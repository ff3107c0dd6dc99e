"""Values that belong to users: whatever JSON can say."""

from typing import TypeAlias

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
"""The value of an argument, of a default, of a metric: nothing here looks into it."""
