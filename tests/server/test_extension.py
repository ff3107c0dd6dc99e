import json
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_events import EventLogger
from jupyter_server.serverapp import ServerApp
from traitlets import Float, Integer, TraitError
from traitlets.config import Config

from runwidgets.limits import Limits
from runwidgets.server.events.jupyter_events import SCHEMA, state_notice
from runwidgets.server.extension import RunWidgetsApp
from runwidgets.server.settings import RENAMED, Settings
from runwidgets.service.contracts.api import Api
from tests.builders import ended, finished, running, wait_until
from tests.conftest import JupyterServer, start_server

TRAITS = {name: trait for name, trait in Settings.class_own_traits(config=True).items()}


class TestSettings:
    @pytest.mark.parametrize("name", sorted(TRAITS))
    def test_a_setting_has_a_help_text(self, name: str) -> None:
        """The text has sentences, the unit of a number, and the meaning of an empty list or string."""
        trait = TRAITS[name]
        words = trait.help.split(".")[0]

        assert trait.help.rstrip().endswith(".")
        if isinstance(trait, (Integer, Float)):
            units = ("Bytes", "Number", "Seconds", "Characters", "Days", "a number")
            assert any(unit in words for unit in units)
            assert "At least" in trait.help or "0 means" in trait.help
        elif not hasattr(trait, "values"):
            assert "Empty means" in trait.help and "Example" in trait.help

    def test_every_limit_is_a_setting_with_the_same_default(self) -> None:
        """Each limit is defined in both classes."""
        app = RunWidgetsApp()

        assert {RENAMED.get(each.name, each.name) for each in fields(Limits)} <= set(TRAITS)
        assert app.limits == Limits()

    def test_help_lists_every_setting(self) -> None:
        """The help is that of ``--help-all``."""
        code = "from runwidgets.server.extension import RunWidgetsApp; RunWidgetsApp.launch_instance()"

        text = subprocess.run(
            [sys.executable, "-c", code, "--help-all"], capture_output=True, text=True, check=True
        ).stdout

        for name in TRAITS:
            assert f"--RunWidgetsApp.{name}=" in text

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("root", "relative/folder", "is relative; give an absolute folder"),
            ("root", __file__, "is a file; give a folder"),
            ("templates_root", "relative", "is relative; give an absolute folder"),
            ("db_url", "runs.db", "give one such as postgresql"),
            ("environment", ["A=1"], "give names such as AWS_PROFILE"),
            ("environment", ["RUNWIDGETS_TOKEN"], "cannot be inherited"),
            ("access", "everybody", "any of"),
            ("slots", -1, "should not be less than 0"),
            ("keep_days", -1, "should not be less than 0"),
            ("keep_days", 40_000, "should not be greater than 36500"),
            ("keep_runs", -1, "should not be less than 0"),
            ("upload", 0, "should not be less than 1"),
        ],
    )
    def test_a_wrong_setting_is_refused_with_what_would_be_right(
        self, name: str, value: Any, sentence: str
    ) -> None:
        """It is refused when it is set, not when it is used."""
        with pytest.raises(TraitError, match=sentence):
            setattr(RunWidgetsApp(), name, value)

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [("root", "relative", "is relative"), ("rot", "/x", "RunWidgetsApp.rot: there is no such setting")],
    )
    def test_a_configuration_that_is_wrong_opens_nothing(self, name: str, value: str, sentence: str) -> None:
        """In a server and in a standalone Voilà alike; otherwise another root would be opened."""
        app = RunWidgetsApp()

        app.read_config(lambda: app.update_config(Config({"RunWidgetsApp": {name: value}})))

        assert app.config_problem is not None and sentence in app.config_problem

    def test_an_empty_root_is_the_default_one(self) -> None:
        """It is a folder in Jupyter's data folder."""
        app = RunWidgetsApp(root="")

        assert Path(app.root).is_absolute() and Path(app.root).name == "runwidgets"


