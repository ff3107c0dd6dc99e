"""papermill's translators, in which a text is always a literal of the language, and a number its own value.

papermill writes every text with Python's escapes. Other languages read some of them differently (the escape
of ``é`` is a byte in Julia and R, that of a line end two characters in MATLAB) or execute what is in a text
(``$(…)`` in Julia and PowerShell), and have other names for NaN. Whatever papermill writes rightly is written
here in the same way.
"""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

from papermill.exceptions import PapermillException
from papermill.translators import (
    BashTranslator,
    CSharpTranslator,
    FSharpTranslator,
    JuliaTranslator,
    MatlabTranslator,
    PowershellTranslator,
    RTranslator,
    ScalaTranslator,
    papermill_translators,
)

C_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
JULIA_ESCAPES = {**C_ESCAPES, "$": "\\$"}
POWERSHELL_ESCAPES = {"`": "``", "$": "`$", "\n": "`n", "\r": "`r", "\t": "`t"} | {
    quote: f"`{quote}" for quote in '"“”„'
}
"""PowerShell takes typographic quotes for plain ones."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
EXACT_WHOLE = 2**53
"""Up to this number, languages with one type of number have every whole number."""
LAST_WHOLE = 1e15
"""Whole floats below this are written without decimals where the language has one type of number."""


class FormedList(list[Any]):
    """A list that is written in another form than papermill's, if its items are of one type.

    Parameters
    ----------
    items : iterable
        Its items.
    form : str
        Its code, with ``{}`` in the place of its items.
    """

    def __init__(self, items: Iterable[Any], form: str) -> None:
        super().__init__(items)
        self.form = form

    @property
    def is_uniform(self) -> bool:
        """Whether all items that are not None are numbers, or texts, or truth values."""
        kinds = {float if type(item) is int else type(item) for item in self if item is not None}
        return len(kinds) < 2 and not kinds & {list, dict}

    def write(self, write_item: Callable[[Any], str], none: str) -> str:
        """Return its code.

        Parameters
        ----------
        write_item : callable
            Returns the code of an item.
        none : str
            The code of None.
        """
        return self.form.format(", ".join(none if item is None else write_item(item) for item in self))


def _write_list(translator: Any, value: list[Any], none: str) -> str | None:
    """Return the code of a list with a form of its own, or None if papermill's is right."""
    return (
        value.write(translator.translate, none)
        if isinstance(value, FormedList) and value.is_uniform
        else None
    )


def _escaped(text: str, escapes: dict[str, str], other: Callable[[int], str]) -> str:
    """Return a text in ASCII, with escapes for all other characters."""
    return "".join(escapes.get(sign) or (sign if " " <= sign <= "~" else other(ord(sign))) for sign in text)


