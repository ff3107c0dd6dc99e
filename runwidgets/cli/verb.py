"""The base class of the verbs: each has the configuration of the server, and refuses unknown settings."""

import logging
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from typing import Any

from jupyter_core.application import JupyterApp
from traitlets import TraitError, default
from traitlets.config import Application, Config
from traitlets.config.loader import KVArgParseConfigLoader

from runwidgets.cli.server_settings import read_settings
from runwidgets.errors import ServiceUnavailableError
from runwidgets.server.extension import RunWidgetsApp
from runwidgets.server.settings import SECTION, unknown_setting

USAGE_ERROR = 2
"""Exit code for an invalid command line. **Source:** argparse, ``ArgumentParser.error``."""


class StrictLoader(KVArgParseConfigLoader):
    """A reader of command lines that refuses options which do not exist, instead of warning."""

    def _handle_unrecognized_alias(self, arg: str) -> None:
        self.parser.error(f"--{arg}: there is no such option; --help lists the options")


class Verb(JupyterApp):
    """A command that uses the configuration of the server of this user.

    Attributes
    ----------
    settings : RunWidgetsApp
        The settings of the server, with those of the command line; read by `initialize`.
    server_options : list of str
        The options of the command line that are settings of the server.
    passed_on : list of str
        The arguments for another program.
    """

    version = installed_version("runwidgets")
    aliases = {"config": "JupyterApp.config_file", "log-level": "Application.log_level"}  # noqa: RUF012
    flags = {"debug": Application.flags["debug"]}  # noqa: RUF012
    classes = [RunWidgetsApp]  # noqa: RUF012

    settings: RunWidgetsApp
    passes_on = False
    """Whether arguments after ``--`` are those of another program."""

    @default("log_level")
    def _default_log_level(self) -> int:
        return logging.WARNING

    def initialize(self, argv: Sequence[str] | None = None) -> None:
        """Read the command line and the configuration of the server; exit if one of them is wrong."""
        arguments = list(sys.argv[1:] if argv is None else argv)
        end = arguments.index("--") if self.passes_on and "--" in arguments else len(arguments)
        self.passed_on = arguments[end + 1 :]
        self.server_options = [each for each in arguments[:end] if each.startswith(f"--{SECTION}.")]
        self.parse_command_line(arguments[:end])
        try:
            self.check_command_line()
            self.settings = self.read_settings()
        except (ServiceUnavailableError, TraitError) as error:
            self.refuse(str(error))

    def check_command_line(self) -> None:
        """Raise an error if the command line names a setting that does not exist."""
        known = self._known_settings()
        for section, values in self.cli_config.items():
            for name in values:
                if section not in known:
                    sections = " and ".join(sorted({SECTION, type(self).__name__}))
                    raise TraitError(
                        f"{section}.{name}: there is no such setting; settings are of {sections}"
                    )
                if name not in known[section]:
                    raise TraitError(unknown_setting(section, name, known[section]))
        if self.extra_args:
            raise TraitError(f"{self.extra_args[0]}: {self.name} takes options only; --help lists them")

    def read_settings(self) -> RunWidgetsApp:
        """Return the settings of the server, with those of the command line."""
        return read_settings(Config({SECTION: self.cli_config.get(SECTION, {})}), self.config_file)

    def refuse(self, sentence: str) -> None:
        """Print what is wrong with the command line or the configuration, and exit."""
        print(sentence, file=sys.stderr)
        self.exit(USAGE_ERROR)

    def _known_settings(self) -> dict[str, set[str]]:
        own = [cls.class_own_traits(config=True) for cls in type(self).mro() if issubclass(cls, Verb)]
        known = {type(self).__name__: set().union(*own)}
        known[SECTION] = set(RunWidgetsApp.class_traits(config=True))
        for section, _, name in [target.partition(".") for target in self.aliases.values()]:
            known.setdefault(section, set()).add(name)
        return known

    def _create_loader(self, argv: Any, aliases: Any, flags: Any, classes: Any) -> StrictLoader:
        return StrictLoader(argv, aliases, flags, classes=classes, log=self.log, prog=self.name)
