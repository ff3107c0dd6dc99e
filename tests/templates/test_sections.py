import time
from pathlib import Path

import pytest

from runwidgets.errors import InvalidTemplateError
from runwidgets.templates.notebook import read_template
from tests.templates.test_documents import code, write


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: [1", "it is not YAML"),
        (b"\xff\xfe", "it is not YAML"),
        (b"!!python/object/apply:os.system [id]", "it is not YAML"),
        (b"name: &a x\ndescription: *a", "it has an alias"),
        (b"files: " + b"[" * 20_000, "nested deeper than 100 levels"),
        (b"name: " + b"x" * 2_000_000, "more than 1,000,000"),
        (b"[1]", "must be a mapping"),
        (b"name: a\nname: b", "it has 'name' 2 times in the mapping that begins in line 1"),
        (b"parameters:\n- {name: x, label: a, label: b}", "it has 'label' 2 times .* line 2"),
        (b"parameters: [{name: x, dtype: any, defaultValue: !!set {a}}]", "has no JSON form"),
        (b"parameters: [{name: x, dtype: any, defaultValue: !!pairs [a: 1]}]", "has no JSON form"),
        (b"parameters: [{name: x, dtype: any, defaultValue: !!timestamp 2024-01-01}]", "has no JSON form"),
        (b"parameters: [{name: x, dtype: any, defaultValue: !!binary aGk=}]", "has no JSON form"),
    ],
    ids=[
        "broken",
        "binary",
        "code",
        "alias",
        "deep",
        "large",
        "list",
        "twice",
        "inside",
        "set",
        "pairs",
        "time",
        "bytes",
    ],
)
def test_a_hostile_sidecar_is_refused_quickly(tmp_path: Path, text: bytes, said: str) -> None:
    """Aliases multiply and nesting takes minutes, so both are refused early."""
    (tmp_path / "n.ipynb.yaml").write_bytes(text)
    start = time.monotonic()

    with pytest.raises(InvalidTemplateError, match=rf"n\.ipynb\.yaml.*: .*{said}"):
        read_template(write(tmp_path))

    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("default", "said"),
    [
        ("{1: a}", r"parameter 'x'\.defaultValue: its key 1 is not a text; put it in quotes"),
        ("[{a: {true: b}}]", r"defaultValue\[0\]\.a: its key True is not a text"),
        ("{null: b}", "its key None is not"),
        ("{1.5: b}", "its key 1.5 is not"),
    ],
)
def test_a_key_that_is_no_text_is_refused(tmp_path: Path, default: str, said: str) -> None:
    """JSON would make a text of it."""
    path = write(tmp_path, cells=[code("x = None")])
    path.with_name("n.ipynb.yaml").write_text(f"parameters: [{{name: x, defaultValue: {default}}}]")

    with pytest.raises(InvalidTemplateError, match=said):
        read_template(path)


def test_keys_are_texts_everywhere_in_a_sidecar(tmp_path: Path) -> None:
    """Also in the config, and in quotes."""
    path = write(tmp_path, cells=[code("x = None")])
    sidecar = path.with_name("n.ipynb.yaml")
    sidecar.write_text("config: {environment: {1: a}}")
    with pytest.raises(InvalidTemplateError, match=r"n\.ipynb\.yaml, config\.environment: its key 1"):
        read_template(path)
    sidecar.write_text("parameters: [{name: x, defaultValue: {'1': a}}]")

    assert read_template(path).parameters[0].default == {"1": "a"}


@pytest.mark.parametrize(
    ("cell", "given", "default"),
    [
        ("x = None", "2024-01-02", "2024-01-02"),
        ("x = None", "{2024-01-02: 2024-01-02 10:00:00}", {"2024-01-02": "2024-01-02 10:00:00"}),
        ("x: str", "2024-01-02 10:00:00.5Z", "2024-01-02 10:00:00.5Z"),
        ("x = None", "[12:30, 1:30:45.5]", ["12:30", "1:30:45.5"]),
        ("x: date", "2024-01-02", "2024-01-02"),
        ("x: datetime", "2024-01-02 10:00:00", "2024-01-02T10:00:00"),
    ],
)
def test_a_date_is_the_text_that_was_written(tmp_path: Path, cell: str, given: str, default: object) -> None:
    """As in JSON; a parameter with the type of a date makes one of it."""
    path = write(tmp_path, cells=[code(cell)])
    path.with_name("n.ipynb.yaml").write_text(f"parameters: [{{name: x, defaultValue: {given}}}]")

    assert read_template(path).parameters[0].default == default


