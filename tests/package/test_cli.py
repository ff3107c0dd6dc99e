import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from tests.builders import wait_until

COMMAND = str(Path(sys.executable).with_name("jupyter-runwidgets"))


def test_the_demo_opens_jupyterlab_on_the_quickstart(tmp_path: Path) -> None:
    """The examples are copied, existing files are kept, and the extension responds."""
    folder, runtime = tmp_path / "play", tmp_path / "runtime"
    folder.mkdir()
    runtime.mkdir(mode=0o700)
    (folder / "quickstart.ipynb").write_text("{}")
    environment = {
        **os.environ,
        "JUPYTER_RUNTIME_DIR": str(runtime),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
    }
    command = [COMMAND, "demo", "--no-browser", f"--folder={folder}", "--", "--ServerApp.port=0"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def server() -> dict[str, Any] | None:
        assert process.poll() is None, (tmp_path / "log").read_text()
        texts = [about.read_text() for about in runtime.glob("jpserver-*.json")]
        return json.loads(texts[0]) if texts and texts[0] else None

    try:
        started = wait_until(server)
        assert started is not None
        headers = {"Authorization": f"token {started['token']}"}
        wait_until(lambda: httpx.get(f"{started['url']}runwidgets/api/", headers=headers).is_success)
        shown = httpx.get(f"{started['url']}lab/tree/quickstart.ipynb", headers=headers)
        assert shown.is_success and "/lab/tree/quickstart.ipynb" in (tmp_path / "log").read_text()
        assert (folder / "quickstart.ipynb").read_text() == "{}"
        assert (folder / "templates" / "data" / "iris.csv").is_file()
    finally:
        process.terminate()
        process.wait(20)


def test_the_command_says_what_there_is() -> None:
    """Without a subcommand it prints the subcommands, and with --help-all every setting."""
    plain, every = (
        subprocess.run([COMMAND, *options], capture_output=True, text=True, check=True).stdout
        for options in ([], ["--help-all"])
    )

    assert "demo" in plain
    assert "--RunWidgetsApp.slots=" in every


def test_an_unknown_verb_is_refused() -> None:
    """The command exits with 2, and names the argument and the available verbs."""
    done = subprocess.run([COMMAND, "nonsense"], capture_output=True, text=True)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nonsense: the first argument is one of the verbs clean, demo, doctor\n"
