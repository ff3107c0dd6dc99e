"""The signature of a parameters cell in another language than Python, read line by line.

Assignments of literals have a type and a default. Any other assignment makes an optional parameter of any
type that shows its code, as in Python.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from runwidgets.schema import Declared, JsonValue
from runwidgets.templates.cells.languages import Syntax
from runwidgets.templates.cells.literals import ITEM_DTYPES
from runwidgets.templates.cells.signature import Signature, declare_computed
from runwidgets.templates.scalars import tag_float
from runwidgets.templates.texts import MAX_DIGITS

NUMBER = re.compile(
    r"[+-]?(?:\d+(?P<fraction>\.\d*)?|(?P<short>\.\d+))(?P<exponent>[eE][+-]?\d+)?(?P<suffix>[LlfFdDmM]?)"
)
BARE_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<fraction>\.\d+)?(?P<short>)(?P<exponent>)(?P<suffix>)")
"""Where words need no quotes, ``007`` and ``5m`` are texts."""
PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class _Literal:
    """A value and its type; None has no type."""

    json: JsonValue
    declared: Declared


def read_lines(source: str, syntax: Syntax) -> Signature:
    """Read a parameters cell.

    Parameters
    ----------
    source : str
        The code of the cell.
    syntax : Syntax
        Its language.

    Returns
    -------
    Signature
        The declarations; the last of several assignments to a name counts.
    """
    found: dict[str, Declared] = {}
    made = Signature()
    for statement, comment in _statements(source, syntax):
        assignment = syntax.assignment.fullmatch(statement)
        if assignment is None:
            continue
        name, code = assignment["name"], assignment["value"].strip()
        literal = _read(code, syntax)
        made.assigned.pop(name, None)
        made.constructions.pop(name, None)
        if (form := syntax.find_form(code)) is not None:
            made.constructions[name] = {"kind": "literal", "form": form}
        if literal is None:
            told: Declared = {"dtype": "any", **declare_computed(code)}
        else:
            made.assigned[name] = literal.json
            told = {"dtype": "any", **literal.declared, "isRequired": False, "defaultValue": literal.json}
        found[name] = {"name": name, **told, **({"help": comment} if comment else {})}
    parameters = [{**declared, "index": at} for at, declared in enumerate(found.values())]
    return replace(made, parameters=parameters, names=set(found), words=set(re.findall(r"[\w.]+", source)))


def _statements(source: str, syntax: Syntax) -> Iterator[tuple[str, str]]:
    """Yield the statements of a cell, each with the comment at its end."""
    text, closing, at = "", "", 0
    while at < len(source):
        sign = source[at]
        end = _skip(source, at, syntax, text)
        if end > at:  # a text or a comment
            piece = source[at:end]
            if piece[0] in syntax.quotes and not (syntax.block and piece.startswith(syntax.block)):
                text += piece
            elif piece.startswith(syntax.comment) and not closing and text.strip():
                yield text.strip(), piece[len(syntax.comment) :].strip()
                text = ""
            at = end
            continue
        if sign in PAIRS:
            closing = PAIRS[sign] + closing
        elif closing and sign == closing[0]:
            closing = closing[1:]
        is_continued = bool(syntax.continuation) and text.rstrip().endswith(syntax.continuation)
        if sign == "\n" and is_continued:
            text = text.rstrip().removesuffix(syntax.continuation)
        elif sign in "\n;" and not closing:
            rest = source[at + 1 :].split("\n", 1)[0].strip()
            is_commented = sign == ";" and rest.startswith(syntax.comment)
            yield text.strip(), rest[len(syntax.comment) :].strip() if is_commented else ""
            text = ""
        else:
            text += sign
        at += 1
    yield text.strip(), ""


def _skip(source: str, at: int, syntax: Syntax, before: str) -> int:
    """Return the end of the text or comment that begins at a position, or the position itself."""
    if syntax.block and source.startswith(syntax.block[0], at):
        end = source.find(syntax.block[1], at + len(syntax.block[0]))
        return len(source) if end < 0 else end + len(syntax.block[1])
    is_word = bool(before) and not before[-1].isspace() and before[-1] not in "([{,;"
    if source.startswith(syntax.comment, at) and not (syntax.has_bare_words and is_word):
        end = source.find("\n", at)
        return len(source) if end < 0 else end
    quote = source[at]
    if quote not in syntax.quotes or (quote == "'" and bool(before) and re.match(r"[\w)\]}'.]", before[-1])):
        return at
    has_escapes = quote in syntax.escapes or (quote == '"' and "\\" in syntax.computing)
    end = at + 1
    while end < len(source) and source[end] != quote:
        end += 2 if source[end] == "\\" and has_escapes else 1
    return min(len(source), end + 1)


def _read(code: str, syntax: Syntax) -> _Literal | None:
    """Return the value of a literal, or None if it is computed."""
    if code in syntax.words:
        return _constant(syntax.words[code])
    if code[:1] and code[0] in syntax.quotes:
        return _read_text(code, syntax)
    pattern = BARE_NUMBER if syntax.has_bare_words else NUMBER
    if (number := pattern.fullmatch(code)) is not None:
        return _read_number(number, syntax)
    if (items := syntax.lists.fullmatch(code)) is not None:
        return _read_list(items["items"], syntax)
    if syntax.has_bare_words and re.fullmatch(r"[^\s$`\\'\"*?\[\](){}<>|&;~!]*", code):
        return _Literal(code, {"dtype": "string"})
    return None


def _constant(value: object) -> _Literal:
    if isinstance(value, float) and not math.isfinite(value):
        return _Literal(tag_float(value), {"dtype": "float"})
    return _Literal(None, {}) if value is None else _Literal(bool(value), {"dtype": "bool"})


def _read_number(found: re.Match[str], syntax: Syntax) -> _Literal | None:
    suffix = found["suffix"].upper()
    text = found[0].removesuffix(found["suffix"])
    is_float = bool(found["fraction"] or found["short"] or found["exponent"] or suffix in {"F", "D", "M"})
    if len(text) > MAX_DIGITS:
        return None
    if is_float:
        value = float(text)
        return _Literal(value, {"dtype": "float"}) if math.isfinite(value) else None
    return _Literal(int(text), {"dtype": "float" if syntax.whole_is_float and suffix != "L" else "int"})


def _read_text(code: str, syntax: Syntax) -> _Literal | None:
    """Return a text between quotes, if it is one text and nothing is computed in it."""
    quote, inner = code[0], code[1:-1]
    escapes = syntax.escapes.get(quote)
    if len(code) < 2 or code[-1] != quote:
        return None
    if escapes is None:
        inner = inner.replace(quote * 2, "") if not syntax.has_bare_words else inner
        if quote in inner or (quote == '"' and any(sign in inner for sign in syntax.computing)):
            return None
        return _Literal(code[1:-1].replace(quote * 2, quote), {"dtype": "string"})
    text, at = "", 0
    while at < len(inner):
        sign = inner[at]
        if sign == "\\":
            at += 1
            sign = escapes.get(inner[at : at + 1], "")
        elif sign == quote or sign in syntax.computing:
            return None
        if not sign or sign == "\0":
            return None
        text += sign
        at += 1
    return _Literal(text, {"dtype": "string"})


def _read_list(code: str, syntax: Syntax) -> _Literal | None:
    if not code.strip():
        return _Literal([], {"dtype": "list"})
    items = [_read(item, syntax) for item in _items(code, syntax)]
    known = [item for item in items if item is not None]
    if len(known) < len(items):
        return None
    dtypes = {item.declared.get("dtype") for item in known}
    dtypes = {"float"} if dtypes == {"int", "float"} else dtypes
    dtype = dtypes.pop() if len(dtypes) == 1 else None
    para: Declared = {"para": {"name": "item", "dtype": dtype}} if dtype in ITEM_DTYPES else {}
    return _Literal([item.json for item in known], {"dtype": "list", **para})


def _items(code: str, syntax: Syntax) -> list[str]:
    """Split the items of a list at separators outside of texts and brackets."""
    items, text, depth, at = [], "", 0, 0
    while at < len(code):
        end = _skip(code, at, syntax, text)
        if end > at:
            text, at = text + code[at:end], end
            continue
        sign = code[at]
        depth += (sign in PAIRS) - (sign in PAIRS.values())
        if depth == 0 and (sign == syntax.separator or (syntax.separator == " " and sign.isspace())):
            items.append(text.strip())
            text = ""
        else:
            text += sign
        at += 1
    items.append(text.strip())
    return [item for item in items if item] if syntax.separator == " " else items
