"""Kernels whose outputs arrive long after the reply to a cell, as on a machine that is busy."""

import sys
from pathlib import Path

import nbformat
import pytest

from runwidgets.service.factory import open_instance
from tests.builders import ended, group_of, read, wait_until, workflow
from tests.kernelspecs import install, kernel, metadata

SLOW = """
import asyncio
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
class Slow(IPythonKernel):
    async def execute_request(self, *arguments):
        await super().execute_request(*arguments)
        for number in range(4):
            await asyncio.sleep(2)
            print(number, flush=True)
IPKernelApp.launch_instance(kernel_class=Slow)
"""


def test_outputs_are_awaited_as_long_as_some_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The executed notebook has all of them, although they take longer than the limit for silence."""
    command = [sys.executable, "-c", SLOW, "-f", "{connection_file}"]
    install(tmp_path / "jupyter", "slow", kernel(*command), monkeypatch)
    instance = open_instance(tmp_path / "root", slots=1)
    api = instance.api()
    made = workflow(api, tmp_path, "print('begun')", **metadata("slow"))

    handle = ended(api, api.runs.start_run(group_of(made), [])["id"])
    notebook = nbformat.reads(read(api.runs.get_notebook(handle["id"])).decode(), 4)
    wait_until(lambda: not instance._backend._tracked)
    instance.close()

    assert handle["state"] == "SUCCESS", handle["messages"]
    texts = [output.text for output in notebook.cells[-1].outputs]
    assert "".join(texts) == "begun\n0\n1\n2\n3\n"