class TestLife:
    def test_jupyter_finds_the_extension_by_its_switch(self) -> None:
        """The file that an installation puts into Jupyter's configuration names our package."""
        switch = Path(__file__).parents[2] / "jupyter-config/jupyter_server_config.d/runwidgets.json"

        extensions = json.loads(switch.read_text())["ServerApp"]["jpserver_extensions"]

        assert extensions == {"runwidgets.server": True}

    def test_settings_may_be_in_the_folder_of_configuration(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Jupyter itself reads only the names of extensions from ``jupyter_server_config.d``."""
        monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
        (tmp_path / "jupyter_server_config.d").mkdir()
        stored = {"RunWidgetsApp": {"root": str(tmp_path / "root"), "slots": 7}}
        (tmp_path / "jupyter_server_config.d" / "mine.json").write_text(json.dumps(stored))
        server, app = ServerApp(config=Config({"RunWidgetsApp": {"slots": 3}})), RunWidgetsApp()

        app._link_jupyter_server_extension(server)

        assert (app.root, app.slots, app.config_problem) == (str(tmp_path / "root"), 3, None)

    def test_a_server_with_a_live_run_stops_in_time_and_the_run_continues(
        self, tmp_path: Path, folder: Path
    ) -> None:
        """With two signals, a listener and a run, it stops within 10 seconds; the next server has the run."""
        first = start_server(tmp_path / "root", folder)
        with first.api() as api:
            handle = running(api, folder, "import time\nprint(1, flush=True)\ntime.sleep(6)\nprint(2)")
            listener = api.events.follow_events(0)
            next(iter(listener))
            begin = time.monotonic()
            first.process.terminate()
            first.process.terminate()
            first.process.wait(10)
            listener.close()  # type: ignore[attr-defined]

        assert time.monotonic() - begin < 10
        second = start_server(tmp_path / "root", folder)
        with second.api() as api:
            assert ended(api, handle["id"])["state"] == "SUCCESS"
        second.stop()

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"root": "{}/root"}, "the root has runs, but no database"),
            ({"root": "relative"}, "RunWidgetsApp.root: 'relative' is relative; give an absolute folder"),
            ({"root": "{}/file/below"}, "/file is not a folder; choose another place"),
            ({"root": "s3:/bucket"}, "'s3:/bucket' is neither a folder nor a URL"),
            ({"db_url": "mysql://u:secret@h/d"}, "db_url: mysql:// is not supported; give the URL of"),
            ({"rot": "{}/other"}, "RunWidgetsApp.rot: there is no such setting; did you mean root?"),
        ],
        ids=str,
    )
    def test_an_instance_that_cannot_be_opened_is_reported(
        self, tmp_path: Path, options: dict[str, str], sentence: str
    ) -> None:
        """The server runs, every route responds with 503 and Retry-After, and the log states the reason."""
        (tmp_path / "root" / "runs" / "lost").mkdir(parents=True)
        (tmp_path / "file").touch()
        command = [sys.executable, "-m", "jupyter", "server", "--no-browser", "--allow-root"]
        command += ["--ServerApp.port=0", "--IdentityProvider.token=t"]
        command += [f"--RunWidgetsApp.{name}={text.format(tmp_path)}" for name, text in options.items()]
        names = ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
        environment = {**os.environ, **dict.fromkeys(names, str(tmp_path))}
        log = tmp_path / "log"
        with (
            log.open("wb") as stream,
            subprocess.Popen(command, env=environment, stderr=stream, cwd=tmp_path) as process,
        ):
            wait_until(lambda: "could not be opened" in log.read_text())
            about = json.loads(next(tmp_path.glob("jpserver-*.json")).read_text())
            answer = httpx.get(f"{about['url']}runwidgets/api/workflows", headers={"api_key": "t"})
            process.terminate()

        assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
        assert sentence in answer.json()["message"] and sentence in log.read_text()
        assert "secret" not in answer.text and "Traceback" not in log.read_text()
        assert process.returncode == 0 and not list(tmp_path.rglob("runwidgets.db"))

    def test_a_run_counts_as_activity_of_the_server(
        self, server: JupyterServer, remote: Api, folder: Path
    ) -> None:
        """A server is not culled while its runs execute."""
        headers = {"Authorization": f"token {server.token}"}
        handle = running(remote, folder, "import time\nprint(1, flush=True)\ntime.sleep(90)")
        started = handle["startedAt"][:19]

        def last_activity() -> str:
            answer = httpx.get(f"{server.url}api/status?no_track_activity=1", headers=headers)
            return str(answer.json()["last_activity"])[:19]

        assert wait_until(last_activity, lambda seen: seen >= started) >= started
        remote.runs.cancel_run(handle["id"])

    def test_the_root_is_for_its_owner_only(self, server: JupyterServer) -> None:
        """Other users of the machine cannot read the stored files."""
        assert server.root.stat().st_mode & 0o077 == 0


class TestJupyterEvents:
    def test_changes_of_state_are_emitted_through_jupyters_own_events(
        self, server: JupyterServer, remote: Api, folder: Path
    ) -> None:
        """Listeners of Jupyter's events receive them, with a versioned schema."""
        import websocket

        url = f"{server.url.replace('http', 'ws', 1)}api/events/subscribe"
        header = [f"Authorization: token {server.token}"]
        with closing(websocket.create_connection(url, header=header)) as listener:
            run_id = finished(remote, folder, "1")["id"]
            heard: list[dict[str, Any]] = []
            while not heard or heard[-1]["state"] != "SUCCESS" or heard[-1]["runId"] != run_id:
                event = json.loads(listener.recv())
                if event["schema_id"] == SCHEMA:
                    heard.append(event)

        assert [event["state"] for event in heard if event["runId"] == run_id] == [
            "PENDING",
            "RUNNING",
            "SUCCESS",
        ]

    def test_a_change_fits_the_schema_and_other_events_give_none(self) -> None:
        """Jupyter rejects an event that does not."""
        schema = (
            Path(sys.modules[state_notice.__module__].__file__ or "").parent / "schemas/run_state/v1.yaml"
        )
        logger = EventLogger()
        logger.register_event_schema(schema)
        event = {"seq": 1, "runId": "r", "groupId": "g", "kind": "state", "at": "2026-01-01T00:00:00Z"}

        change = state_notice({**event, "data": {"state": "RUNNING", "startedAt": "x"}})
        ended = state_notice({**event, "data": {"state": "ERROR", "reason": "timeout", "messages": ["x"]}})

        assert change is not None and ended is not None and ended["reason"] == "timeout"
        logger.schemas.validate_event(SCHEMA, change)
        logger.schemas.validate_event(SCHEMA, ended)
        assert state_notice({**event, "kind": "log", "data": {"size": 3}}) is None


def test_creating_the_application_has_no_effect_on_the_environment() -> None:
    """Nothing is started or published."""
    RunWidgetsApp()

    assert "RUNWIDGETS_TOKEN" not in os.environ
