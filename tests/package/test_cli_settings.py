import json
import os
from pathlib import Path

import pytest

from runwidgets.cli.clean import CleanApp
from runwidgets.cli.command import RunWidgetsCommand
from runwidgets.cli.demo import DemoApp
from runwidgets.cli.doctor import DoctorApp
from runwidgets.cli.root import RootVerb
from runwidgets.cli.verb import Verb
from runwidgets.service.factory import open_instance

VERBS = [CleanApp, DemoApp, DoctorApp, RunWidgetsCommand]
EACH_VERB = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test its own folder of Jupyter's configuration, and a working directory."""
    for name in ("config", "data", "runtime"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "config"


def started(cls: type[Verb], *options: str) -> Verb:
    """Return a verb with its settings, before it does anything."""
    verb = cls()
    verb.initialize(list(options))
    return verb


def refusal(cls: type[Verb], capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Return the sentence with which a command line is refused."""
    with pytest.raises(SystemExit) as exit_info:
        started(cls, *options)
    printed = capsys.readouterr()
    assert exit_info.value.code in (1, 2) and "Traceback" not in printed.err and not printed.out
    return printed.err


@pytest.mark.parametrize(
    "name",
    [
        "jupyter_config.py",
        "jupyter_lab_config.py",
        "jupyter_runwidgets_config.py",
        "jupyter_server_config.d/mine.json",
        "jupyter_server_config.json",
        "jupyter_server_config.py",
    ],
)
def test_a_verb_has_the_root_of_the_servers_configuration(config: Path, tmp_path: Path, name: str) -> None:
    """Every file that a server reads counts."""
    root = str(tmp_path / "configured")
    path = config / name
    path.parent.mkdir(exist_ok=True)
    is_json = path.suffix == ".json"
    path.write_text(json.dumps({"RunWidgetsApp": {"root": root}}) if is_json else setting("root", root))

    assert [started(verb).settings.root for verb in (CleanApp, DemoApp, DoctorApp)] == [root] * 3


def setting(name: str, value: object) -> str:
    """Return a line of a configuration file."""
    return f"c.RunWidgetsApp.{name} = {value!r}\n"


def test_the_more_specific_setting_wins(config: Path, tmp_path: Path) -> None:
    """Of the default, the configuration, the file that is named, and the command line, the last one wins."""
    roots = [str(tmp_path / name) for name in ("data/runwidgets", "configured", "named", "given")]
    found = [started(DoctorApp).settings.root]

    (config / "jupyter_server_config.py").write_text(setting("root", roots[1]))
    (tmp_path / "other.py").write_text(setting("root", roots[2]))

    found.append(started(DoctorApp).settings.root)
    found.append(started(DoctorApp, "--config=other.py").settings.root)
    found.append(started(DoctorApp, "--config=other.py", f"--RunWidgetsApp.root={roots[3]}").settings.root)
    assert found == roots


@pytest.mark.parametrize(
    ("given", "found"),
    [("here", "here"), ("~/there", "there"), ("s3://bucket/a", "s3://bucket/a"), ("file:///x", "/x")],
)
def test_the_option_root_is_a_path_of_the_shell(tmp_path: Path, given: str, found: str) -> None:
    """A relative one starts at the working directory, and a URL is a URL."""
    expected = found if "://" in found else str(tmp_path / found)

    assert started(DoctorApp, f"--root={given}").settings.root == expected


def test_another_root_has_nothing_of_the_servers_root(config: Path, tmp_path: Path) -> None:
    """Its database and what is kept are those of the command line; otherwise, nothing in it would be safe."""
    lines = [setting("root", str(tmp_path / "one")), setting("keep_runs", 3), setting("keep_days", 4)]
    lines.append(setting("db_url", "postgresql+psycopg://user@host/runs"))
    (config / "jupyter_server_config.py").write_text("".join(lines))

    same = started(CleanApp, "--root=one").settings
    other = started(CleanApp, "--root=two", "--keep-days=5").settings

    assert (same.keep_runs, same.keep_days, bool(same.db_url)) == (3, 4, True)
    assert (other.keep_runs, other.keep_days, other.db_url) == (0, 5, "")


@EACH_VERB
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--dryrun=1", "--dryrun: there is no such option"),
        ("--dryrun", "dryrun"),
        ("-x", "x"),
        ("--RunWidgetsApp.rot=x", "RunWidgetsApp.rot: there is no such setting; did you mean root?"),
        ("--RunWidgetApp.root=/x", "RunWidgetApp.root: there is no such setting; settings are of"),
        ("--ServerApp.port=1", "ServerApp.port: there is no such setting; settings are of"),
        ("something", "something: "),
    ],
)
def test_what_does_not_exist_is_refused(
    verb: type[Verb], option: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An option, a flag, a setting, a class or an argument that is mistyped does nothing."""
    assert sentence in refusal(verb, capsys, option)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--root="], "--root: it is empty"),
        (["--root=s3:/bucket"], "neither a folder nor a URL"),
        (["--config=missing.py"], "missing.py is not a file with the suffix .py or .json"),
        (["--RunWidgetsApp.root=relative"], "'relative' is relative; give an absolute folder"),
        (["--RunWidgetsApp.keep_days=-1"], "should not be less than 0"),
        (["--db-url=runs.db"], "give one such as postgresql"),
    ],
)
def test_a_wrong_value_is_refused(
    options: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence says what would be right."""
    assert sentence in refusal(CleanApp, capsys, *options)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (setting("rot", "/x"), "RunWidgetsApp.rot: there is no such setting; did you mean root?"),
        (setting("root", "relative"), "'relative' is relative; give an absolute folder"),
        ("1 / 0\n", "cannot be read: ZeroDivisionError: division by zero"),
        ("c.RunWidgetsApp.root = \n", "cannot be read: SyntaxError"),
    ],
)
def test_a_wrong_configuration_is_refused(
    config: Path, line: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No other root is used instead."""
    (config / "jupyter_server_config.py").write_text(line)

    assert sentence in refusal(CleanApp, capsys)


def roots(folder: Path) -> list[Path]:
    """Return what is in the folders that a test names as roots; Jupyter and IPython write to others."""
    return sorted(path for name in ("nowhere", "empty", "full") for path in (folder / name).rglob("*"))


@pytest.mark.parametrize("verb", [CleanApp, DoctorApp], ids=lambda verb: verb.__name__)
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--root=nowhere"], "root: there is no folder"),
        (["--root=empty"], "is not the root of a server"),
        (["--root=full", "--db-url=mysql://u:secret@h/d"], "db_url: mysql:// is not supported; give the URL"),
        (["--root=full", "--db-url=nothing://u:secret@h/d"], "db_url: nothing:// is not supported"),
        (["--root=full", "--db-url=postgresql://u:secret@h:port/d"], "db_url: it is not an SQLAlchemy URL"),
        (["--root=full", "--db-url=postgresql://u:secret@localhost:1/d"], "database: it does not respond"),
        (["--root=gs://bucket"], "db_url: gs://bucket cannot hold a database"),
        (["--root=odd://b", "--db-url=sqlite:////x.db"], "root: odd://b cannot be opened"),
    ],
)
def test_a_root_that_cannot_be_used_is_named(
    verb: type[RootVerb],
    options: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """The verb exits with a sentence, prints no password, and creates nothing."""
    (tmp_path / "empty").mkdir()
    open_instance(tmp_path / "full").close()
    before = roots(tmp_path)

    with pytest.raises(SystemExit) as exit_info:
        started(verb, *options).start()

    printed = capsys.readouterr().err + str(exit_info.value.code)
    assert sentence in printed and "secret" not in printed
    assert not (tmp_path / "nowhere").exists()
    assert roots(tmp_path) == before


def test_doctor_and_clean_print_the_root_of_the_configuration(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The root is the first line."""
    open_instance(tmp_path / "configured").close()
    (config / "jupyter_server_config.py").write_text(setting("root", str(tmp_path / "configured")))

    started(CleanApp).start()
    with pytest.raises(SystemExit):
        started(DoctorApp).start()

    line = f"root: {tmp_path / 'configured'}"
    assert [each for each in capsys.readouterr().out.splitlines() if each.startswith("root")] == [line] * 2


def test_the_demo_passes_settings_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """JupyterLab gets the settings, the configuration file, and what follows two hyphens."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, command: commands.append(command))
    (tmp_path / "other.py").touch()
    options = ["--RunWidgetsApp.slots=2", "--config=other.py", "--folder=play", "--", "--ServerApp.port=0"]

    started(DemoApp, *options).start()

    assert {f"--config={tmp_path / 'other.py'}", "--RunWidgetsApp.slots=2", "--ServerApp.port=0"} <= set(
        commands[0]
    )
    assert not list((tmp_path / "play").rglob("__pycache__"))


def test_the_demo_refuses_a_folder_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file stays as it is."""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(SystemExit):
        started(DemoApp, "--folder=file").start()

    assert f"folder: {tmp_path / 'file'} is not a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"
