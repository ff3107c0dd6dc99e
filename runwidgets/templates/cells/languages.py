"""How assignments and literals are written in the languages whose kernels papermill can give values."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from papermill.translators import (
    BashTranslator,
    CSharpTranslator,
    FSharpTranslator,
    JuliaTranslator,
    MatlabTranslator,
    PowershellTranslator,
    RTranslator,
    ScalaTranslator,
)

SINGLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'", "0": "\0"}
TRUTH: Mapping[str, object] = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class Syntax:
    """The part of a language's syntax that a parameters cell needs.

    Attributes
    ----------
    assignment : re.Pattern
        A whole statement, with the groups ``name`` and ``value``.
    comment : str
        Begins a comment that ends with the line.
    block : tuple of (str, str)
        Begin and end of other comments; empty if there are none.
    quotes : str
        Signs that begin and end a text.
    escapes : dict
        By quote, what stands for which sign after a backslash.
    computing : str
        Signs that make the text in double quotes a computed one.
    words : dict
        Names of constants.
    lists : re.Pattern
        A whole list, with the group ``items``.
    separator : str
        Between the items of a list.
    continuation : str
        At the end of a line that goes on.
    whole_is_float : bool
        Whether ``5`` and ``5.0`` have the same type.
    has_bare_words : bool
        Whether a word without quotes is a text.
    forms : tuple of (re.Pattern, str)
        Beginnings of values that are no lists as papermill writes them, and the code of such a value: a
        template of `re.Match.expand`, with ``{}`` in the place of the items.
    """

    assignment: re.Pattern[str]
    comment: str
    lists: re.Pattern[str]
    block: tuple[str, str] | tuple[()] = ()
    quotes: str = '"'
    escapes: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: {'"': SINGLE_ESCAPES, "'": SINGLE_ESCAPES}
    )
    computing: str = ""
    words: Mapping[str, object] = field(default_factory=lambda: TRUTH)
    separator: str = ","
    continuation: str = ""
    whole_is_float: bool = False
    has_bare_words: bool = False
    forms: tuple[tuple[re.Pattern[str], str], ...] = ()

    def find_form(self, code: str) -> str | None:
        """Return how a list is written that takes the place of a value, if not as papermill does."""
        for pattern, form in self.forms:
            if (found := pattern.match(code)) is not None:
                return found.expand(form)
        return None


def _pattern(text: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Compile a pattern in which ``NAME``, ``VALUE`` and ``ITEMS`` stand for groups."""
    for word, group in (
        ("NAME", r"(?P<name>[^\W\d]\w*)"),
        ("VALUE", r"(?P<value>.+?)"),
        ("ITEMS", r"(?P<items>.*)"),
    ):
        text = text.replace(word, group)
    return re.compile(text, re.DOTALL | flags)


