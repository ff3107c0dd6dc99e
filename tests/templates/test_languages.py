import json
from pathlib import Path
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from papermill.translators import Translator, papermill_translators

from runwidgets.errors import InvalidTemplateError, UnknownParameterError
from runwidgets.templates.arguments import check_arguments
from runwidgets.templates.cells.languages import Syntax, find_syntax
from runwidgets.templates.cells.line_reader import read_lines
from runwidgets.templates.cells.reading import read_parameters_cells
from runwidgets.templates.injection import injected_code
from runwidgets.templates.notebook import read_template
from runwidgets.templates.translators import find_translator

Json = dict[str, Any]

LANGUAGES = {
    "R": "R",
    "julia": "julia",
    "scala": "scala",
    "matlab": "matlab",
    "bash": "bash",
    "C#": ".net-csharp",
    "F#": ".net-fsharp",
    "PowerShell": ".net-powershell",
}
"""Name of the kernelspec or language by which papermill knows each."""
NAN = {"type": "$float", "value": "NaN"}

CELLS: list[tuple[str, str, Json]] = [
    ("R", "a <- 1; b = 'it\\'s'; c <<- 2L", {"a": 1, "b": "it's", "c": 2}),
    ("R", "n.iter <- 1e3 # steps\n# z <- 1", {"n.iter": 1000.0}),
    ("R", "x <- c(1, 2,\n  3)\ny <- list('a', TRUE, NULL)", {"x": [1, 2, 3], "y": ["a", True, None]}),
    ("R", "lambda <- NaN\nx <- NULL", {"lambda": NAN, "x": None}),
    ("R", "f <- function(x) { y <- 2 }\nif (TRUE) { z <- 3 }\nw <- x == 3", {"f": ..., "w": ...}),
    ("R", 'x <- "a\\u00e9"', {"x": ...}),
    ("julia", 'a = 5; b = "x"; const c = 1.5\nd::Int = 3', {"a": 5, "b": "x", "c": 1.5, "d": 3}),
    ("julia", 'a = "\\$b"\nc = "$d"\ne = "$(run())"', {"a": "$b", "c": ..., "e": ...}),
    ("julia", "a = nothing #= b = 3 =#\nv = [1, 2.5]", {"a": None, "v": [1, 2.5]}),
    ("julia", "f(x) = 2x\na == 3\nb => 2", {}),
    ("scala", 'val a = 5 // five\nvar b: String = "x"\nval c: Double = 0.5', {"a": 5, "b": "x", "c": 0.5}),
    ("scala", 'val a = Seq(1, 2)\nval b = s"$a"\nval c = 5L\ndef d = 3', {"a": [1, 2], "b": ..., "c": 5}),
    ("matlab", "a = 5; % five\nb = 'it''s';\nc = \"x\";", {"a": 5, "b": "it's", "c": "x"}),
    (
        "matlab",
        "a = {1, 'x'};\nb = [1 2];\nc = a';\nd = 1 + ...\n  2;",
        {"a": [1, "x"], "b": ..., "c": ..., "d": ...},
    ),
    ("bash", "a=5\nexport B='x y' # two\nc=$HOME\nd=", {"a": 5, "B": "x y", "c": ..., "d": ""}),
    (
        "bash",
        'a=007\nb=5m\nc=http://x#y\nd=(1 "b c")\ne = 3',
        {"a": "007", "b": "5m", "c": "http://x#y", "d": [1, "b c"]},
    ),
    ("bash", 'a="$b"\nc="it\'s"\nd=`ls`\ne=*.csv', {"a": ..., "c": "it's", "d": ..., "e": ...}),
    ("C#", 'var a = 5; // five\nstring b = "x"; const double c = 1.5;', {"a": 5, "b": "x", "c": 1.5}),
    ("C#", 'var a = new [] { 1, 2 };\nvar b = $"{a}";', {"a": [1, 2], "b": ...}),
    (
        "F#",
        'let a = 5\nlet mutable b : string = "x"\nlet c = [1; 2]\n(* let d = 1 *)',
        {"a": 5, "b": "x", "c": [1, 2]},
    ),
    (
        "PowerShell",
        "$a = 5\n[string]$b = 'it''s'\n$c = \"$a\"\n$d = @(1, 2)",
        {"a": 5, "b": "it's", "c": ..., "d": [1, 2]},
    ),
]
"""Language, code, and the defaults that are read from it; an ellipsis is a computed value."""


def translator_of(language: str) -> type[Translator]:
    """Return what writes a language, whether or not papermill itself was made to use it in this process."""
    translator: type[Translator] | None = find_translator("", LANGUAGES[language])
    assert translator is not None
    return translator


