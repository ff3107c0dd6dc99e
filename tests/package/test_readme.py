import re
from pathlib import Path

import pytest

from runwidgets.server.settings import Settings
from runwidgets.states import MOVES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
TRAITS = Settings.class_own_traits(config=True)


@pytest.mark.parametrize("name", sorted(TRAITS))
def test_the_table_of_settings_is_that_of_the_code(name: str) -> None:
    """Each setting stands in it with its own words."""
    assert re.search(rf"^\| `{name}` \|.*\| {re.escape(TRAITS[name].help.strip())} \|$", README, re.MULTILINE)


def test_the_diagram_is_drawn_from_the_machine() -> None:
    """All moves, and no other."""
    drawn = re.findall(r"^    ([A-Z]+) --> ([A-Z]+)$", README, re.MULTILINE)

    assert sorted(drawn) == sorted(
        (source.value, target.value) for source in MOVES for target in MOVES[source]
    )


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """What people are told is what is checked."""
    commands = re.findall(r"```bash\n(pip install .*)\n```", README)

    assert len(commands) == 2
    assert commands[1] in (ROOT / ".ci" / "run").read_text("utf-8")


def test_links_and_pictures_are_there() -> None:
    """Nothing points nowhere."""
    for target in re.findall(r"(?:\]\(|src=\"|srcset=\")(?!http)([^)\"]+)", README):
        assert (ROOT / target).exists(), target
