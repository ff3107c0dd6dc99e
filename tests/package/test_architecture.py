import ast
import copy
import importlib
import inspect
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import grimp
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import runwidgets

if sys.version_info >= (3, 11):
    import tomllib
else:  # it comes with pytest
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
MOST_POSITIONAL = 4
MODULES = sorted(path for path in (ROOT / "runwidgets").rglob("*.py") if "node_modules" not in path.parts)


CONTRACTS = {
    "Arrows go downwards only": ("errors", "runwidgets.store.locks"),
    "Below the server nobody knows Tornado, Jupyter Server or ipywidgets": ("store.locks", "tornado.web"),
    "Only the factory and Dask's workers know the local backend": (
        "execution.dispatcher",
        "runwidgets.execution.local",
    ),
    "Only the factory knows the Dask backend": (
        "service.contracts.runs",
        "runwidgets.execution.dask.connection",
    ),
    "Only the factory knows the local services": ("cli.clean", "runwidgets.service.local.templates"),
    "Only the factory and Dask's workers know a concrete store": (
        "execution.dispatcher",
        "runwidgets.store.files.local",
    ),
    "Only connect knows the HTTP services": ("client.run", "runwidgets.service.http.client"),
}
"""By contract, a module and an import that breaks it."""


def lint_imports(folder: Path) -> str:
    """Return the report of the import contracts about the package in a folder."""
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    checked = subprocess.run(
        [sys.executable, "-c", lint, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False
    )
    return checked.stdout


def test_the_contracts_are_kept() -> None:
    """No module imports a higher layer, or a concrete class that only the factory may import."""
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in lint_imports(ROOT)


def test_a_forbidden_import_is_refused(tmp_path: Path) -> None:
    """Each contract reports an import that breaks it, including an import for types."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "runwidgets"
    shutil.copytree(
        ROOT / "runwidgets", package, ignore=shutil.ignore_patterns("frontend", "static", "*.pyc")
    )
    for module, imported in CONTRACTS.values():
        path = package / f"{module.replace('.', '/')}.py"
        forbidden = f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {imported}\n"
        path.write_text(path.read_text("utf-8") + forbidden, "utf-8")

    said = lint_imports(tmp_path)

    assert [name for name in CONTRACTS if f"{name} BROKEN" not in said] == []


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Return the imports of each module, including those for types."""
    return grimp.build_graph("runwidgets", cache_dir=None)


def find_cycle(imports: grimp.ImportGraph, depth: int) -> list[str] | None:
    """Return modules that import each other in a cycle; modules below a depth count as their package."""
    imported: dict[str, set[str]] = defaultdict(set)
    for importer in imports.modules:
        for module in imports.find_modules_directly_imported_by(importer):
            one, other = (".".join(name.split(".")[:depth]) for name in (importer, module))
            if one != other:
                imported[one].add(other)
    try:
        TopologicalSorter(imported).prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_no_import_comes_back(imports: grimp.ImportGraph, depth: int) -> None:
    """Neither modules nor packages of any depth import each other in a cycle."""
    assert find_cycle(imports, depth) is None


def test_a_circle_is_found(imports: grimp.ImportGraph) -> None:
    """A cycle is found between modules and between packages."""
    imports = copy.deepcopy(imports)

    imports.add_import(importer="runwidgets.errors", imported="runwidgets.store.files.disk")

    assert {"runwidgets.errors", "runwidgets.store.files.disk"} <= set(find_cycle(imports, 5) or ())
    assert {"runwidgets.errors", "runwidgets.store"} <= set(find_cycle(imports, 2) or ())


def constructors() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield everything that creates an object of the package: classes, class methods, and functions."""
    for path in MODULES:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if "migrations" in module or module.endswith("__main__"):
            continue  # importing these has side effects
        for each in vars(importlib.import_module(module)).values():
            if getattr(each, "__module__", None) != module:
                continue
            if inspect.isclass(each):
                own = {name: value for name, value in vars(each).items() if name in {"__init__", "__new__"}}
                methods = {
                    name: value.__func__
                    for name, value in vars(each).items()
                    if isinstance(value, classmethod)
                }
                yield from (
                    (f"{each.__qualname__}.{name}", value) for name, value in {**own, **methods}.items()
                )
            elif inspect.isfunction(each):
                made = inspect.signature(each).return_annotation
                is_ours = inspect.isclass(made) and made.__module__.startswith("runwidgets")
                if is_ours and not issubclass(made, dict):
                    yield each.__qualname__, each


def test_no_constructor_takes_more_than_four_positional_arguments() -> None:
    """Further arguments are passed by keyword, so that a call is readable."""
    by_place = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    counts = {}
    for name, constructor in constructors():
        parameters = inspect.signature(constructor).parameters.values()
        counts[name] = sum(
            each.kind in by_place and each.name not in {"self", "cls", "_cls"} for each in parameters
        )

    assert len(counts) > 100
    assert {name: count for name, count in counts.items() if count > MOST_POSITIONAL} == {}


def test_the_public_names_are_sorted_and_exist() -> None:
    """`__all__` lists the public names."""
    assert list(runwidgets.__all__) == sorted(runwidgets.__all__)
    assert all(getattr(runwidgets, name) is not None for name in runwidgets.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(runwidgets, "nothing")  # noqa: B009


def test_a_template_pays_nothing_for_the_package() -> None:
    """`import runwidgets` loads no widget, no server and no database."""
    code = "import runwidgets, sys, json; print(json.dumps(sorted(sys.modules)))"

    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)

    assert not {"ipywidgets", "sqlalchemy", "pydantic", "papermill", "jupyter_server"} & set(loaded)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    """Every module has a docstring."""
    assert path.read_text("utf-8").startswith('"""')


TOOLS = ("bench", "demo", "docs", "test")
"""Extras whose requirements the package itself does not import."""


def find_imports(source: str) -> set[str]:
    """Return the top-level names of the modules that a source imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def find_declared() -> set[str]:
    """Return the names of the declared requirements, also of the extras."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = declared["optional-dependencies"]
    texts = [
        *declared["dependencies"],
        *(each for name in extras if name not in TOOLS for each in extras[name]),
    ]
    return {canonicalize_name(Requirement(text).name) for text in texts}


def test_every_import_is_declared() -> None:
    """A package that only another requirement brings may be missing with its next release."""
    found = set().union(*(find_imports(path.read_text("utf-8")) for path in MODULES))
    found -= {"runwidgets", *sys.stdlib_module_names}
    owners = packages_distributions()
    declared = find_declared()

    missing = [
        each
        for each in found
        if not {canonicalize_name(owner) for owner in owners.get(each, [each])} & declared
    ]

    assert {"zmq", "IPython", "yaml", "voila"} <= found
    assert missing == []