R_SYNTAX = Syntax(
    assignment=_pattern(r"(?P<name>(?:[^\W\d_]|\.(?!\d))[\w.]*)\s*(?:<<?-|=(?!=))\s*VALUE"),
    comment="#",
    quotes="\"'",
    words={
        "TRUE": True,
        "FALSE": False,
        "T": True,
        "F": False,
        "NULL": None,
        "NaN": math.nan,
        "Inf": math.inf,
        "-Inf": -math.inf,
    },
    lists=_pattern(r"(?:c|list)\s*\(ITEMS\)"),
    whole_is_float=True,
    forms=(
        (_pattern(r"(?:c|seq|seq_len|rep|numeric|double|integer|character|logical)\s*\("), "c({})"),
        (_pattern(r"-?[\w.]+\s*:\s*[\w.(-]"), "c({})"),
    ),
)
JULIA = Syntax(
    assignment=_pattern(r"(?:(?:const|global)\s+)?NAME(?:\s*::\s*[\w{}., ]+?)?\s*=(?![=>])\s*VALUE"),
    comment="#",
    block=("#=", "=#"),
    escapes={'"': {**SINGLE_ESCAPES, "$": "$"}},
    computing="$",
    words={**TRUTH, "nothing": None, "NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf},
    lists=_pattern(r"\[ITEMS\]"),
    forms=((_pattern(r"([A-Z]\w*)\["), r"\1[{}]"), (_pattern(r"\((?:[^()]*,[^()]*)\)\Z"), "tuple({})")),
)
SCALA = Syntax(
    assignment=_pattern(
        r"(?:(?:final|lazy|implicit)\s+)*va[lr]\s+NAME(?:\s*:\s*[^=]+?)?\s*=(?![=>])\s*VALUE"
    ),
    comment="//",
    block=("/*", "*/"),
    words={**TRUTH, "None": None, "null": None, "Double.NaN": math.nan, "Double.PositiveInfinity": math.inf},
    lists=_pattern(r"(?:Seq|List|Array|Vector)\s*\(ITEMS\)"),
    forms=((_pattern(r"(List|Array|Vector|Set)\s*(\[\w+\])?\s*\("), r"\1\2({})"),),
)
MATLAB = Syntax(
    assignment=_pattern(r"NAME\s*=(?!=)\s*VALUE"),
    comment="%",
    block=("%{", "%}"),
    quotes="\"'",
    escapes={},
    words={**TRUTH, "NaN": math.nan, "nan": math.nan, "Inf": math.inf, "inf": math.inf, "-Inf": -math.inf},
    lists=_pattern(r"\{ITEMS\}"),
    forms=(
        (_pattern(r"\[|(?:zeros|ones|linspace)\s*\("), "[{}]"),
        (_pattern(r"-?[\w.]+\s*:\s*[\w.(-]"), "[{}]"),
    ),
    continuation="...",
    whole_is_float=True,
)
BASH = Syntax(
    assignment=_pattern(r"(?:(?:export|readonly|local|typeset|declare)(?:\s+-\w+)*\s+)?NAME=(?P<value>.*)"),
    comment="#",
    quotes="\"'",
    escapes={},
    computing="$`\\!",
    lists=_pattern(r"\(ITEMS\)"),
    separator=" ",
    has_bare_words=True,
)
CSHARP = Syntax(
    assignment=_pattern(
        r"(?:(?:const|static|readonly)\s+)*[A-Za-z_][\w.<>,\[\]?]*\s+NAME\s*=(?![=>])\s*VALUE"
    ),
    comment="//",
    block=("/*", "*/"),
    words={**TRUTH, "null": None, "double.NaN": math.nan, "double.PositiveInfinity": math.inf},
    lists=_pattern(r"new\s*\w*\s*\[\s*\]\s*\{ITEMS\}"),
)
FSHARP = Syntax(
    assignment=_pattern(r"let\s+(?:mutable\s+)?NAME(?:\s*:\s*[^=]+?)?\s*=(?!=)\s*VALUE"),
    comment="//",
    block=("(*", "*)"),
    words={
        **TRUTH,
        "None": None,
        "null": None,
        "nan": math.nan,
        "infinity": math.inf,
        "-infinity": -math.inf,
    },
    lists=_pattern(r"\[ITEMS\]"),
    separator=";",
)
POWERSHELL = Syntax(
    assignment=_pattern(r"(?:\[[\w.\[\]]+\]\s*)?\$(?:\w+:)?NAME\s*=\s*VALUE"),
    comment="#",
    block=("<#", "#>"),
    quotes="\"'",
    escapes={},
    computing="$`",
    words={"$true": True, "$false": False, "$null": None},
    lists=_pattern(r"@\(ITEMS\)"),
)

SYNTAXES: dict[type, Syntax] = {
    BashTranslator: BASH,
    CSharpTranslator: CSHARP,
    FSharpTranslator: FSHARP,
    JuliaTranslator: JULIA,
    MatlabTranslator: MATLAB,
    PowershellTranslator: POWERSHELL,
    RTranslator: R_SYNTAX,
    ScalaTranslator: SCALA,
}
"""By papermill's translator of the language."""


def find_syntax(translator: type) -> Syntax | None:
    """Return the syntax of the language that a translator writes, or None if it cannot be read here.

    A translator of a plug-in that derives from one of papermill's writes the same language.
    """
    return next((SYNTAXES[each] for each in translator.__mro__ if each in SYNTAXES), None)
