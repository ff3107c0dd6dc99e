"""What a parameters cell declares, in whichever language."""

from dataclasses import dataclass, field

from runwidgets.errors import InvalidParameterError
from runwidgets.schema import Construction, Declared, JsonValue
from runwidgets.templates.parameters import Parameter

MAX_SOURCE = 200
"""Maximum number of characters of the code that is shown for a computed value."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """The declarations of a parameters cell.

    Attributes
    ----------
    parameters : list of dict
        Declarations as in `Parameter.from_json`, in order.
    constructions : dict
        By name, of the parameters that the notebook does not expect as papermill injects them.
    assigned : dict
        The literal that the cell assigns to a name, as JSON; names with computed values are absent.
    names : set of str
        All names that the cell declares or assigns, also inside its statements.
    words : set of str
        Further words of the cell, which may be assigned in a way that was not recognised.
    is_whole : bool
        Whether there are certainly no other names.
    annotations : set of str
        Names that the annotations use and that the cell does not import.
    warnings : list of str
        What was not understood, in sentences.
    """

    parameters: list[Declared] = field(default_factory=list)
    constructions: dict[str, Construction] = field(default_factory=dict)
    assigned: dict[str, JsonValue] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    is_whole: bool = True
    annotations: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)


def declare_computed(code: str) -> Declared:
    """Return the keys of a parameter whose value the notebook computes, with the code on one line."""
    line = " ".join(code.split())
    shown = line if len(line) <= MAX_SOURCE else line[: MAX_SOURCE - 1] + "…"
    return {"isRequired": False, "computed": True, "source": shown}


def is_valid(declared: Declared) -> bool:
    """Return whether a declaration is valid, with its default."""
    try:
        Parameter.from_json(declared)
    except InvalidParameterError:
        return False
    return True