def syntax_of(language: str) -> Syntax:
    """Return the syntax of a language."""
    syntax = find_syntax(translator_of(language))
    assert syntax is not None
    return syntax


@pytest.mark.parametrize(("language", "source", "expected"), CELLS, ids=str)
def test_assignments_of_a_language_are_read(language: str, source: str, expected: Json) -> None:
    """What is not a literal is computed; what is not an assignment to a name declares nothing."""
    found = read_lines(source, syntax_of(language)).parameters

    assert {each["name"]: ... if "computed" in each else each["defaultValue"] for each in found} == expected


def test_a_comment_at_the_end_of_a_line_is_the_help() -> None:
    """Also after a semicolon."""
    for language, source in (("R", "a <- 1 # why"), ("matlab", "a = 1; % why"), ("C#", "var a = 1; // why")):
        assert read_lines(source, syntax_of(language)).parameters[0]["help"] == "why"


TEXTS = {
    "R": '"it\'s \\"q\\" $(id) \\\\n \\u00e9\\u2603\\U0001f600\\n"',
    "julia": '"it\'s \\"q\\" \\$(id) \\\\n \\u00e9\\u2603\\U0001f600\\n"',
    "scala": '"it\'s \\"q\\" $(id) \\\\n \\u00e9\\u2603\\ud83d\\ude00\\n"',
    "matlab": '"it\'s ""q"" $(id) \\n é☃😀" + char(10)',
    "bash": "'it'\"'\"'s \"q\" $(id) \\n é☃😀\n'",
    "C#": '"it\'s \\"q\\" $(id) \\\\n \\u00e9\\u2603\\U0001f600\\n"',
    "F#": '"it\'s \\"q\\" $(id) \\\\n \\u00e9\\u2603\\U0001f600\\n"',
    "PowerShell": '"it\'s `"q`" `$(id) \\n é☃😀`n"',
}
"""How each language writes the same text, so that nothing in it is code."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_is_a_literal(language: str) -> None:
    """Papermill's own text of it is code, or another text, in all but bash."""
    translator = translator_of(language)

    assert translator.translate('it\'s "q" $(id) \\n é☃😀\n') == TEXTS[language]


@pytest.mark.parametrize(
    ("language", "text", "written"),
    [
        ("bash", "a\tb'!\x03", "$'a\\tb\\x27\\x21\\x03'"),
        ("matlab", "", '""'),
        ("matlab", "\n", '"" + char(10)'),
        ("PowerShell", "“a”", '"`“a`”"'),
        ("C#", "é1", '"\\u00e91"'),
    ],
)
def test_signs_that_only_one_language_minds_are_escaped(language: str, text: str, written: str) -> None:
    """A terminal, typographic quotes, escapes of any length."""
    translator = translator_of(language)

    assert translator.translate(text) == written


PLAIN = {"number": 5, "share": 0.25, "name": "plain text", "flag": True, "items": [1, "b"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_papermill_writes_rightly_is_the_same(language: str) -> None:
    """Numbers, truth values, plain texts, lists, and records where papermill knows them."""
    ours = translator_of(language)
    (theirs,) = ours.__bases__
    values = PLAIN if language == "bash" else {**PLAIN, "record": {"a": 1}}

    assert ours.codify(values, "Parameters") == theirs.codify(values, "Parameters")


@pytest.mark.parametrize(
    ("language", "cell", "given", "code"),
    [
        ("R", "x <- c(1)", [1, None], "x = c(1, NA)"),
        ("R", "x <- seq(1, 3)", [4], "x = c(4)"),
        ("R", "x <- c('a')", ["a", 1], 'x = list("a", 1)'),
        ("R", "x <- c(1)", [[1], [2]], "x = list(list(1), list(2))"),
        ("R", "x <- c(1)\nx <- list(1)", [2], "x = list(2)"),
        ("R", "x <- c(1)", 5, "x = 5"),
        ("julia", "x = [1]", [2], "x = [2]"),
        ("julia", "x = Float64[1]", [2], "x = Float64[2]"),
        ("julia", "x = (1, 2)", [], "x = tuple()"),
        ("julia", "x = (1 + 2)", [3], "x = [3]"),
        ("scala", "val x = Seq(1)", [2], "val x = Seq(2)"),
        ("scala", "val x = Array(1)", [2], "val x = Array(2)"),
        ("scala", "val x = List[Int](1)", [2], "val x = List[Int](2)"),
        ("matlab", "x = {1}", [2], "x = {2};"),
        ("matlab", "x = [1 2 3];", [4, None], "x = [4, NaN];"),
        ("matlab", 'x = ["a", "b"]', ["c", None], 'x = ["c", missing];'),
        ("matlab", "x = 1:3", [4, "a"], 'x = {4, "a"};'),
    ],
)
def test_a_list_is_written_as_the_cell_writes_it(
    tmp_path: Path, language: str, cell: str, given: Any, code: str
) -> None:
    """An array stays an array; papermill's form is that of items of several types, too."""
    template = read_template(write(tmp_path, language, cell))
    runner: Any = {
        "kernelName": language,
        "language": language,
        "constructions": template.constructions,
    }

    assert injected_code(runner, {"x": given}, "").splitlines()[1:] == [code]


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("R", ["NaN", "Inf", "-Inf"]),
        ("julia", ["NaN", "Inf", "-Inf"]),
        ("scala", ["Double.NaN", "Double.PositiveInfinity", "Double.NegativeInfinity"]),
        ("matlab", ["NaN", "Inf", "-Inf"]),
        ("C#", ["double.NaN", "double.PositiveInfinity", "double.NegativeInfinity"]),
        ("F#", ["nan", "infinity", "-infinity"]),
        ("PowerShell", ["[double]::NaN", "[double]::PositiveInfinity", "[double]::NegativeInfinity"]),
    ],
)
def test_nan_and_infinity_are_numbers(language: str, names: list[str]) -> None:
    """Papermill writes Python's words, which are names of variables elsewhere."""
    translator = translator_of(language)

    assert [translator.translate(float(each)) for each in ("nan", "inf", "-inf")] == names


