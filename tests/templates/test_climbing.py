"""Code that climbs from the folder of a notebook to one that has certain files."""

from pathlib import Path

import pytest

from runwidgets.limits import Limits
from runwidgets.templates.surroundings.static_files import find_static_files

CLIMBS = {
    "while": "p = Path.cwd()\nwhile not (p / 'raw').exists():\n    p = p.parent",
    "attribute": "self.p = Path()\nwhile not (self.p / 'raw').is_dir():\n    self.p = self.p.parent",
    "second name": (
        "p = Path.cwd()\nwhile True:\n    if (p / 'raw').exists(): break\n    q = p.parent\n    p = q"
    ),
    "os.path": (
        "d = os.getcwd()\nwhile not os.path.exists(os.path.join(d, 'raw')):\n    d = os.path.dirname(d)"
    ),
    "text": "d = '.'\nwhile not os.path.isdir(f'{d}/raw'):\n    d = os.path.join(d, '..')",
    "listdir": "d = os.getcwd()\nwhile 'raw' not in os.listdir(d):\n    d = os.path.split(d)[0]",
    "walrus": "p = Path.cwd()\nwhile (p := p.parent):\n    if p.joinpath('raw').exists(): break",
    "parents": "next(p for p in Path.cwd().parents if (p / 'raw').exists())",
    "itself and parents": "c = Path.cwd()\nfor p in [c, *c.parents]:\n    if (p / 'raw').exists(): break",
    "named parents": "ps = list(Path.cwd().parents)\nfor p in ps:\n    if Path(p, 'raw').exists(): break",
    "chained parents": "[p for p in chain([c], c.parents[:3]) if os.path.lexists(p / 'raw')]",
    "glob": "next(p for p in Path.cwd().parents if list(p.glob('raw')))",
    "recursion": "def find(p):\n    return p if (p / 'raw').exists() else find(p.parent)",
    "lambda": "find = lambda p: p if (p / 'raw').exists() else find(p.parent)",
    "imported functions": "d = getcwd()\nwhile not exists(join(d, 'raw')):\n    d = dirname(d)",
    "argument": (
        "def find(name):\n    p = Path.cwd()\n    while not (p / name).exists(): p = p.parent\nfind('raw')"
    ),
    "keyword": (
        "def find(name):\n    for p in c.parents:\n        if (p / name).exists(): return p\nfind(name='raw')"
    ),
    "default": "def find(name='raw'):\n    return [p for p in c.parents if (p / name).exists()]",
    "several": "for p in c.parents:\n    if any((p / m).exists() for m in ('no', 'raw')): break",
    "named several": (
        "MARKS = ['no', 'raw']\nfor p in c.parents:\n    for m in MARKS:\n        (p / m).exists()"
    ),
    "chdir": "while not os.path.exists('raw'):\n    os.chdir('..')",
    "chdir to a path": "while not Path('raw').exists():\n    os.chdir(Path.cwd().parent)",
    "chdir and listdir": "while 'raw' not in os.listdir():\n    os.chdir(os.pardir)",
}
"""Code that climbs to the folder that has `raw`."""
UNSEEN = {
    "counted": "d = os.getcwd()\nfor _ in range(2):\n    d = os.path.dirname(d)",
    "cut": "d = os.getcwd().split('sub')[0]",
    "replaced": "d = str(Path.cwd()).replace('sub/deep', '')",
    "repeated": "d = '../' * 2",
    "dots": "d = 'raw'\nwhile not os.path.exists(d):\n    d = '../' + d",
    "dots and a path": "d = Path('raw')\nwhile not d.exists():\n    d = '..' / d",
    "tried": (
        "d = Path.cwd()\nwhile True:\n    try:\n        open(d / 'raw/a.csv')\n        break\n"
        "    except OSError:\n        d = d.parent"
    ),
    "listed": "d = Path.cwd()\nwhile 'raw' not in [x.name for x in d.iterdir()]:\n    d = d.parent",
}
"""Code that climbs without a test whose path is seen."""
NAMES = {
    "chdir": "while Path.cwd().name != 'sub':\n    os.chdir('..')",
    "name": "p = Path.cwd()\nwhile p.name != 'sub':\n    p = p.parent",
    "basename": "d = os.getcwd()\nwhile os.path.basename(d) != 'sub':\n    d = os.path.dirname(d)",
}
"""Code that climbs to the folder `sub`."""


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Return a notebook two folders deep in a project."""
    for name in (
        "project/pyproject.toml",
        "project/raw/a.csv",
        "project/sub/deep/n.ipynb",
        "project/sub/b.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path / "project/sub/deep/n.ipynb"


@pytest.mark.parametrize("name", CLIMBS)
def test_what_code_looks_for_on_its_way_up_is_found_in_the_project(deep: Path, name: str) -> None:
    """Its folder is mirrored, and further names are looked up there."""
    found = find_static_files(deep, [CLIMBS[name], "open('sub/b.txt')"])

    assert (found.place, found.files, found.warnings) == ("sub/deep", ["raw/a.csv", "sub/b.txt"], [])
    assert "raw" in found.folders


@pytest.mark.parametrize("name", UNSEEN)
def test_names_are_looked_up_in_all_folders_above_if_code_climbs_somewhere(deep: Path, name: str) -> None:
    """Because it may be any of them."""
    code = "open(os.path.join(d, 'raw', 'a.csv'))\nopen(os.path.join(d, 'b.txt'))"

    found = find_static_files(deep, [UNSEEN[name], code])

    assert (found.place, found.files, found.warnings) == ("sub/deep", ["raw/a.csv", "sub/b.txt"], [])


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_to_which_code_climbs_by_its_name_is_mirrored(deep: Path, name: str) -> None:
    """Unless it is the project itself: its copy has another name, which is a warning."""
    found = find_static_files(deep, [NAMES[name], "open('b.txt')"])
    itself = find_static_files(deep, [NAMES[name].replace("sub", "project")])

    assert (found.place, found.files, found.warnings) == ("sub/deep", ["sub/b.txt"], [])
    assert itself.warnings[0].startswith("'project': the code looks for it in the folders above")


def test_code_that_climbs_out_of_the_project_is_warned_about(deep: Path) -> None:
    """The warning names what it looks for; there is none if one of several is found."""
    top = deep.parents[2]
    (top.parent / "data").mkdir()
    climb = "for p in Path.cwd().parents:\n    if any((p / m).exists() for m in ('data', '.root')): break"

    (warning,) = find_static_files(deep, [climb]).warnings
    assert warning.startswith(
        "'data', '.root': the code looks for it in the folders above, where a run does not"
    )
    (top / ".root").write_text("")
    found = find_static_files(deep, [climb])

    assert (found.place, found.files, found.warnings) == ("sub/deep", [".root"], [])


def test_what_a_folder_above_may_lack_is_no_warning_if_the_code_does_not_climb_further(deep: Path) -> None:
    """It may be created there."""
    code = "p = Path.cwd()\np = p.parent\nif not (p / 'out').exists():\n    (p / 'out').mkdir()"

    found = find_static_files(deep, [code])

    assert (found.place, found.files, found.warnings) == ("sub/deep", [], [])


def test_what_follows_an_unknown_folder_is_looked_up_as_one_path(deep: Path) -> None:
    """Also if the folder in it has too many files to be copied."""
    for number in range(3):
        (deep.parents[2] / f"raw/{number}.csv").write_text("")
    climb = "while not (p / 'raw').exists():\n    p = p.parent\n"

    for path in ("p / 'raw' / 'a.csv'", "p.joinpath('raw', 'a.csv')", "os.path.join(p, 'raw', 'a.csv')"):
        found = find_static_files(
            deep, [f"p = Path.cwd()\n{climb}open({path})"], limits=Limits(static_files=2)
        )
        assert found.files == ["raw/a.csv"]


def test_the_content_of_a_hidden_file_that_marks_a_folder_is_not_copied(deep: Path) -> None:
    """It may be a secret; only its name is there."""
    (deep.parents[2] / ".env").write_text("TOKEN=1")

    found = find_static_files(deep, ["p = Path()\nwhile not (p / '.env').exists(): p = p.parent"])

    assert (found.place, found.files) == ("sub/deep", [])
    assert ".env" in found.folders


@pytest.mark.parametrize(
    "code",
    [
        "node = tree\nwhile node.parent:\n    node = node.parent\nprint(node.kind == 'raw')",
        "for p in folder.parent.iterdir():\n    (p / 'raw').exists()",
        "for p in parents:\n    (p / 'raw').exists()",
        "while not os.path.exists('raw'):\n    time.sleep(1)",
        "for f in files:\n    p = f.parent\n    (p / 'raw').exists()",
        "name = line.split('/')[0].replace('raw', 'x')",
    ],
    ids=["tree", "siblings", "unknown", "waits", "parents-of-files", "text"],
)
def test_code_that_does_not_climb_is_not_taken_for_it(deep: Path, code: str) -> None:
    """Nothing is found or warned about."""
    found = find_static_files(deep, [code])

    assert (found.place, found.files, found.warnings) == (".", [], [])


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("p = Path.cwd()\np = p.parent\np = p.parent\nopen(p / 'raw' / 'a.csv')", ["raw/a.csv"]),
        ("p = Path.cwd()\nif p.name == 'deep':\n    p = p.parent\nopen(p / 'b.txt')", ["sub/b.txt"]),
        ("p = Path('../..')\np /= 'raw'\nopen(p / 'a.csv')", ["raw/a.csv"]),
        ("d = '../..'\nd += '/raw'\nopen(d + '/a.csv')", ["raw/a.csv"]),
        ("a, b = Path('..'), 'b.txt'\nopen(a / b)", ["sub/b.txt"]),
        ("(p := Path('..'))\nopen(p / 'b.txt')", ["sub/b.txt"]),
        ("parts = ['..', '..', 'raw', 'a.csv']\nopen(os.path.join(*parts))", ["raw/a.csv"]),
        ("open(Path(*('..', 'b.txt')))", ["sub/b.txt"]),
        ("def load(path='../b.txt'):\n    open(path)", ["sub/b.txt"]),
        ("def load(name, folder=Path('../..') / 'raw'):\n    open(folder / name)", ["raw/a.csv"]),
        ("def load(name, *, folder='../..'):\n    open(folder + f'/raw/{name}.csv')", ["raw/a.csv"]),
        ("def load(name='b.csv'):\n    open(Path('..') / '..' / 'raw' / name)", ["raw/a.csv"]),
        ("p = Path('..')\nopen(p / 'x.csv')\np = p / '..'\nopen(p / 'raw/a.csv')", ["raw/a.csv"]),
        ("root = find()\nos.chdir('../..')\nopen(f'{root}/raw/a.csv')", ["raw/a.csv"]),
        ("root = find()\nos.chdir('../..')\nopen(root + '/raw/a.csv')", ["raw/a.csv"]),
    ],
    ids=[
        "parent", "if", "divide", "add", "tuple", "walrus", "join", "star", "default", "default-path",
        "default-keyword", "default-part", "later", "unknown-f-string", "unknown-sum",
    ],
)  # fmt: skip
def test_names_that_are_assigned_again_and_defaults_make_paths(
    deep: Path, code: str, files: list[str]
) -> None:
    """In whatever order; a caller may give another value than a default, which is any file there."""
    found = find_static_files(deep, ["import os", code])

    assert (found.place, found.files, found.warnings) == ("sub/deep", files, [])