def _long(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _utf16(code: int) -> str:
    units = chr(code).encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _special(value: float, nan: str, infinity: str, negative: str) -> str | None:
    if math.isfinite(value):
        return None
    return nan if math.isnan(value) else infinity if value > 0 else negative


class LiteralR(RTranslator):
    """Writes R."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        """Return a text as R."""
        return f'"{_escaped(str(str_val), C_ESCAPES, _long)}"'

    @classmethod
    def translate_int(cls, val: int) -> str:
        """Return a whole number as R."""
        return _whole_number(val)

    @classmethod
    def translate_float(cls, val: float) -> str:
        """Return a number as R, which has one type for ``5`` and ``5.0``."""
        return _special(val, "NaN", "Inf", "-Inf") or _plain_number(val)

    @classmethod
    def translate_list(cls, val: list[Any]) -> str:
        """Return a list as R, or a vector, in which ``NULL`` would vanish."""
        return _write_list(cls, val, "NA") or str(super().translate_list(val))


class LiteralJulia(JuliaTranslator):
    """Writes Julia."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        """Return a text as Julia; ``$`` would begin an interpolation."""
        return f'"{_escaped(str(str_val), JULIA_ESCAPES, _long)}"'

    @classmethod
    def translate_float(cls, val: float) -> str:
        """Return a number as Julia."""
        return _special(val, "NaN", "Inf", "-Inf") or repr(val)

    @classmethod
    def translate_list(cls, val: list[Any]) -> str:
        """Return an array as Julia, or a typed one, or a tuple."""
        return _write_list(cls, val, "nothing") or str(super().translate_list(val))


class LiteralScala(ScalaTranslator):
    """Writes Scala."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        """Return a text as Scala, whose escapes are units of UTF-16."""
        return f'"{_escaped(str(str_val), C_ESCAPES, _utf16)}"'

    @classmethod
    def translate_float(cls, val: float) -> str:
        """Return a number as Scala."""
        return _special(val, "Double.NaN", "Double.PositiveInfinity", "Double.NegativeInfinity") or repr(val)

    @classmethod
    def translate_list(cls, val: list[Any]) -> str:
        """Return a sequence as Scala, of the class that the notebook names."""
        return _write_list(cls, val, cls.translate(None)) or str(super().translate_list(val))


class LiteralCSharp(CSharpTranslator):
    """Writes C#."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        r"""Return a text as C#, whose ``\x`` takes as many digits as follow."""
        return f'"{_escaped(str(str_val), C_ESCAPES, _long)}"'

    @classmethod
    def translate_none(cls, val: None) -> str:
        """Return None as C#; ``var`` needs a type."""
        return "(object)null"

    @classmethod
    def translate_float(cls, val: float) -> str:
        """Return a number as C#."""
        return _special(val, "double.NaN", "double.PositiveInfinity", "double.NegativeInfinity") or repr(val)


class LiteralFSharp(FSharpTranslator):
    """Writes F#."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        """Return a text as F#."""
        return f'"{_escaped(str(str_val), C_ESCAPES, _long)}"'

    @classmethod
    def translate_float(cls, val: float) -> str:
        """Return a number as F#."""
        return _special(val, "nan", "infinity", "-infinity") or repr(val)


class LiteralPowershell(PowershellTranslator):
    """Writes PowerShell."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        """Return a text as PowerShell; ``$`` would begin an expansion."""
        return f'"{"".join(POWERSHELL_ESCAPES.get(sign, sign) for sign in str(str_val))}"'


class LiteralMatlab(MatlabTranslator):
    """Writes MATLAB."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        """Return a text as MATLAB, which knows no escapes: control characters are joined to it."""
        pieces = re.split(f"({CONTROL.pattern})", str(str_val).replace('"', '""'))
        return " + ".join(
            f"char({ord(piece)})" if at % 2 else f'"{piece}"'
            for at, piece in enumerate(pieces)
            if piece or not at
        )

    @classmethod
    def translate_dict(cls, val: dict[str, Any]) -> str:
        """Return a record as MATLAB, with keys as arrays of characters."""
        keys = ", ".join(_matlab_characters(key) for key in val)
        values = ", ".join(cls.translate(item) for item in val.values())
        return f"containers.Map({{{keys}}}, {{{values}}})"

    @classmethod
    def translate_int(cls, val: int) -> str:
        """Return a whole number as MATLAB."""
        return _whole_number(val)

    @classmethod
    def translate_list(cls, val: list[Any]) -> str:
        """Return a cell array as MATLAB, or an array."""
        is_text = any(isinstance(item, str) for item in val)
        return _write_list(cls, val, "missing" if is_text else "NaN") or str(super().translate_list(val))

    @classmethod
    def translate_float(cls, val: float) -> str:
        """Return a number as MATLAB, which has one type for ``5`` and ``5.0``."""
        return _special(val, "NaN", "Inf", "-Inf") or _plain_number(val)


class LiteralBash(BashTranslator):
    """Writes bash."""

    @classmethod
    def translate_escaped_str(cls, str_val: Any) -> str:
        """Return a text as bash; a terminal would act on control characters."""
        text = str(str_val)
        if not CONTROL.search(text.replace("\n", "")):
            quoted: str = super().translate_escaped_str(text)
            return quoted
        escapes = {**C_ESCAPES, '"': '"', "'": "\\x27", "!": "\\x21"}
        signs = (
            escapes.get(sign) or (f"\\x{ord(sign):02x}" if CONTROL.match(sign) else sign) for sign in text
        )
        return f"$'{''.join(signs)}'"

    @classmethod
    def translate_list(cls, val: list[Any]) -> str:
        """Return an array as bash, which has none in arrays."""
        if any(isinstance(item, (list, dict)) for item in val):
            raise NotImplementedError("an array of bash holds texts only")
        array: str = super().translate_list(["" if item is None else item for item in val])
        return array


OWN = {
    BashTranslator: LiteralBash,
    CSharpTranslator: LiteralCSharp,
    FSharpTranslator: LiteralFSharp,
    JuliaTranslator: LiteralJulia,
    MatlabTranslator: LiteralMatlab,
    PowershellTranslator: LiteralPowershell,
    RTranslator: LiteralR,
    ScalaTranslator: LiteralScala,
}
"""What takes the place of a translator of papermill."""


def find_translator(kernel_name: str, language: str) -> Any | None:
    """Return the translator that papermill would use, or the one that takes its place.

    Parameters
    ----------
    kernel_name : str
        Name of the kernelspec, which comes first.
    language : str
        Language of the notebook.

    Returns
    -------
    type or None
        A papermill ``Translator``; None if papermill cannot set parameters in the language.
    """
    try:
        found = papermill_translators.find_translator(kernel_name, language)
    except PapermillException:
        return None
    return OWN.get(found, found)


def register_translators() -> None:
    """Make papermill itself use these translators, in this process."""
    for name, translator in list(papermill_translators._translators.items()):
        papermill_translators.register(name, OWN.get(translator, translator))


def _whole_number(value: int) -> str:
    if abs(value) > EXACT_WHOLE:
        raise NotImplementedError("the number would lose digits")
    return str(value)


def _plain_number(value: float) -> str:
    is_whole = value.is_integer() and 0 < abs(value) < LAST_WHOLE
    return str(int(value)) if is_whole else repr(value)


def _matlab_characters(text: str) -> str:
    pieces = re.split(f"({CONTROL.pattern})", text.replace("'", "''"))
    parts = [f"char({ord(piece)})" if at % 2 else f"'{piece}'" for at, piece in enumerate(pieces)]
    return parts[0] if len(parts) == 1 else f"[{' '.join(parts)}]"