def test_a_file_with_the_short_name_is_a_sidecar_if_it_has_the_content_of_one(tmp_path: Path) -> None:
    """Then it is not a file of the notebook."""
    path = write(tmp_path, cells=[code("x = 1")])
    path.with_suffix(".yaml").write_text("description: mine\nparameters: [{name: x, label: X}]")

    template = read_template(path)

    assert (template.description, template.parameters[0].label) == ("mine", "X")
    assert (template.static.files, template.warnings) == ([], [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("lr: 0.1\nparameters: {lr: 0.1}", "it has the key 'lr'"),
        ("parameters: {lr: 0.1}", "its 'parameters' is not a list"),
        ("parameters: [{name: lr, value: 0.1}]", "its 'parameters' are not those of a template"),
        ("parameters: [lr]", "its 'parameters' are not those of a template"),
        ("outputs: [a.csv]", "its 'outputs' are not those of a template"),
        ("parameters: []\nconfig: {optimizer: adam}", "its 'config' is not that of runs"),
        ("parameters: []\nfiles: [1]", "its 'files' are not paths"),
        ("parameters: [{name: x", "it is not YAML"),
        ("name: a\nname: b", "it has 'name' 2 times"),
    ],
)
def test_a_file_of_the_user_that_resembles_a_sidecar_is_a_warning(
    tmp_path: Path, text: str, problem: str
) -> None:
    """It changes nothing and fails nothing: it may be data, or declarations that the author misses."""
    path = write(tmp_path, cells=[code("x = 1")])
    path.with_suffix(".yaml").write_text(text)

    template = read_template(path)

    (warning,) = template.warnings
    assert warning.startswith(f"n.yaml: {problem}")
    assert warning.endswith("; it is not used as a sidecar, which is called n.ipynb.yaml")
    assert (template.name, template.config) == ("n", {})


@pytest.mark.parametrize("text", ["lr: 0.1\nname: experiment", "[1, 2]", "text", "", "config: {lr: 1}"])
def test_other_data_with_the_short_name_is_no_warning(tmp_path: Path, text: str) -> None:
    """Nothing about it resembles a sidecar."""
    path = write(tmp_path, cells=[code("x = 1")])
    path.with_suffix(".yaml").write_text(text)

    template = read_template(path)

    assert (template.name, template.warnings) == ("n", [])


@pytest.mark.parametrize("call", ["open('n.yaml')", "open('./n.yaml')", 'Path("n.yaml")'])
def test_what_the_notebook_reads_is_its_data(tmp_path: Path, call: str) -> None:
    """Whatever its content; what would be a sidecar is a warning."""
    path = write(tmp_path, cells=[code(call)])
    data = path.with_suffix(".yaml")
    for text in ("lr: 0.1", "parameters: {lr: 0.1}", "parameters: [{name: x"):
        data.write_text(text)
        template = read_template(path)
        assert (template.static.files, template.warnings) == (["n.yaml"], [])
    data.write_text("name: run 7")

    template = read_template(path)

    assert (template.name, template.static.files) == ("n", ["n.yaml"])
    said = "n.yaml: the notebook reads it; it is not used as a sidecar, which is called n.ipynb.yaml"
    assert template.warnings == [said]


@pytest.mark.parametrize("call", ["open('pretrain-n.yaml')", "open('/etc/n.yaml')", "open('n.yaml2')"])
def test_a_file_with_a_longer_name_is_another(tmp_path: Path, call: str) -> None:
    """The notebook reads that, and `n.yaml` is its sidecar."""
    path = write(tmp_path, cells=[code(call)])
    path.with_suffix(".yaml").write_text("name: mine")

    assert read_template(path).name == "mine"


@pytest.mark.parametrize(
    ("names", "read", "said"),
    [
        (
            ["n.ipynb.yaml", "n.yaml"],
            "n.ipynb.yaml",
            ["n.yaml: it is not read, because the sidecar is n.ipynb.yaml"],
        ),
        (["n.yml"], None, ["n.yml: it is not read, because a sidecar is called n.ipynb.yaml"]),
        (["n.ipynb.yml"], None, ["n.ipynb.yml: it is not read, because a sidecar is called n.ipynb.yaml"]),
        (["n.yaml", "n.yml"], "n.yaml", ["n.yml: it is not read, because the sidecar is n.yaml"]),
        (
            ["n.ipynb.yaml", "n.ipynb.yml"],
            "n.ipynb.yaml",
            ["n.ipynb.yml: it is not read, because the sidecar is n.ipynb.yaml"],
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else str(value),
)
def test_one_file_is_read_and_the_others_are_named(
    tmp_path: Path, names: list[str], read: str | None, said: list[str]
) -> None:
    """A name that is not read would otherwise be missed silently."""
    path = write(tmp_path, cells=[code("x = 1")])
    for name in names:
        path.with_name(name).write_text(f"name: {name}")

    template = read_template(path)

    assert (template.name, template.warnings) == (read or "n", said)


def test_a_sidecar_that_leads_out_of_the_root_is_refused(tmp_path: Path) -> None:
    """A link could reveal files outside."""
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "secret.yaml").write_text("name: secret")
    path = write(root)
    (root / "n.ipynb.yaml").symlink_to(tmp_path / "secret.yaml")

    with pytest.raises(InvalidTemplateError, match="outside the folder"):
        read_template(path, root=root)


@pytest.mark.parametrize(
    ("given", "default"),
    [
        (".inf", {"type": "$float", "value": "Infinity"}),
        ("[.nan, NaN]", [{"type": "$float", "value": "NaN"}, "NaN"]),
        ("'Infinity'", "Infinity"),
    ],
    ids=["number", "in a list", "text"],
)
def test_an_infinite_default_of_any_type_is_a_number(tmp_path: Path, given: str, default: object) -> None:
    """YAML has such numbers; the text of their name is a text."""
    path = write(tmp_path, cells=[code("x = None")])
    path.with_name("n.ipynb.yaml").write_text(f"parameters: [{{name: x, defaultValue: {given}}}]")

    (parameter,) = read_template(path).parameters

    assert (parameter.dtype, parameter.default) == ("any", default)
