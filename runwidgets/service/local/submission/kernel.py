"""The kernel of a run: the one that its config names, or that of its notebook."""

from runwidgets.errors import InvalidArgumentError, UnknownKernelError
from runwidgets.execution.kernels.kernelspecs import select_kernel
from runwidgets.schema import RunConfig, StoredTemplate
from runwidgets.service.local.components import Components
from runwidgets.templates.texts import shorten
from runwidgets.templates.translators import find_translator


def check_kernel(components: Components, template: StoredTemplate, config: RunConfig) -> None:
    """Check that runs can execute on the kernelspec that they ask for.

    Raises
    ------
    UnknownKernelError
        No kernelspec is named, or it is not installed, or damaged.
    InvalidArgumentError
        The config names a kernel that executes another language than the notebook's.
    """
    name, language = select_kernel(template, config), template["language"]
    executed = components.check_kernel(name, language)
    if config.get("kernel_name") is None or not executed:
        return
    wanted, found = find_translator(template["kernelName"], language), find_translator(name, executed)
    if None not in (wanted, found) and wanted is not found:
        raise InvalidArgumentError(
            "config.kernel_name",
            f"kernel '{shorten(name)}' executes {shorten(executed)}",
            f"choose a kernel for {shorten(language)}, the language of the notebook",
        )


def find_kernel_warnings(components: Components, template: StoredTemplate) -> list[str]:
    """Return what keeps runs from executing on the notebook's own kernelspec, in sentences."""
    try:
        components.check_kernel(template["kernelName"], template["language"])
    except UnknownKernelError as error:
        return [error.message]
    return []
