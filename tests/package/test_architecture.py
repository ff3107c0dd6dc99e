import json
import subprocess
import sys
from pathlib import Path

import pytest

import runwidgets

ROOT = Path(__file__).parents[2]
MODULES = sorted(path for path in (ROOT / "runwidgets").rglob("*.py") if "node_modules" not in path.parts)


def test_arrows_go_downwards_only() -> None:
    """No room imports one above it."""
    lint = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]

    checked = subprocess.run(lint, cwd=ROOT, capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout


def test_the_public_names_are_sorted_and_exist() -> None:
    """What is public stands in `__all__`."""
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
    """Every room has a docstring."""
    assert path.read_text("utf-8").startswith('"""')