def write(folder: Path, language: str, source: str, **metadata: Any) -> Path:
    """Write a notebook in some language with a parameters cell."""
    spec = {"name": language, "display_name": language, "language": language}
    cell = new_code_cell(source, metadata={"tags": ["parameters"]})
    path = folder / "n.ipynb"
    path.write_text(json.dumps(new_notebook(cells=[cell], metadata={"kernelspec": spec, **metadata})))
    return path


def test_a_language_that_papermill_cannot_set_parameters_in_has_none(tmp_path: Path) -> None:
    """Its notebook can be run, and the handle says why it takes nothing."""
    template = read_template(write(tmp_path, "haskell", "x = 5"))

    assert template.parameters == []
    assert template.to_json()["warnings"] == [
        "a notebook in haskell has no parameters, because papermill cannot set them"
    ]


@pytest.fixture
def invented() -> Any:
    """Register a translator of a language that nothing here can read, as a plug-in of papermill does."""
    papermill_translators.register("invented", Translator)
    yield "invented"
    del papermill_translators._translators["invented"]


def test_a_cell_that_nothing_understands_takes_any_name(tmp_path: Path, invented: str) -> None:
    """The handle says so; names that no language has are still refused."""
    template = read_template(write(tmp_path, invented, "LET X BE 5"))
    given = [{"name": "X", "value": [1]}, {"name": "other", "value": None}]

    assert template.is_open and "not understood" in template.to_json()["warnings"][0]
    assert check_arguments([], given, lambda _: False, is_open=True) == {"X": [1], "other": None}
    with pytest.raises(UnknownParameterError, match="no such parameter"):
        check_arguments([], [{"name": "a b", "value": 1}], lambda _: False, is_open=True)


def test_a_declaration_of_a_name_that_the_cell_never_mentions_is_refused(tmp_path: Path) -> None:
    """A name that it mentions may be assigned in a way that was not recognised."""
    for name in ("a", "b"):
        read_template(
            write(
                tmp_path,
                "R",
                'a <- 1\nassign("b", 2)',
                runwidgets={"parameters": [{"name": name, "dtype": "int"}]},
            )
        )
    with pytest.raises(InvalidTemplateError, match=r"'c'.* no cell tagged 'parameters' assigns it"):
        read_template(
            write(tmp_path, "R", "a <- 1", runwidgets={"parameters": [{"name": "c", "dtype": "int"}]})
        )


def test_the_cell_of_an_earlier_run_is_read_in_every_language(tmp_path: Path) -> None:
    """Its values would be gone once other values are injected, so they are defaults."""
    cells = [
        new_code_cell("a <- 1\nb <- 2", metadata={"tags": ["parameters"]}, id="p"),
        new_code_cell("# Parameters\na = 7", metadata={"tags": ["injected-parameters"]}, id="i"),
    ]
    notebook = new_notebook(cells=cells)

    signature = read_parameters_cells(notebook, "ir", "R").signature

    assert {each["name"]: each["defaultValue"] for each in signature.parameters} == {"a": 7, "b": 2}
    assert signature.assigned == {"a": 1, "b": 2}
