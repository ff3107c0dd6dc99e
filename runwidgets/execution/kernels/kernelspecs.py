"""The kernelspecs of this machine: which there are, and what is wrong with one."""

import re
import shutil
from collections.abc import Iterator

from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpec, KernelSpecManager, NoSuchKernel
from traitlets import TraitError

from runwidgets.errors import UnknownKernelError
from runwidgets.schema import RunConfig, RunnerTemplate
from runwidgets.templates.texts import shorten

PYTHON = re.compile(r"python(3(\.\d+)?)?")
"""The interpreter in a kernelspec that Jupyter replaces by its own. **Source:** jupyter_client 8,
``KernelManager.format_kernel_cmd``."""
LOCAL_PROVISIONER = "local-provisioner"
"""The launcher of kernels as processes of this machine. **Source:** jupyter_client 8, its entry points."""
MISSING = "it is not installed here"
MAX_PROPOSED = 10
"""Kernelspecs that an error proposes at most."""


def select_kernel(template: RunnerTemplate, config: RunConfig) -> str:
    """Return the kernelspec on which a run executes: that of its config, or of its notebook, or empty."""
    return config.get("kernel_name") or template["kernelName"]


def find_kernelspec(name: str) -> KernelSpec:
    """Return the kernelspec with a name.

    Parameters
    ----------
    name : str
        ``"python"`` is an alias of the native kernel, as in
        ``jupyter_client.KernelManager.kernel_name``.

    Returns
    -------
    KernelSpec
        The installed kernelspec; its program may be missing.

    Raises
    ------
    UnknownKernelError
        It is not installed, or its ``kernel.json`` does not describe a program.
    """
    subject = f"kernel '{shorten(name)}'"
    try:
        spec = KernelSpecManager().get_kernel_spec(NATIVE_KERNEL_NAME if name == "python" else name)
    except NoSuchKernel:
        is_there = name.lower() in KernelSpecManager().find_kernel_specs()
        problem = "its kernel.json asks for a provisioner that is not installed here" if is_there else MISSING
        raise UnknownKernelError(subject, problem) from None
    except UnicodeDecodeError as error:
        raise UnknownKernelError(subject, "its kernel.json is not text in UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise UnknownKernelError(subject, "its kernel.json is not JSON") from error
    except (TraitError, TypeError) as error:
        raise UnknownKernelError(subject, "its kernel.json does not describe a kernel") from error
    except OSError as error:
        raise UnknownKernelError(subject, f"its kernel.json cannot be read ({error.strerror})") from error
    if fault := _find_fault(spec):
        raise UnknownKernelError(subject, fault)
    return spec


def check_kernelspec(name: str, language: str) -> KernelSpec:
    """Return the kernelspec with a name; an error proposes those of a language.

    Parameters
    ----------
    name : str
        The kernelspec; empty if the notebook does not name one.
    language : str
        Language of the notebook.

    Returns
    -------
    KernelSpec
        The installed kernelspec.

    Raises
    ------
    UnknownKernelError
        It is not named, not installed, or damaged.
    """
    try:
        if not name:
            raise UnknownKernelError("kernel", "the notebook does not name one")
        return find_kernelspec(name)
    except UnknownKernelError as error:
        raise UnknownKernelError(
            error.subject, error.problem, propose_kernels(language, bool(name))
        ) from error


def propose_kernels(language: str, is_named: bool = True) -> str:
    """Return what to do about a kernel that cannot be used: which others there are for a language."""
    names = sorted(
        name for name, spec in _usable_kernelspecs() if spec.language.casefold() == language.casefold()
    )
    if not names:
        return f"no kernel for {shorten(language)} is installed here: install one"
    more = f" and {len(names) - MAX_PROPOSED} more" if len(names) > MAX_PROPOSED else ""
    shown = ", ".join(map(shorten, names[:MAX_PROPOSED]))
    choose = "install it, or choose" if is_named else "choose"
    return f"{choose} a kernel for {shorten(language)} with kernel_name: {shown}{more}"


def _usable_kernelspecs() -> Iterator[tuple[str, KernelSpec]]:
    """Yield the kernelspecs that are not damaged and whose program exists."""
    for name in KernelSpecManager().find_kernel_specs():
        try:
            spec = find_kernelspec(name)
        except UnknownKernelError:
            continue
        program = spec.argv[0].replace("{resource_dir}", spec.resource_dir)
        if PYTHON.fullmatch(program) or shutil.which(program, path=spec.env.get("PATH")):
            yield name, spec


def _find_fault(spec: KernelSpec) -> str | None:
    """Return why a kernelspec cannot be started, as far as its ``kernel.json`` tells."""
    texts = [*spec.argv, *spec.env, *spec.env.values()]
    if not spec.argv or not spec.argv[0]:
        return "its kernel.json names no program (argv)"
    if not all(isinstance(each, str) and "\0" not in each for each in texts):
        return "argv and env in its kernel.json must be strings"
    provisioner = spec.metadata.get("kernel_provisioner", {})
    name = provisioner.get("provisioner_name") if isinstance(provisioner, dict) else provisioner
    if name not in (None, LOCAL_PROVISIONER):
        return f"its kernel.json asks for the provisioner '{shorten(str(name))}', which runs do not use"
    return None
