"""Which kernelspec a run executes on, and what is said of one that cannot be used."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from runwidgets.errors import InvalidArgumentError, UnknownKernelError
from runwidgets.service.contracts.api import Api
from runwidgets.service.factory import Instance, open_instance
from tests.builders import Json, arguments, ended, group_of, read, workflow, write_notebook
from tests.kernelspecs import IPYKERNEL, install, kernel, metadata

DAMAGED: dict[str, tuple[object, str]] = {
    "missing": (None, "it is not installed here"),
    "empty": (b"", "its kernel.json is not JSON"),
    "not JSON": (b"{argv: []}", "its kernel.json is not JSON"),
    "not text": (b'{"argv": ["\xff"]}', "its kernel.json is not text in UTF-8"),
    "too deep": (b"[" * 100_000, "its kernel.json is not JSON"),
    "a list": ([], "its kernel.json does not describe a kernel"),
    "null": (
        None.__repr__().encode().replace(b"None", b"null"),
        "its kernel.json does not describe a kernel",
    ),
    "no program": ({"display_name": "Odd", "language": "python"}, "its kernel.json names no program (argv)"),
    "an empty program": (kernel(""), "its kernel.json names no program (argv)"),
    "numbers in the command": (
        {**kernel(), "argv": ["python", 1]},
        "argv and env in its kernel.json must be",
    ),
    "NUL in the command": (kernel("python", "\0"), "argv and env in its kernel.json must be strings"),
    "numbers in the environment": (kernel("python", env={"A": 1}), "argv and env in its kernel.json must be"),
    "another provisioner": (
        kernel("python", metadata={"kernel_provisioner": {"provisioner_name": "remote"}}),
        "its kernel.json asks for a provisioner that is not installed here",
    ),
}


@pytest.fixture
def private_instance(tmp_path: Path) -> Iterator[Instance]:
    """Open an instance that sees the kernelspecs of the test."""
    instance = open_instance(tmp_path / "root", slots=1)
    yield instance
    instance.close()


def executed(api: Api, handle: Json) -> Json:
    """Return the executed notebook of a run."""
    notebook: Json = nbformat.reads(read(api.runs.get_notebook(handle["id"])).decode(), 4)
    return notebook


def test_the_config_names_the_kernel(api: Api, folder: Path) -> None:
    """The notebook executes on it, which the executed notebook says; a rerun uses it again."""
    made = workflow(api, folder, "print(x, get_ipython().__class__.__name__)", parameters="x = 1")

    first = api.runs.start_run(group_of(made), arguments(x=2), {"kernel_name": "xpython"})
    handle = ended(api, first["id"])
    again = ended(api, api.runs.rerun(first["id"])["id"])

    for run in (handle, again):
        assert run["state"] == "SUCCESS", run["messages"]
        assert api.runs.get_log(run["id"])["text"].startswith("2 XPythonShell")
        assert executed(api, run)["metadata"]["kernelspec"]["name"] == "xpython"


@pytest.mark.parametrize("name", ["", 5, "x" * 256, "a\0b", "\ud800"], ids=ascii)
def test_a_kernel_name_that_is_no_name_is_refused(
    private_instance: Instance, tmp_path: Path, name: object
) -> None:
    """The setting is named."""
    api = private_instance.api()
    group = group_of(workflow(api, tmp_path, "1"))

    with pytest.raises(InvalidArgumentError, match=r"config\.kernel_name"):
        api.runs.start_run(group, [], {"kernel_name": name})  # type: ignore[typeddict-item]


@pytest.mark.local  # the workers of a cluster have kernelspecs of their own
@pytest.mark.parametrize("start", ["run", "sweep"])
def test_a_kernel_that_is_not_installed_is_refused(api: Api, folder: Path, start: str) -> None:
    """The error names those of the language; nothing is accepted."""
    made = workflow(api, folder, "1", parameters="x = 1")
    group, config = group_of(made), {"kernel_name": "no-such"}

    with pytest.raises(
        UnknownKernelError, match=r"kernel 'no-such': it is not installed here; .*python3"
    ) as refused:
        if start == "run":
            api.runs.start_run(group, [], config)
        else:
            api.sweeps.start_sweep(group, [arguments(x=1), arguments(x=2)], config)

    assert refused.value.status == 400
    assert "ir" not in refused.value.message.split(": ")[-1].split(", ")
    assert api.runs.list_runs(group)["runs"] == [] and api.sweeps.list_sweeps(group)["sweeps"] == []
    assert "warnings" not in made


@pytest.mark.local  # the workers of a cluster have kernelspecs of their own
def test_a_kernel_of_another_language_is_refused(api: Api, folder: Path) -> None:
    """Values would be injected in the wrong language."""
    group = group_of(workflow(api, folder, "1"))

    with pytest.raises(InvalidArgumentError, match=r"kernel 'ir' executes R; choose a kernel for python"):
        api.runs.start_run(group, [], {"kernel_name": "ir"})


@pytest.mark.local  # the workers of a cluster have kernelspecs of their own
def test_a_notebook_without_a_kernel_needs_one(api: Api, folder: Path) -> None:
    """Its language is known: there is a warning, a start names the kernels, and works with one of them."""
    path = write_notebook(folder / "no-kernel.ipynb", "print(x)", parameters="x = 1")
    notebook = json.loads(path.read_text())
    notebook["metadata"] = {"language_info": {"name": "python"}}
    path.write_text(json.dumps(notebook))
    made = api.workflows.create_workflow(str(path))
    group = group_of(made)

    assert made["warnings"][0].startswith("kernel: the notebook does not name one; ")
    with pytest.raises(
        UnknownKernelError, match=r"one; choose a kernel for python with kernel_name: .*python3"
    ):
        api.runs.start_run(group, [])
    handle = ended(api, api.runs.start_run(group, arguments(x=3), {"kernel_name": "python3"})["id"])
    assert handle["state"] == "SUCCESS", handle["messages"]
    assert api.runs.get_log(handle["id"])["text"] == "3\n"
    assert executed(api, handle)["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.local  # the workers of a cluster have kernelspecs of their own
@pytest.mark.parametrize("kind", DAMAGED)
def test_a_kernel_that_cannot_be_used_is_named(
    private_instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The workflow has a warning, as long as that is so; a start is refused with the same words."""
    spec, problem = DAMAGED[kind]
    if spec is not None:
        install(tmp_path / "jupyter", "odd", spec, monkeypatch)
    api = private_instance.api()
    made = workflow(api, tmp_path, "print(1)", **metadata("odd"))

    (warning,) = made["warnings"]
    assert warning.startswith(f"kernel 'odd': {problem}") and "python3" in warning
    with pytest.raises(UnknownKernelError) as refused:
        api.runs.start_run(group_of(made), [])
    assert refused.value.message == warning
    assert api.runs.list_runs(group_of(made))["runs"] == []

    if spec is None:
        install(tmp_path / "jupyter", "odd", kernel(*IPYKERNEL), monkeypatch)
    else:
        (tmp_path / "jupyter/kernels/odd/kernel.json").unlink()
        install(tmp_path / "later", "odd", kernel(*IPYKERNEL), monkeypatch)
    assert "warnings" not in api.workflows.get_workflow(made["id"])
    assert ended(api, api.runs.start_run(group_of(made), [])["id"])["state"] == "SUCCESS"


