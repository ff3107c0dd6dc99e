"""The settings of the server extension, from the traits of `RunWidgetsApp`."""

from typing import Any

from traitlets import Undefined

from runwidgets.server.settings import Settings


def list_settings() -> str:
    """Return a section for each setting: its kind, its default and its help."""
    traits = Settings.class_own_traits(config=True)
    return "\n".join(_section(name, traits[name]) for name in sorted(traits))


def _section(name: str, trait: Any) -> str:
    default = None if trait.default_value is Undefined else trait.default_value
    number = f"{default:,}" if isinstance(default, (int, float)) else None
    shown = f"`{default!r}`" if default and not number else number or "empty"
    kind = type(trait).__name__.replace("Unicode", "text").replace("Enum", "one of several").lower()
    return f"## {name}\n\n{kind.capitalize()}; default: {shown}.\n\n{trait.help.strip()}\n"
