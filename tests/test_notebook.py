"""Run every cell of the notebook on a small budget with a fake Hub."""

import asyncio
import copy
import re
import socket
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
import pytest
from gradio_client import Client
from nbclient import NotebookClient

from charrnn import checkpoint
from tests.hub_client import ROOT, TOKEN, Server
from tests.trained_checkpoints import TEXT

pytestmark = pytest.mark.process

PATH = ROOT / "docs/own_text.ipynb"
NOTEBOOK: Any = nbformat.read(PATH, as_version=4)  # pyright: ignore[reportPrivateImportUsage]
CODE = {cell.id: cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code"}
TINY = "--hidden-dim 16 --batch 4 --seq-len 24 --threads 1"
CHECK_EXIT = "\nassert globals().get('_exit_code', 0) == 0"  # a command that fails does not end its cell


def test_notebook_has_no_outputs():
    nbformat.validate(NOTEBOOK)  # pyright: ignore[reportPrivateImportUsage]
    assert [cell.id for cell in NOTEBOOK.cells if cell.get("outputs") or cell.get("execution_count")] == []
    assert set(NOTEBOOK.metadata) == {"colab", "kernelspec", "language_info"}
    assert not PATH.read_bytes().endswith(b"\n\n") and b"\r" not in PATH.read_bytes()


def test_notebook_shell_lines_are_portable():
    lines = re.findall(r"^\s*!(.*)$", "\n".join(CODE.values()), re.MULTILINE)
    assert {line.split()[0] for line in lines} == {"git", '"{python}"'}
    assert not any("'" in line or "|" in line or ">" in line for line in lines)  # cmd.exe quotes otherwise


def set_to(source: str, **values: object) -> str:
    """Return a cell with other values in its lines `NAME = value`."""
    for name, value in values.items():
        (old,) = re.findall(rf"^{name} = .*$", source, re.MULTILINE)
        source = source.replace(old, f"{name} = {value!r}")
    return source


def printed(cell: nbformat.NotebookNode) -> str:
    """Return the printed output of a cell."""
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_notebook_runs_publishes_and_serves(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lab").symlink_to(ROOT)
    python = tmp_path / "Program Files" / "python"  # a path with a space
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (tmp_path / "text.txt").write_text(TEXT, encoding="utf-8")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "text": {"SOURCE": (tmp_path / "text.txt").as_uri()},
        "train": {"STEPS": 30, "FURTHER": TINY},
        "push": {"REPOSITORY": "me/mine"},
        "open": {"PORT": port},
    }
    quiet = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PLOTLY_RENDERER": "json"}
    quiet |= {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    quiet |= {"CHARRNN_CACHE": str(tmp_path / "no-corpus"), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    for name, value in (server.environment | quiet).items():
        monkeypatch.setenv(name, value)

    notebook = copy.deepcopy(NOTEBOOK)
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    for name, cell in cells.items():
        cell.source = set_to(cell.source, **settings.get(name, {}))
    cells["lab"].source = cells["lab"].source.replace("python = sys.executable", f"python = {str(python)!r}")
    assert str(python) in cells["lab"].source
    *before, last = cells
    for name in before:
        cells[name].source += CHECK_EXIT

    async def run() -> str:
        client = NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}})
        places = {id(cell): number for number, cell in enumerate(notebook.cells)}
        async with client.async_setup_kernel():
            for name in before:
                await client.async_execute_cell(cells[name], places[id(cells[name])])
            page = asyncio.create_task(client.async_execute_cell(cells[last], places[id(cells[last])]))
            text = await asyncio.to_thread(text_of_page, f"http://127.0.0.1:{port}/")
            kernel: Any = client.km
            await kernel.interrupt_kernel()
            await page
        return text

    def text_of_page(address: str) -> str:
        wait_for(address)
        page = Client(address, verbose=False)
        (model,) = page.predict(api_name="/models")
        return page.predict(
            prompt=TEXT[:20], checkpoint=model["name"], characters=600, temperature=0.8, seed=7, api_name="/write"
        )

    text = asyncio.run(run())
    assert printed(cells["write"]) == f"{text}\n"
    commit = server.request("/api/models/me/mine")
    assert commit["private"] is True
    assert f"{server.address}/me/mine at commit {commit['sha']}, tag v1" in printed(cells["push"])
    assert f"Char-RNN Lab: http://127.0.0.1:{port}" in printed(cells["open"])
    info = checkpoint.describe(tmp_path / "runs/mine")
    assert (info.cell, info.step, info.config["hidden_dim"]) == ("gru", 30, 16)
    assert f"the network                  {info.metrics['val_stream_nats']:.3f} nats" in printed(cells["baselines"])
    assert re.search(r"mine: (more than )?\d+", printed(cells["reach"]))
    drawn = [name for name, cell in cells.items() if any(o.output_type == "display_data" for o in cell.outputs)]
    assert drawn == ["curve", "reach"]
    assert TOKEN not in nbformat.writes(notebook)


def wait_for(address: str) -> None:
    """Wait until a page is served."""
    until = time.monotonic() + 200
    while time.monotonic() < until:
        try:
            return urllib.request.urlopen(address, timeout=10).close()
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(address)
