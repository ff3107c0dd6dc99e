import hashlib
import io
import tarfile
from datetime import datetime
from pathlib import Path
from typing import Any

import nbformat
import pytest

from runwidgets.errors import (
    DuplicateArgumentError,
    InvalidArgumentError,
    InvalidRunStateError,
    MissingArgumentError,
    RunWidgetsError,
    UnknownFileError,
    UnknownParameterError,
    UnknownRunError,
    UnknownWorkflowGroupError,
)
from runwidgets.service.contracts.api import Api
from tests.builders import (
    CLEAN,
    DOUBLE,
    SLEEP,
    accepted,
    arguments,
    ended,
    finished,
    group_of,
    read,
    running,
    wait_until,
    workflow,
    write_notebook,
)

DESCRIPTOR = {"id", "state", "createdAt"}
ALWAYS = DESCRIPTOR | {"workflowId", "groupId", "arguments", "parameters"}


class TestStart:
    def test_an_accepted_run_has_its_handle_and_its_folder(self, api: Api, folder: Path) -> None:
        """The handle of an accepted run has all keys that are always present."""
        made = workflow(api, folder, "x", parameters="x: int = 3")

        handle = api.runs.start_run(group_of(made), arguments(x=5))

        assert set(handle) >= ALWAYS
        assert handle["workflowId"] == made["id"] and handle["groupId"] == group_of(made)
        assert [each["name"] for each in handle["parameters"]] == ["x"]
        assert datetime.fromisoformat(handle["createdAt"]).utcoffset().total_seconds() == 0  # type: ignore[union-attr]
        ended(api, handle["id"])

    def test_arguments_come_back_with_the_type_of_their_parameter(self, api: Api, folder: Path) -> None:
        """They keep their order, and contain no defaults; what was typed as text becomes what it means."""
        declared = "x: int = 3\ny: float = 1.5\nz = 'a'\nsizes: list[int] = []\nis_on = True"
        made = workflow(api, folder, "x", parameters=declared)
        sent = arguments(y="0.50", x="7", z="7", sizes=["1", 2], is_on="false")

        handle = api.runs.start_run(group_of(made), sent)

        assert handle["arguments"] == arguments(y=0.5, x=7, z="7", sizes=[1, 2], is_on=False)
        assert ended(api, handle["id"])["arguments"] == handle["arguments"]
        table = api.runs.get_table(group_of(made))
        shown = table["rows"][0][table["columns"].index("arguments")]
        assert shown == {"y": 0.5, "x": 7, "z": "7", "sizes": [1, 2], "is_on": False}

    @pytest.mark.parametrize(
        ("sent", "error", "sentence"),
        [
            ("x", InvalidArgumentError, "arguments: they are not a list"),
            ([{"name": "x"}], InvalidArgumentError, "not an object with name and value"),
            (arguments(x=1) + arguments(x=1), DuplicateArgumentError, "x: it was given twice"),
            (arguments(xx=1), UnknownParameterError, "xx: there is no such parameter; did you mean x?"),
            (
                [{"name": "file", "value": {"type": "$file", "value": {"fileId": "nil"}}}],
                UnknownFileError,
                "file: no file 'nil' was uploaded",
            ),
            (arguments(x="abc"), InvalidArgumentError, "x: 'abc' is not a whole number"),
            (arguments(x=1.5), InvalidArgumentError, "x: 1.5 is not a whole number"),
            (arguments(x=True), InvalidArgumentError, "x: true is not a whole number"),
            (arguments(x=500), InvalidArgumentError, "x: must be 1 to 100, got 500"),
            ([], MissingArgumentError, "x: it is required"),
        ],
    )
    def test_a_wrong_argument_is_refused_and_leaves_nothing(
        self, api: Api, folder: Path, sent: Any, error: type[RunWidgetsError], sentence: str
    ) -> None:
        """A rejected start leaves no run."""
        declared = "import pathlib\nx: Annotated[int, Ge(1), Le(100)]\nfile: pathlib.Path | None = None"
        group_id = group_of(workflow(api, folder, "x", parameters=declared))

        with pytest.raises(error, match=sentence.replace("?", r"\?")):
            api.runs.start_run(group_id, sent)

        assert api.runs.list_runs(group_id) == {"runs": []}

    def test_arguments_are_checked_in_the_order_of_the_design(self, api: Api, folder: Path) -> None:
        """The first error in this order is reported: duplicates, names, files, values, missing arguments."""
        group_id = group_of(workflow(api, folder, "x", parameters="x: int\ny: int\nf: Path | None = None"))
        twice, unknown = arguments(x="a") + arguments(x="a"), arguments(q=1)
        file = [{"name": "f", "value": {"type": "$file", "value": {"fileId": "nil"}}}]

        for sent, error in [
            (twice + unknown + file, DuplicateArgumentError),
            (unknown + file + arguments(x="a"), UnknownParameterError),
            (file + arguments(x="a"), UnknownFileError),
            (arguments(x="a"), InvalidArgumentError),
            (arguments(x=1), MissingArgumentError),
        ]:
            with pytest.raises(error):
                api.runs.start_run(group_id, sent)

    def test_a_start_in_an_unknown_group_is_refused(self, api: Api) -> None:
        """A run cannot exist without a group."""
        with pytest.raises(UnknownWorkflowGroupError, match="there is no such group"):
            api.runs.start_run("nowhere", [])

    @pytest.mark.parametrize(
        "config",
        [
            {"timeout": -1},
            {"timeout": "x"},
            {"cwd": "else"},
            {"speed": 1},
            {"cell_timeout": True},
            {"key": ""},
        ],
    )
    def test_an_invalid_setting_is_refused(self, api: Api, folder: Path, config: Any) -> None:
        """The error names the setting."""
        group_id = group_of(workflow(api, folder, "1"))

        with pytest.raises(InvalidArgumentError, match=f"config.{next(iter(config))}"):
            api.runs.start_run(group_id, [], config)

    def test_two_starts_with_one_key_are_one_run(self, api: Api, folder: Path) -> None:
        """A double click, or a repeated request, starts only one run."""
        group_id = group_of(workflow(api, folder, "1"))

        first = api.runs.start_run(group_id, [], {"key": "k"})
        second = api.runs.start_run(group_id, [], {"key": "k"})

        assert first["id"] == second["id"]
        assert len(api.runs.list_runs(group_id)["runs"]) == 1
        ended(api, first["id"])

    @pytest.mark.parametrize(
        "text", ["'", '"""', "a\nb", "$(id)", "\u2028", "\u202e", "🙂", "<img onerror=x>"]
    )
    def test_hostile_text_reaches_the_notebook_exactly(self, api: Api, folder: Path, text: str) -> None:
        """Any valid text is accepted and returned unchanged."""
        group_id = group_of(
            workflow(
                api, folder, "import runwidgets\nrunwidgets.record('said', said)", parameters="said = ''"
            )
        )

        handle = ended(api, api.runs.start_run(group_id, arguments(said=text))["id"])

        assert handle["metrics"] == {"said": text}
        assert handle["arguments"] == arguments(said=text)


