"""A secret is in no file of a run, however the notebook shows it."""

import json
from pathlib import Path

import pytest

from runwidgets.service.factory import open_instance
from tests.builders import arguments, ended, group_of, wait_until, workflow

SECRETS = ['pässw"ord\\', "19283746", "text", "plain"]
WAYS = {
    "print": "print('it is', pw)",
    "stderr": "import sys\nprint(pw, file=sys.stderr)",
    "error": "raise ValueError('bad login ' + pw)",
    "result": "pw",
    "html": "from IPython.display import HTML\nHTML('<b>' + pw + '</b>')",
    "json": (
        "from IPython.display import JSON\nn = int(pw) if pw[0] == '1' else 0\n"
        "JSON({'pin': pw, pw: [pw], 'n': n})"
    ),
    "update": (
        "from IPython.display import display\nhandle = display('wait', display_id=True)\nhandle.update(pw)"
    ),
    "metric": "import runwidgets\nrunwidgets.record('seen', {'as': [pw]})",
    "progress": "import runwidgets\nrunwidgets.progress(0.5, pw)",
    "widget": "import ipywidgets\nipywidgets.Text(value=pw)",
}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_stored_nowhere(tmp_path: Path, secret: str) -> None:
    """Neither files nor the database contain it, and masking it damages nothing."""
    instance = open_instance(tmp_path / "root", slots=2)
    api = instance.api()
    started = {}
    for way, cell in WAYS.items():
        declared = {"parameters": [{"name": "pw", "dtype": "string", "secret": True}]}
        made = workflow(api, tmp_path, cell, "x = 1", parameters="pw = ''", runwidgets=declared)
        started[way] = api.runs.start_run(group_of(made), arguments(pw=secret))["id"]

    states = {way: ended(api, run_id)["state"] for way, run_id in started.items()}
    wait_until(lambda: not instance._backend._tracked)
    instance.close()

    assert states == {way: "ERROR" if way == "error" else "SUCCESS" for way in WAYS}
    if secret in {"text", "plain"}:  # words that occur in every notebook
        return
    shown = {each.encode() for each in (secret, _escaped(secret, True), _escaped(secret, False))}
    for way, run_id in started.items():
        for path in (tmp_path / "root" / "runs" / run_id).rglob("*"):
            if path.is_file() and path.name not in {"template.ipynb", "run.json"}:
                assert not any(each in path.read_bytes() for each in shown), (way, path.name)


def _escaped(text: str, is_ascii: bool) -> str:
    """Return a text as it is written in JSON."""
    return json.dumps(text, ensure_ascii=is_ascii)[1:-1]
