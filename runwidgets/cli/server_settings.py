"""Reads the settings of the server of this user, in the way in which the server reads them."""

import logging
import warnings
from pathlib import Path

from jupyter_server.serverapp import ServerApp
from traitlets import TraitError
from traitlets.config import Config

from runwidgets.errors import describe
from runwidgets.server.extension import RunWidgetsApp


def read_settings(given: Config, config_file: str = "") -> RunWidgetsApp:
    """Return the settings that a server would have if it were started by this user now.

    Jupyter Server itself reads them: ``jupyter_server_config.py`` and similar files, and the configuration of
    all enabled extensions, because that of JupyterLab is passed on to the others. Nothing is started.

    Parameters
    ----------
    given : Config
        Settings of the command line, which take precedence.
    config_file : str, optional
        A file that is read instead of ``jupyter_server_config``; empty for none.

    Returns
    -------
    RunWidgetsApp
        The extension with its settings; it is not started.

    Raises
    ------
    TraitError
        A setting is wrong or does not exist, or a file cannot be read.
    """
    if config_file and not (Path(config_file).is_file() and Path(config_file).suffix in (".py", ".json")):
        raise TraitError(f"--config: {config_file} is not a file with the suffix .py or .json")
    path = str(Path(config_file).absolute()) if config_file else ""
    server = ServerApp(config_file=path, log_level=logging.CRITICAL, raise_config_file_errors=True)
    server.cli_config = given
    with warnings.catch_warnings(record=True):  # of other extensions
        try:
            server.load_config_file(suppress_errors=False)
            server.update_config(given)
            server.find_server_extensions()
            server.init_server_extensions()
        except Exception as error:  # the files are code of the user
            raise TraitError(f"the configuration of the server cannot be read: {describe(error)}") from error
        extensions = [app for apps in server.extension_manager.extension_apps.values() for app in apps]
        found = [app for app in extensions if isinstance(app, RunWidgetsApp)]
        if not found:  # it is installed, but not enabled
            found = [RunWidgetsApp()]
            found[0]._link_jupyter_server_extension(server)
    if found[0].config_problem is not None:
        raise TraitError(found[0].config_problem)
    return found[0]
