from pathlib import Path

import pytest

from tests.builders import accepted, ended, running, wait_until
from tests.conftest import start_server


@pytest.mark.parametrize("moment", ["while it runs", "and it ends before the restart"])
def test_a_server_killed_during_a_run_stores_its_end_after_a_restart(
    tmp_path: Path, folder: Path, moment: str
) -> None:
    """After SIGKILL and a restart, nothing is lost and nothing is executed twice."""
    root = tmp_path / "root"
    seconds = 6 if moment == "while it runs" else 1
    first = start_server(root, folder, "--RunWidgetsApp.slots=1")
    with first.api() as api:
        sleep = f"import time\nprint('begun', flush=True)\ntime.sleep({seconds})"
        run_id = running(api, folder, sleep, "open('end.txt', 'w').write('true')")["id"]
        waiting = accepted(api, folder, "1")["id"]

        first.kill()

    journal = root / "runs" / run_id / "journal.jsonl"
    if moment != "while it runs":
        wait_until(lambda: '"finished"' in journal.read_text())
    second = start_server(root, folder, "--RunWidgetsApp.slots=1")
    with second.api() as api:
        handle = ended(api, run_id)
        assert handle["state"] == "SUCCESS"
        assert handle["files"][0]["name"] == "end.txt"
        assert journal.read_text().count('"started"') == 1
        assert ended(api, waiting)["state"] == "SUCCESS"
    second.stop()
