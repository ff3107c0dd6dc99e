import ast
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ipykernel.iostream import IOPubThread
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from sphinx.util.inventory import InventoryFile

import runwidgets
from runwidgets import errors
from runwidgets.cli.command import RunWidgetsCommand
from runwidgets.errors import RunWidgetsError
from runwidgets.schema import RunConfig, SweepConfig
from runwidgets.server.settings import Settings
from runwidgets.service.contracts.api import Api
from runwidgets.service.integrity.invariants import INVARIANTS, RULES
from runwidgets.service.routes.routes import ROUTES
from runwidgets.states import MOVES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FORKSERVER = (DOCS / "explanation" / "forkserver.md").read_text("utf-8")
PAGES = sorted(path for kind in ("howto", "reference", "explanation") for path in (DOCS / kind).glob("*.md"))
ERRORS = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, RunWidgetsError)]

pytestmark = pytest.mark.timeout(900)  # the first test builds the site and executes the tutorial


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site once, with warnings as errors and every page executed."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-n", "-q"]
    environment = {**os.environ, "RUNWIDGETS_DOCS_EXECUTE": "force"}
    built = subprocess.run(
        [*command, str(DOCS), str(target)], env=environment, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return target


@pytest.fixture(scope="module")
def names(site: Path) -> set[str]:
    """Return every Python name that the site documents."""
    with (site / "objects.inv").open("rb") as stream:
        inventory = InventoryFile.load(stream, "", lambda base, target: target)
    return {name for kind, found in inventory.items() if kind.startswith("py:") for name in found}


def text_of(site: Path, page: str) -> str:
    """Return the text of a built page."""
    return re.sub(r"<[^>]+>", "", (site / "reference" / f"{page}.html").read_text("utf-8"))


def test_the_tutorial_is_executed(site: Path) -> None:
    """The quickstart shows the results of its own runs."""
    page = (site / "tutorial" / "quickstart.html").read_text("utf-8")

    assert "it was only an example" in page and "regularisation" in page


def test_every_public_name_is_documented(names: set[str]) -> None:
    """The reference has every name in `__all__`, and the methods of every service."""
    services = [
        hint for hint in Api.__annotations__.values() if getattr(hint, "__name__", "").endswith("Service")
    ]
    methods = {
        f"{service.__module__}.{service.__name__}.{name}"
        for service in services
        for name, _ in inspect.getmembers(service, inspect.isfunction)
    }

    assert services
    assert {f"runwidgets.{name}" for name in runwidgets.__all__} - names == set()
    assert methods - names == set()


def test_every_setting_is_documented(site: Path) -> None:
    """The page of settings has each trait of the extension, with its help."""
    page = text_of(site, "settings")

    assert [name for name in Settings.class_own_traits(config=True) if f"\n{name}#" not in page] == []


def test_every_route_is_documented(site: Path) -> None:
    """The page of routes names each by its id."""
    page = text_of(site, "rest")

    assert [route.id for route in ROUTES if f"{route.id}: " not in page] == []


def test_every_config_key_is_documented() -> None:
    """The tables list exactly the config keys of the code."""
    run, sweep = (DOCS / "reference" / "config.md").read_text("utf-8").split("## Of a sweep")
    keys = [set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) for text in (run, sweep)]

    assert keys[0] == set(RunConfig.__annotations__)
    assert keys[1] == set(SweepConfig.__annotations__) - set(RunConfig.__annotations__)


def test_every_verb_is_documented(site: Path) -> None:
    """The page of the command line has each verb with each of its options."""
    page = text_of(site, "commands")

    for verb, (application, _) in RunWidgetsCommand.subcommands.items():
        assert f"jupyter runwidgets {verb}" in page
        options = [f"--{name}=…" for name in application.aliases if name != "log-level"]
        assert [option for option in options if option not in page] == []


def test_every_error_is_documented(site: Path) -> None:
    """The page of errors has each class."""
    page = text_of(site, "errors")

    assert [cls.__name__ for cls in ERRORS if cls.__name__ not in page] == []


