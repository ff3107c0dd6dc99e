"""Isolation of preloaded modules, which must be invisible to a notebook until it imports them.

They are removed from `sys.modules`, and restored with all that they import when the notebook imports them,
which takes almost no time.
"""

import builtins
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from types import ModuleType
from typing import Any

from runwidgets.execution.kernels.in_process import LATE_IMPORTS


class ImportIsolation(MetaPathFinder, Loader):
    """The preloaded modules, and the modules that each of them imported."""

    def __init__(self) -> None:
        self._hidden: dict[str, ModuleType] = {}
        self._not_restored: set[str] = set()
        self._restored_together: dict[str, set[str]] = {}
        self._runner_modules: dict[str, ModuleType] = {}
        self._packages: dict[str, ModuleType] = {}
        self._restored: list[str] = []
        self._is_runner = False
        self._specs: dict[str, ModuleSpec | None] = {}
        self._edges: dict[str, set[str]] = {}

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Record which module imports which, in the block."""
        original_import, original_import_module = builtins.__import__, importlib.import_module

        def recording_import(
            name: str,
            globals: Any = None,
            locals: Any = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> Any:
            module = original_import(name, globals, locals, fromlist or (), level)
            importer = globals.get("__name__") if globals else None
            if importer:
                edges = self._edges.setdefault(importer, set())
                base = importlib.util.resolve_name("." * level + name, globals.get("__package__"))
                edges.add(base)
                edges.update(f"{base}.{each}" for each in fromlist or ())
            return module

        def recording_import_module(name: str, package: str | None = None) -> ModuleType:
            module = original_import_module(name, package)
            importer = sys._getframe(1).f_globals.get("__name__")
            if importer:
                self._edges.setdefault(importer, set()).add(module.__name__)
            return module

        builtins.__import__ = recording_import
        importlib.import_module = recording_import_module
        try:
            yield
        finally:
            builtins.__import__ = original_import
            importlib.import_module = original_import_module

    def hide(self, visible: set[str], runner: str, not_restored: set[str], names: Iterable[str]) -> None:
        """Hide the modules that only notebooks import; called once, before any fork.

        Parameters
        ----------
        visible : set of str
            Names that remain in `sys.modules`.
        runner : str
            The module whose imports are restored in a runner.
        not_restored : set of str
            Names that are not restored: a kernel that imports them executes them again.
        names : iterable of str
            Modules that will be imported; what is restored with them is computed now.
        """
        loaded = set(sys.modules) - visible
        edges = {name: self._edges.get(name, set()) & loaded for name in loaded}
        needed = (_closure(runner, edges) | {runner} | not_restored) & loaded
        self._runner_modules = {name: sys.modules[name] for name in needed}
        self._packages = {name: module for name, module in self._runner_modules.items() if "." not in name}
        self._not_restored = not_restored
        for name in loaded:
            module = sys.modules.pop(name)
            if name not in not_restored:
                self._hidden[name] = module
        for name in (*names, *LATE_IMPORTS):
            parts = name.split(".")
            for package in (".".join(parts[:count]) for count in range(1, len(parts) + 1)):
                self._restored_together[package] = _closure(package, edges) - not_restored
        sys.meta_path.insert(0, self)

    def show_runner_modules(self) -> None:
        """Restore modules when a runner imports them; called in a runner before its kernel is forked."""
        self._is_runner = True

    def restore_runner_packages(self) -> None:
        """Restore packages, because some look themselves up; called after the fork of the kernel.

        Their contents are restored on import: most are never imported, and each would be a page to copy.
        """
        sys.modules.update(self._packages)

    def hide_runner_modules(self) -> None:
        """Hide the modules that the runner imported; called in a kernel."""
        self._is_runner = False
        for name in self._restored:
            sys.modules.pop(name, None)

    @staticmethod
    def find_pure(names: set[str]) -> set[str]:
        """Return the modules whose packages contain no compiled module, which can be loaded only once."""
        compiled = {
            name.partition(".")[0]
            for name, module in sys.modules.items()
            if isinstance(getattr(module, "__loader__", None), ExtensionFileLoader)
        }
        return {name for name in names if name.partition(".")[0] not in compiled}

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        """Find a hidden module; the modules that it imported are restored with it."""
        if self._is_runner and fullname in self._runner_modules:
            self._restored.append(fullname)
            return self._make_spec(fullname, self._runner_modules[fullname])
        module = self._hidden.pop(fullname, None)
        if module is None:
            return None
        if fullname not in self._restored_together:
            self._restored_together[fullname] = _closure(fullname, self._edges) - self._not_restored
        for name in self._restored_together[fullname]:
            other = self._hidden.pop(name, None)
            if other is not None:
                sys.modules[name] = other
        return self._make_spec(fullname, module)

    def _make_spec(self, name: str, module: ModuleType) -> ModuleSpec:
        self._specs[name] = module.__spec__
        spec = ModuleSpec(name, self)
        spec._module = module  # type: ignore[attr-defined]
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that was imported before."""
        module: ModuleType = spec._module  # type: ignore[attr-defined]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Restore the module's own specification; the module was executed before the fork."""
        assert module.__spec__ is not None
        module.__spec__ = self._specs.pop(module.__spec__.name)


def _closure(top: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Return the transitive imports of a module, with their parent packages, without the module itself."""
    waiting, found = [top], set()
    while waiting:
        name = waiting.pop()
        if name and name not in found:
            found.add(name)
            waiting += edges.get(name, ())
            waiting.append(name.rpartition(".")[0])
    return found - {top}
