"""The code that gives a notebook its values: papermill's assignments, and the objects that it expects."""

from collections.abc import Mapping
from typing import Any

from runwidgets.errors import InvalidArgumentError
from runwidgets.schema import Construction, JsonValue, RunnerTemplate
from runwidgets.templates.scalars import untag_floats
from runwidgets.templates.translators import FormedList, find_translator

COMMENT = "Parameters"
"""The comment with which papermill begins an injected cell."""
LITERAL = "literal"
"""Kind of a construction that is part of the injected literal itself."""
CONSTRUCTORS = {
    "file": ("import pathlib", "pathlib.Path({})"),
    "date": ("import datetime as _datetime", "_datetime.date.fromisoformat({})"),
    "datetime": ("import datetime as _datetime", "_datetime.datetime.fromisoformat({})"),
}
"""Import and expression of an object that is made from text."""


def split_values(template: RunnerTemplate, values: Mapping[str, JsonValue]) -> list[dict[str, JsonValue]]:
    """Return the values that are injected together: those after the first parameters cell come first.

    Parameters
    ----------
    template : dict
        ``injections``.
    values : mapping
        JSON values by name.

    Returns
    -------
    list of dict
        One more than there are entries in ``injections``, whose order the others have; some may be empty.
    """
    later = [set(names) for names in template["injections"].values()]
    elsewhere = set().union(*later)
    groups = [{name: value for name, value in values.items() if name not in elsewhere}]
    return groups + [{name: value for name, value in values.items() if name in names} for names in later]


def injected_code(template: RunnerTemplate, values: Mapping[str, JsonValue], comment: str = COMMENT) -> str:
    """Return the code that assigns values, as papermill writes it, followed by the construction of objects.

    Parameters
    ----------
    template : dict
        Kernel, language and constructions.
    values : mapping
        JSON values by name; NaN and infinity inside are tagged.
    comment : str
        The first line.

    Returns
    -------
    str
        Code of the notebook's language.
    """
    translator = find_translator(template["kernelName"], template["language"])
    assert translator is not None  # else there would be no parameters
    code: str = translator.codify(plain_values(template, values), comment)
    return append_constructions(code, template["constructions"], values)


def plain_values(template: RunnerTemplate, values: Mapping[str, JsonValue]) -> dict[str, Any]:
    """Return values as papermill's translators take them.

    Parameters
    ----------
    template : dict
        Its constructions.
    values : mapping
        JSON values by name; NaN and infinity inside are tagged.

    Returns
    -------
    dict
        The same values, with floats, and lists in the form that the notebook has for them.
    """
    plain: dict[str, Any] = untag_floats(dict(values))
    for name, construction in template["constructions"].items():
        if construction["kind"] == LITERAL and isinstance(plain.get(name), list):
            plain[name] = FormedList(plain[name], construction["form"])
    return plain


def append_constructions(
    code: str, constructions: Mapping[str, Construction], values: Mapping[str, JsonValue]
) -> str:
    """Return injected code, followed by the construction of the objects that the notebook expects."""
    lines = [
        line
        for name, construction in constructions.items()
        if values.get(name) is not None and construction["kind"] != LITERAL
        for line in construct(name, construction)
    ]
    return "\n".join([code.rstrip("\n"), *dict.fromkeys(lines), ""]) if lines else code


def construct(name: str, construction: Construction) -> list[str]:
    """Return the code that makes an object out of the value that a name has: imports, and an assignment."""
    imports: dict[str, None] = {}
    expression = _expression(name, construction, imports, 0)
    return [*imports, f"{name} = {expression}"]


def check_translatable(template: RunnerTemplate, values: Mapping[str, JsonValue]) -> None:
    """Raise an error if the language of a notebook has no form for a value.

    Raises
    ------
    InvalidArgumentError
        It has none, such as bash for a record.
    """
    translator: Any = find_translator(template["kernelName"], template["language"])
    for name, value in values.items():
        try:
            translator.translate(untag_floats(value))
        except NotImplementedError as error:
            kind = "a record or a list of lists" if isinstance(value, (dict, list)) else "this value"
            raise InvalidArgumentError(
                name, f"{kind} cannot be given to a notebook in {template['language']}"
            ) from error


def _expression(code: str, construction: Construction, imports: dict[str, None], level: int) -> str:
    kind = construction["kind"]
    if kind in CONSTRUCTORS:
        needed, expression = CONSTRUCTORS[kind]
        imports[needed] = None
        return expression.format(code)
    if "items" in construction:
        parts = [
            _guarded(f"{code}[{at}]", item, imports, level) for at, item in enumerate(construction["items"])
        ]
        return f"({', '.join(parts)},)"
    if "item" not in construction:
        return f"{kind}({code})"
    item = f"item{level or ''}"
    inner = _guarded(item, construction["item"], imports, level + 1)
    return f"[{inner} for {item} in {code}]" if kind == "list" else f"{kind}({inner} for {item} in {code})"


def _guarded(code: str, construction: Construction | None, imports: dict[str, None], level: int) -> str:
    """Return the expression of an item, which may be None."""
    if construction is None:
        return code
    return f"None if {code} is None else {_expression(code, construction, imports, level)}"