@pytest.mark.local  # the workers of a cluster have kernelspecs of their own
def test_kernels_that_would_not_start_are_not_proposed(
    private_instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are damaged, lack their program, or execute another language are left out."""
    install(
        tmp_path / "jupyter",
        "sound",
        kernel(sys.executable, "{connection_file}", language="Odd"),
        monkeypatch,
    )
    install(tmp_path / "jupyter", "empty", kernel(language="odd"), monkeypatch)
    install(tmp_path / "jupyter", "missing", kernel("/nowhere/odd", language="odd"), monkeypatch)

    made = workflow(private_instance.api(), tmp_path, "1", **metadata("no-such", "odd"))

    assert made["warnings"][-1].endswith("choose a kernel for odd with kernel_name: sound")


@pytest.mark.local  # the workers of a cluster have kernelspecs of their own
def test_a_language_without_kernels_is_named(private_instance: Instance, tmp_path: Path) -> None:
    """There is nothing to choose from."""
    made = workflow(private_instance.api(), tmp_path, "1", **metadata("no-such", "cobol"))

    assert "no kernel for cobol is installed here: install one" in made["warnings"][-1]


def test_runs_on_different_kernels_are_not_the_same(api: Api, folder: Path) -> None:
    """A sweep that reuses earlier runs does not take those of another kernel."""
    group = group_of(workflow(api, folder, "1", parameters="x = 1"))
    first = ended(api, api.runs.start_run(group, arguments(x=1))["id"])
    assert first["state"] == "SUCCESS"

    same = api.sweeps.start_sweep(group, [arguments(x=1)], {"reuse": True})
    other = api.sweeps.start_sweep(group, [arguments(x=1)], {"reuse": True, "kernel_name": "xpython"})

    assert same["counts"].get("SUCCESS") == 1
    assert other["counts"].get("SUCCESS", 0) == 0
