import re
import shutil
from pathlib import Path

import pytest
from jupyter_core.paths import jupyter_path
from jupyterlab_server.config import get_federated_extensions, get_page_config

from tests.npm import TESTS, install, npm

STATIC = TESTS.parents[1] / "static"


@pytest.mark.parametrize("script", ["check", "lint", "test"])
def test_the_front_end_passes_its_own_checks(script: str) -> None:
    """Its types are strict, Biome reports nothing, there are no import cycles, and vitest passes."""
    install()

    done = npm("run", script)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "line", "rule"),
    [
        ("model/circle.ts", "import type { Two } from './states';\nexport type One = Two;", "noImportCycles"),
        ("model/arrow.ts", "export { h } from '../views/dom';", "noRestrictedImports"),
        (
            "views/arrow.ts",
            "export { RestTransport } from '../transport/rest-transport';",
            "noRestrictedImports",
        ),
        ("transport/arrow.ts", "export { h } from '../views/dom';", "noRestrictedImports"),
    ],
)
def test_circles_and_arrows_up_are_refused(name: str, line: str, rule: str, tmp_path: Path) -> None:
    """In a copy of the front end, a forbidden import is reported with the name of the rule."""
    install()
    copy = tmp_path / "frontend"
    shutil.copytree(TESTS.parent, copy, ignore=shutil.ignore_patterns("node_modules"))
    (copy / "src" / name).write_text(line + "\n")
    if rule == "noImportCycles":
        states = copy / "src" / "model" / "states.ts"
        states.write_text("import type { One } from './circle';\nexport type Two = One | 2;\n")

    done = npm("exec", "--call", f"cd '{copy}' && biome lint --only={rule}")

    assert done.returncode != 0
    assert f"src/{name}:1" in done.stderr and rule in done.stderr


def test_the_lock_file_names_no_registry() -> None:
    """Packages come from the registry that npm is configured for, and are verified by their hashes."""
    lock = (TESTS.parent / "package-lock.json").read_text("utf-8")

    assert '"integrity"' in lock and '"resolved"' not in lock


@pytest.mark.parametrize(
    "name", ["form.js", "run.js", "results.js", "table.js", "sweep.js", "browser.js", "markdown.js"]
)
def test_a_bundle_is_small_and_loads_nothing_from_elsewhere(name: str) -> None:
    """Under 100 kB; addresses are in an error message of the Markdown parser, and the name of SVG's tags."""
    bundle = (STATIC / name).read_text("utf-8")

    assert len(bundle) < 100_000
    assert set(re.findall(r"https?://([\w.-]+)", bundle)) <= {"github.com", "www.w3.org"}
    assert "innerHTML" not in bundle


def test_jupyterlab_finds_the_extension_and_the_file_that_it_loads() -> None:
    """It is installed with the package, also in editable mode; the part that every page loads is small."""
    found = get_federated_extensions(jupyter_path("labextensions"))["runwidgets"]

    folder, build = Path(found["ext_path"]), found["jupyterlab"]["_build"]
    entry = (folder / build["load"]).read_text("utf-8")
    saved_output = re.search(r"saved-output\.\w+\.js", entry)
    assert build["mimeExtension"] == "./mimeExtension"
    assert len(entry) < 2_000 and saved_output is not None
    view = (folder / "static" / saved_output[0]).read_text("utf-8")
    assert len(view) < 100_000 and "innerHTML" not in view
    assert set(re.findall(r"https?://[^\"'`]*", view)) == {"http://www.w3.org/2000/svg"}
    assert len(list((folder / "static").iterdir())) == 2
    assert get_page_config(jupyter_path("labextensions"))["federated_extensions"].count(
        {"name": "runwidgets", "load": build["load"], "mimeExtension": "./mimeExtension", "entrypoints": None}
    )
