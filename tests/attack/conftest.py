"""The app of all attacks, on small networks; one has a script as vocabulary."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from charrnn.checkpoint import load
from charrnn.vocab import Vocab
from tests.attack.attack_client import AttackedApp
from tests.cli import ROOT
from tests.small_models import SMALL, save_small
from tests.ui.page_actions import generated

SCRIPT = "<script>alert('&\"1\"')</script>\n<img src=x onerror=alert(1)>{{}}${`}"


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkpoints-of-this-machine")
    for name in ("rnn", "gru"):
        save_small(root / name, SMALL[name])
    save_small(root / "script", SMALL["rnn"], Vocab("".join(sorted(set(SCRIPT)))), passage=SCRIPT)
    return root


@pytest.fixture(scope="session")
def expected_text(checkpoints: Path) -> str:
    """A text that the app must write at any time."""
    return generated(load(checkpoints / "gru"), "ROMEO:", 60, 5)


@pytest.fixture(scope="session")
def app(checkpoints: Path, expected_text: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AttackedApp]:
    """The app; at the end it still writes the expected text, without logged errors."""
    root = tmp_path_factory.mktemp("app")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"CHARRNN_CACHE": str(root / "no-corpus"), "HF_HUB_OFFLINE": "1", "TMPDIR": str(root)}
    command = [sys.executable, "app.py", "--checkpoints", str(checkpoints), "--port", str(port), "--allowed-hosts", "*"]
    with (root / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **quiet})
    app = None
    try:
        _wait(process, f"http://127.0.0.1:{port}/", root / "log")
        secrets = [str(ROOT), str(checkpoints), str(root), str(Path.home()), sys.prefix]
        app = AttackedApp(f"http://127.0.0.1:{port}/", process.pid, root / "log", secrets)
        yield app
        assert app.call("write", ["ROMEO:", "gru", 60, 0.8, 0, 1.0, 0.0, 5, -1]) == (True, expected_text)
        assert app.log_lines() == []
        assert [path for path in root.rglob("*") if path.is_file()] == [root / "log"], "it wrote a file"
    finally:
        if app:
            app.client.close()
        process.terminate()
        process.wait(20)


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    for _ in range(1200):
        assert process.poll() is None, log.read_text()
        try:
            httpx.get(address, timeout=60)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture(autouse=True)
def still_writes(app: AttackedApp, expected_text: str) -> Iterator[None]:
    """After each attack, the app writes the expected text."""
    yield
    assert app.call("write", ["ROMEO:", "gru", 60, 0.8, 0, 1.0, 0.0, 5, -1]) == (True, expected_text)