class TestStates:
    def test_a_successful_run_lists_its_files_and_metrics(self, api: Api, folder: Path) -> None:
        """A SUCCESS run lists every file with name, size and hash, including the executed notebook."""
        group_id = group_of(workflow(api, folder, DOUBLE, parameters="x: int = 3"))

        handle = ended(api, api.runs.start_run(group_id, arguments(x=21))["id"])

        assert handle["state"] == "SUCCESS" and "messages" not in handle
        assert handle["createdAt"] <= handle["startedAt"] <= handle["finishedAt"]
        assert handle["metrics"] == {"double": 42}
        assert handle["progress"]["cell"] == handle["progress"]["cells"] == 3
        table, notebook = handle["files"]
        content = read(api.runs.get_result_file(handle["id"], table["id"]))
        assert (table["name"], table["mimeType"], content) == ("x.csv", "text/csv", b"x\n21\n")
        assert (table["size"], table["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert notebook["mimeType"] == "application/x-ipynb+json"

    def test_a_failed_run_names_the_cell_and_the_exception(self, api: Api, folder: Path) -> None:
        """An ERROR run has the exception, its traceback, no files, and the notebook up to the failure."""
        handle = finished(api, folder, "print('before')", "1 / 0", "print('after')")

        assert (handle["state"], handle["reason"]) == ("ERROR", "cell_error") and "files" not in handle
        assert handle["messages"][0] == "cell 2 raised ZeroDivisionError: division by zero"
        assert "----> 1 1 / 0" in handle["messages"][1]
        table = api.runs.get_table(handle["groupId"])
        assert dict(zip(table["columns"], table["rows"][0], strict=True))["cell"] == 2
        notebook = nbformat.reads(read(api.runs.get_notebook(handle["id"])).decode(), as_version=4)
        nbformat.validate(notebook)
        statuses = [cell.metadata.runwidgets.status for cell in notebook.cells if cell.cell_type == "code"]
        assert statuses == ["ok", "error", "not run"]
        with pytest.raises(UnknownRunError):
            api.runs.get_result_archive(handle["id"])
        with pytest.raises(UnknownFileError):
            api.runs.get_result_file(handle["id"], "anything")

    def test_a_cell_that_may_raise_does_not_fail_the_run(self, api: Api, folder: Path) -> None:
        """A cell tagged `raises-exception` may fail."""
        path = folder / "raises.ipynb"
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        )
        nbformat.write(notebook, path)
        made = api.workflows.create_workflow(str(path))

        assert ended(api, api.runs.start_run(group_of(made), [])["id"])["state"] == "SUCCESS"

    @pytest.mark.parametrize(
        ("cell", "sentence"),
        [
            ("import sys\nsys.exit(3)", "SystemExit: 3"),
            ("import os\nos.kill(os.getpid(), 9)", "cell 1: the kernel was killed by SIGKILL"),
            ("import os\nos._exit(3)", "cell 1: the kernel exited with code 3"),
            ("input('name?')", "StdinNotImplementedError"),
        ],
    )
    def test_a_kernel_that_ends_early_is_an_error(
        self, api: Api, folder: Path, cell: str, sentence: str
    ) -> None:
        """The messages tell how the kernel ended."""
        handle = finished(api, folder, cell, "print('never')")

        assert handle["state"] == "ERROR"
        assert handle["reason"] == ("kernel_died" if "the kernel" in sentence else "cell_error")
        assert sentence in handle["messages"][0]

    @pytest.mark.parametrize("limit", ["timeout", "cell_timeout"])
    def test_a_run_over_its_time_is_an_error_that_names_the_limit(
        self, api: Api, folder: Path, limit: str
    ) -> None:
        """Both limits stop the run like a cancellation."""
        handle = finished(api, folder, SLEEP, config={limit: 1.5})

        assert (handle["state"], handle["reason"]) == ("ERROR", "timeout")
        assert f"limit of 1.5 s ({limit})" in handle["messages"][0]

    def test_a_declared_output_that_is_missing_is_an_error(self, api: Api, folder: Path) -> None:
        """SUCCESS means that every declared output exists."""
        made = workflow(api, folder, "1", runwidgets={"outputs": [{"source": "plot.png"}]})

        handle = ended(api, api.runs.start_run(group_of(made), [])["id"])

        assert (handle["state"], handle["reason"]) == ("ERROR", "outputs_missing")
        assert "plot.png: the template declares this output" in handle["messages"][0]

    def test_declared_outputs_come_first_with_their_titles(self, api: Api, folder: Path) -> None:
        """The entry of a file has the display options of the template."""
        cell = "for name in 'a.txt', 'z.txt':\n    open(name, 'w').write(name)"
        declared = [{"source": "z.txt", "title": "The last letter", "caption": "of the alphabet"}]
        made = workflow(api, folder, cell, runwidgets={"outputs": declared})

        files = ended(api, api.runs.start_run(group_of(made), [])["id"])["files"]

        assert [each["name"] for each in files[:2]] == ["z.txt", "a.txt"]
        assert files[0]["title"] == "The last letter" and files[0]["caption"] == "of the alphabet"

    def test_scraps_glued_with_scrapbook_are_metrics(self, api: Api, folder: Path) -> None:
        """Notebooks that use scrapbook need no change."""
        cell = (
            "import warnings\nwarnings.simplefilter('ignore')\nimport scrapbook\nscrapbook.glue('loss', 0.25)"
        )

        assert finished(api, folder, cell)["metrics"] == {"loss": 0.25}


class TestCancel:
    def test_cancelling_a_running_run_stops_it_and_lets_it_clean_up(self, api: Api, folder: Path) -> None:
        """The handle is CANCELED at once; `finally` blocks execute; the log is kept."""
        run_id = running(api, folder, CLEAN)["id"]

        handle = api.runs.cancel_run(run_id, "enough")

        assert (handle["state"], handle["reason"], handle["messages"]) == ("CANCELED", "canceled", ["enough"])
        assert handle["startedAt"] <= handle["finishedAt"] and "files" not in handle
        wait_until(lambda: "cleaned up" in api.runs.get_log(run_id)["text"])
        assert api.runs.get_run(run_id)["state"] == "CANCELED"

    def test_cancelling_a_pending_run_removes_it_from_the_queue(self, api: Api, folder: Path) -> None:
        """The run never starts."""
        busy = [running(api, folder, SLEEP)["id"] for _ in range(2)]
        waiting = accepted(api, folder, "1")["id"]

        handle = api.runs.cancel_run(waiting)

        for run_id in busy:
            api.runs.cancel_run(run_id)
        assert handle["state"] == "CANCELED" and handle["startedAt"] == handle["finishedAt"]

    def test_cancelling_a_finished_run_is_refused_and_changes_nothing(self, api: Api, folder: Path) -> None:
        """A terminal state never changes."""
        before = finished(api, folder, "1")

        with pytest.raises(
            InvalidRunStateError, match="it has already ended as SUCCESS; only PENDING and RUNNING"
        ):
            api.runs.cancel_run(before["id"])

        assert api.runs.get_run(before["id"]) == before


class TestDelete:
    def test_nothing_remains_of_a_deleted_run(self, api: Api, folder: Path) -> None:
        """Row, files, log and notebook are deleted."""
        handle = finished(api, folder, "open('x.txt', 'w').write('x')")

        assert api.runs.delete_run(handle["id"])["id"] == handle["id"]

        for ask in (api.runs.get_run, api.runs.get_log, api.runs.get_notebook, api.runs.delete_run):
            with pytest.raises(UnknownRunError):
                ask(handle["id"])
        assert api.runs.list_runs(handle["groupId"]) == {"runs": []}

    def test_an_active_run_is_not_deleted(self, api: Api, folder: Path) -> None:
        """It must be cancelled first."""
        run_id = running(api, folder, SLEEP)["id"]

        with pytest.raises(InvalidRunStateError, match="cancel it first"):
            api.runs.delete_run(run_id)

        assert api.runs.cancel_run(run_id)["state"] == "CANCELED"


class TestList:
    def test_runs_are_listed_oldest_first_and_by_page(self, api: Api, folder: Path) -> None:
        """Pages go from the newest runs back; each page is oldest first, and the last one has no `next`."""
        group_id = group_of(workflow(api, folder, SLEEP))
        started = [api.runs.start_run(group_id, [])["id"] for _ in range(5)]
        listing: Any = api.runs.list_runs

        whole = listing(group_id)
        newest = listing(group_id, limit=2)
        older = listing(group_id, limit=3, before=newest["next"])

        for run_id in started:
            api.runs.cancel_run(run_id)
        assert [each["id"] for each in whole["runs"]] == started and "next" not in whole
        assert all(set(each) == DESCRIPTOR for each in whole["runs"])
        assert [each["id"] for each in newest["runs"]] == started[3:]
        assert [each["id"] for each in older["runs"]] == started[:3] and "next" not in older

    def test_runs_are_listed_by_state(self, api: Api, folder: Path) -> None:
        """Only runs in the given state are listed."""
        handle = finished(api, folder, "1")

        assert len(api.runs.list_runs(handle["groupId"], "SUCCESS")["runs"]) == 1
        assert api.runs.list_runs(handle["groupId"], "ERROR")["runs"] == []

    @pytest.mark.parametrize("wrong", [{"state": "DONE"}, {"limit": 0}, {"limit": 501}, {"before": "forged"}])
    def test_an_invalid_listing_is_refused(self, api: Api, folder: Path, wrong: Any) -> None:
        """Unknown states, limits out of range and forged cursors are named in the error."""
        listing: Any = api.runs.list_runs
        group_id = group_of(workflow(api, folder, "1"))

        with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
            listing(group_id, **wrong)


class TestResults:
    def test_the_archive_holds_every_result_file(self, api: Api, folder: Path) -> None:
        """The archive is one stream."""
        cell = "import os\nos.mkdir('deep')\nopen('deep/x.bin', 'wb').write(bytes(range(256)) * 5000)"
        handle = finished(api, folder, cell)

        with api.runs.get_result_archive(handle["id"]) as stream:
            content = io.BytesIO(stream.read())

        with tarfile.open(fileobj=content, mode="r:gz") as archive:
            assert archive.getnames() == [each["name"] for each in handle["files"]]
            member = archive.extractfile("deep/x.bin")
            assert member is not None and member.read() == bytes(range(256)) * 5000

    def test_files_beside_the_notebook_are_found_and_are_not_results(self, api: Api, folder: Path) -> None:
        """A notebook that reads `data/table.csv` and imports a sibling module works unchanged."""
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data" / "table.csv").write_text("a\n1\n")
        (folder / "sibling.py").write_text("def answer():\n    return 42\n")
        cell = "import sibling\nprint(sibling.answer(), open('data/table.csv').read())"

        handle = finished(api, folder, cell)

        assert handle["state"] == "SUCCESS", handle["messages"]
        assert [each["mimeType"] for each in handle["files"]] == ["application/x-ipynb+json"]
        assert api.runs.get_log(handle["id"])["text"].startswith("42 a\n1")

    def test_the_log_is_read_from_any_byte(self, api: Api, folder: Path) -> None:
        """The parts join without a gap, even inside a character."""
        run_id = finished(api, folder, "print('grüße ' * 3)")["id"]
        whole = api.runs.get_log(run_id)

        assert whole["text"] == "grüße grüße grüße \n" and whole["next"] == whole["size"] == 25
        assert api.runs.get_log(run_id, whole["next"])["text"] == ""
        assert api.runs.get_log(run_id, 3)["text"].startswith("ße")
        assert api.runs.get_log(run_id, -1)["text"] == "\n"
        assert api.runs.get_log(run_id, None) == whole

    def test_a_secret_reaches_the_kernel_and_nowhere_else(self, api: Api, folder: Path) -> None:
        """No row, notebook, log or event contains it."""
        declared = {"parameters": [{"name": "password", "dtype": "string", "secret": True}]}
        cell = "import runwidgets\nprint('it is', password)\nrunwidgets.record('length', len(password))"
        made = workflow(api, folder, cell, parameters="password = ''", runwidgets=declared)

        handle = ended(api, api.runs.start_run(group_of(made), arguments(password="hunter2!"))["id"])

        assert handle["metrics"] == {"length": 8}
        assert "hunter2!" not in str(handle)
        assert "hunter2!" not in read(api.runs.get_notebook(handle["id"])).decode()
        assert api.runs.get_log(handle["id"])["text"] == "it is ***\n"


class TestTable:
    def test_it_has_a_row_per_run_newest_first_with_what_it_was_given_and_measured(
        self, api: Api, folder: Path
    ) -> None:
        """The table is paginated; a failed run has its message, and secrets are masked."""
        declared = {"parameters": [{"name": "pin", "dtype": "string", "secret": True}]}
        cell = "import runwidgets\nrunwidgets.record('half', x / 2)\nassert x < 3, 'too much'"
        made = workflow(api, folder, cell, parameters="x = 1\npin = ''", runwidgets=declared)
        ids = []
        for x in (1, 2, 3):
            ids.append(api.runs.start_run(group_of(made), arguments(x=x, pin="hidden"))["id"])
            ended(api, ids[-1])

        first = api.runs.get_table(group_of(made), limit=2)
        second = api.runs.get_table(group_of(made), before=first["next"])

        rows = [dict(zip(first["columns"], row, strict=True)) for row in (*first["rows"], *second["rows"])]
        assert [row["id"] for row in rows] == ids[::-1]
        assert [row["state"] for row in rows] == ["ERROR", "SUCCESS", "SUCCESS"]
        assert [row["arguments"] for row in rows] == [{"x": x, "pin": "***"} for x in (3, 2, 1)]
        assert [row["metrics"] for row in rows] == [{"half": 1.5}, {"half": 1.0}, {"half": 0.5}]
        assert "raised AssertionError: too much" in rows[0]["message"]
        assert all(row["createdAt"] <= row["startedAt"] <= row["finishedAt"] for row in rows)
        assert "next" not in second

    def test_it_takes_no_more_rows_than_it_may(self, api: Api, folder: Path) -> None:
        """The limit is at least one row."""
        group = group_of(workflow(api, folder, "1"))
        for limit in (0, 2_001):
            with pytest.raises(InvalidArgumentError, match="limit: must be 1 to 2,000"):
                api.runs.get_table(group, limit=limit)


class TestRerun:
    def test_a_run_is_started_again_with_its_arguments_and_settings(self, api: Api, folder: Path) -> None:
        """They are repeated as given, without the idempotency key."""
        made = workflow(api, folder, DOUBLE, parameters="x: int = 3")
        first = api.runs.start_run(group_of(made), arguments(x="5"), {"timeout": 50, "key": "once"})

        second = api.runs.rerun(first["id"])

        assert second["id"] != first["id"]
        assert second["arguments"] == first["arguments"]
        assert second["config"] == {"timeout": 50}
        assert ended(api, second["id"])["metrics"] == {"double": 10}
        ended(api, first["id"])

    def test_a_run_is_as_it_was_although_its_notebook_has_changed(self, api: Api, folder: Path) -> None:
        """Today's notebook is taken on request; a notebook that is broken or gone does not matter."""
        (folder / "rates.csv").write_text("old")
        cell = "print(x, y, open('rates.csv').read(), end='')"
        made = workflow(api, folder, cell, parameters="x: int = 3\ny = 1")
        first = ended(api, api.runs.start_run(group_of(made), arguments(x=5))["id"])
        path = folder / first["notebook"]
        write_notebook(path, "print('today', x, y, end='')", parameters="x: int = 3\ny = 2")
        (folder / "rates.csv").write_text("new")

        latest = api.runs.rerun(first["id"], True)
        path.write_text("{")
        broken = api.runs.rerun(first["id"])
        path.unlink()
        gone = api.runs.rerun(broken["id"])

        shown = {
            run["id"]: ended(api, run["id"]) and api.runs.get_log(run["id"])["text"]
            for run in (latest, broken, gone)
        }
        assert list(shown.values()) == ["today 5 2", "5 1 old", "5 1 old"]
        assert broken["version"] == gone["version"] == first["version"] != latest["version"]
        assert broken["version"] == made["version"]

    def test_a_run_is_as_it_was_although_the_config_of_its_group_differs(
        self, api: Api, folder: Path
    ) -> None:
        """The config of a run contains what its group added."""
        made = workflow(api, folder, "x")
        group = api.groups.create_group(made["id"], "limited", engine_config={"timeout": 50, "key": "k"})
        first = api.runs.start_run(group["id"], [], {"retries": 1})

        for latest in (False, True):
            again = api.runs.rerun(first["id"], latest)
            assert again["id"] != first["id"] and again["config"] == {"timeout": 50, "retries": 1}
            ended(api, again["id"])
        ended(api, first["id"])

    def test_arguments_that_todays_template_refuses_are_refused(self, api: Api, folder: Path) -> None:
        """The error is the same as for a new run."""
        made = workflow(api, folder, DOUBLE, parameters="x: int = 3")
        run_id = ended(api, api.runs.start_run(group_of(made), arguments(x=5))["id"])["id"]
        write_notebook(folder / api.runs.get_run(run_id)["notebook"], "y", parameters="y: int = 3")

        with pytest.raises(UnknownParameterError, match="x"):
            api.runs.rerun(run_id, True)
        with pytest.raises(InvalidArgumentError, match="latest: it must be true or false"):
            api.runs.rerun(run_id, "yes")  # type: ignore[arg-type]

    def test_a_run_with_a_secret_cannot_be_repeated(self, api: Api, folder: Path) -> None:
        """The secret is not stored."""
        declared = {"parameters": [{"name": "key", "dtype": "string", "isRequired": True, "secret": True}]}
        made = workflow(api, folder, "len(key)", parameters="key = ''", runwidgets=declared)
        run_id = ended(api, api.runs.start_run(group_of(made), arguments(key="k"))["id"])["id"]

        with pytest.raises(InvalidArgumentError, match="key: it is secret and was not stored"):
            api.runs.rerun(run_id)