def test_every_invariant_is_documented(site: Path) -> None:
    """Each number that `doctor` prints has its section."""
    page = text_of(site, "invariants")

    assert set(RULES) <= set(INVARIANTS)
    assert [number for number in INVARIANTS if f"Invariant {number}#" not in page] == []


def test_the_picture_of_states_has_every_move(site: Path) -> None:
    """It has exactly the moves of the state machine."""
    page = (site / "reference" / "states.html").read_text("utf-8")
    drawn = re.search(r'aria-label="Moves of a run: ([^"]+)"', page)

    assert drawn is not None
    moves = {tuple(each.split(" to ")) for each in drawn[1].split(", ")}
    assert moves == {(source.value, target.value) for source in MOVES for target in MOVES[source]}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_page_is_reached_and_has_one_title(path: Path) -> None:
    """Every page is listed in the index of its section, and a how-to fits on one screen."""
    text = path.read_text("utf-8")
    outside = re.sub(r"```.*?```", "", text, flags=re.DOTALL)

    assert len(re.findall(r"^# ", outside, re.MULTILINE)) == 1
    if path.stem != "index":
        assert re.search(
            rf"^{re.escape(path.stem)}$", (path.parent / "index.md").read_text("utf-8"), re.MULTILINE
        )
    if path.parent.name == "howto":
        assert len(text.splitlines()) <= 100


def test_every_private_name_of_ipykernel_that_is_used_is_explained() -> None:
    """One table lists what may have to be changed after a release of ipykernel."""
    source = (ROOT / "runwidgets" / "execution" / "kernels" / "in_process.py").read_text("utf-8")
    private = set(re.findall(r"\b_[a-z]\w+", source))
    classes = IPythonKernel, IPKernelApp, IOPubThread
    theirs = {name for name in private if any(hasattr(cls, name) for cls in classes)}

    assert theirs
    assert [name for name in sorted(theirs) if f"`{name}`" not in FORKSERVER] == []


def test_the_tests_that_guard_them_are_there() -> None:
    """Each test that the page names exists."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", FORKSERVER))

    assert named
    assert [name for name in named if f"def {name}(" not in sources] == []
    assert all((ROOT / path).exists() for path in re.findall(r"`(tests/[\w./]+)`", FORKSERVER))


def test_the_code_that_the_explanation_names_is_there() -> None:
    """Modules and classes of the fork server have the names used on the page."""
    folder = ROOT / "runwidgets" / "execution"
    sources = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    modules = {path.name for path in folder.rglob("*.py")}
    classes = re.findall(r"`_?([A-Z][a-z]+[A-Z]\w+)", FORKSERVER)

    assert classes and set(re.findall(r"`(\w+\.py)`", FORKSERVER)) <= modules
    assert [name for name in classes if name not in sources] == []


@pytest.mark.parametrize(
    "path", [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=lambda path: path.stem
)
def test_what_a_page_writes_exists(path: Path) -> None:
    """Code can be parsed; settings, public names, config keys and options exist."""
    text = path.read_text("utf-8")
    code = re.findall(
        r"```(?:python|\{code-(?:cell|block)\} python)\n((?::tags:.*\n)?)(.*?)```", text, re.DOTALL
    )
    settings = re.findall(r"RunWidgetsApp\.(\w+)|settings\.md#(\w+)", text)
    names = re.findall(r"\brw\.([a-zA-Z]\w*)", text)
    configs = re.findall(r"config=(\{(?:[^{}]|\{[^{}]*\})*\})", text)
    commands = re.findall(r"jupyter runwidgets (\w+)([^\n`]*)", text)

    for _, block in code:
        ast.parse(block)
    assert {name or link for name, link in settings} <= set(Settings.class_own_traits(config=True))
    assert set(names) <= set(runwidgets.__all__)
    for config in configs:
        assert set(ast.literal_eval(config)) <= set(SweepConfig.__annotations__)
    for verb, options in commands:
        application = RunWidgetsCommand.subcommands[verb][0]
        known = {*application.aliases, *application.flags, "help"}
        assert set(re.findall(r"--([a-z-]+)", options)) <= known
