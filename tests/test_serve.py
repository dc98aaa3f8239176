"""serve.py with stand-ins for the page: nothing it started outlives it, and all processes have the same networks."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

import app
from scripts import serve
from tests.hub_client import ROOT, Server, write_checkpoint

STAND_IN = """
import http.server, sys
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[2]), bind="127.0.0.1")
"""
SERVE = """
import signal, sys
from pathlib import Path
from scripts import serve
serve.ROOT = Path(sys.argv.pop(1))
signal.signal(signal.SIGHUP, {hangup})
sys.exit(serve.main())
"""


class Served:
    """serve.py with two stand-ins for app.py, and what it prints."""

    def __init__(self, folder: Path, hangup: str = "signal.SIG_DFL"):
        (folder / "app.py").write_text(STAND_IN)
        (folder / "temporary").mkdir()
        self.folder, self.log = folder, folder / "log"
        words = [sys.executable, "-c", SERVE.format(hangup=hangup), str(folder), "--processes", "2", "--port", "0"]
        environment = os.environ | {"TMPDIR": str(folder / "temporary")}
        with self.log.open("w") as log:
            self.running = subprocess.Popen(words, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def __enter__(self) -> "Served":
        while "Char-RNN Lab" not in (said := self.log.read_text()):
            assert self.running.poll() is None, said
            time.sleep(0.05)
        self.ports = [int(port) for port in re.findall(r"(?:, port |Lab: http://127\.0\.0\.1:)(\d+)", said)]

        return self

    def __exit__(self, *_: object) -> None:
        if self.running.poll() is None:
            self.end(signal.SIGTERM)

    def open_ports(self) -> list[int]:
        """Those of nginx and the stand-ins on which somebody listens."""
        probes = [socket.socket() for _ in self.ports]
        try:
            return [p for p, probe in zip(self.ports, probes, strict=True) if not probe.connect_ex(("127.0.0.1", p))]
        finally:
            for probe in probes:
                probe.close()

    def end(self, which: int) -> int:
        self.running.send_signal(which)
        return self.running.wait(30)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"])
def test_however_it_ends_nothing_that_it_started_lives_on(tmp_path: Path, name: str):
    if name == "SIGKILL" and not serve._tied():
        pytest.skip("no setpriv that ties a process to its parent")
    which = getattr(signal, name)
    with Served(tmp_path) as served:
        assert len(served.open_ports()) == len(served.ports) == 3
        assert served.end(which) == (-which if name == "SIGKILL" else 0)
        for _ in range(200 if name == "SIGKILL" else 0):
            if served.open_ports():
                time.sleep(0.05)
        assert served.open_ports() == []
    assert len(list((tmp_path / "temporary").iterdir())) == (name == "SIGKILL")  # nobody is there to remove the folder


def test_who_asked_for_it_to_outlive_the_terminal_has_it_so(tmp_path: Path):
    with Served(tmp_path, hangup="signal.SIG_IGN") as served:
        served.running.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert len(served.open_ports()) == 3 and served.end(signal.SIGTERM) == 0


def test_a_process_that_cannot_be_started_leaves_none_running(monkeypatch: pytest.MonkeyPatch):
    started = list[subprocess.Popen]()

    def start(process: serve.Process) -> None:
        if started:
            raise BlockingIOError(11, "no more processes")
        process.running = subprocess.Popen(["sleep", "100"])
        started.append(process.running)

    monkeypatch.setattr(serve.Process, "start", start)
    with pytest.raises(BlockingIOError):
        serve.serve(serve.parse(["--processes", "3", "--port", "0"]), threading.Event())
    assert [process.poll() for process in started] == [-signal.SIGTERM]


def test_a_port_that_is_taken_is_said_to_be_before_anything_is_started(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(serve.Process, "start", lambda process: pytest.fail("a process was started"))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with pytest.raises(serve.ServeError, match=f"cannot listen on 127.0.0.1:{port}: .*; give another --host or"):
            serve.serve(serve.parse(["--port", port]), threading.Event())


@pytest.mark.parametrize(
    "error", [TimeoutError("slow"), http.client.BadStatusLine("x"), http.client.IncompleteRead(b""), OSError("no")]
)
def test_a_process_that_answers_badly_does_not_answer_yet(monkeypatch: pytest.MonkeyPatch, error: Exception):
    def start(process: serve.Process) -> None:
        process.running = subprocess.Popen(["sleep", "100"])

    def urlopen(*_, **__) -> None:
        raise error

    monkeypatch.setattr(serve.Process, "start", start)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    process = serve.Process(1, 9, [], {})
    try:
        assert process.answers() is False
    finally:
        serve._end([process.running])


def test_an_address_of_ipv6_is_written_in_brackets():
    assert "        listen [::1]:7860;\n" in serve.configuration("::1", 7860, [7861])
    assert "        listen lab.example:80;\n" in serve.configuration("lab.example", 80, [7861])


# ------------------------------------------------------------------------------------------------ the same networks


def test_every_process_gets_the_commit_that_a_repository_is_at(server: Server, tmp_path, monkeypatch):
    going = threading.Event()
    (pushed,) = server.call(["push", str(write_checkpoint(tmp_path / "net", seed=1, steps=[])), "me/lab"])
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    pinned = f"me/lab@{pushed['commit']}"
    assert serve.checkpoints("me/lab", going) == (["--checkpoints", pinned], {})
    server.kill()
    monkeypatch.setenv(app.VARIABLE, "me/lab")
    assert serve.checkpoints(None, going) == ([], {app.VARIABLE: pinned}), "that of the cache"


def test_checkpoints_that_cannot_be_had_are_refused_once_for_all(monkeypatch):
    monkeypatch.setattr(serve, "PIN", "print('me/none is not there'); raise SystemExit(1)")
    with pytest.raises(serve.ServeError, match="^me/none is not there$"):
        serve.checkpoints("me/none", threading.Event())
    monkeypatch.setattr(serve, "PIN", "import time; time.sleep(100)")
    stop = threading.Event()
    stop.set()
    assert serve.checkpoints("me/none", stop) == (["--checkpoints", "me/none"], {})


def test_a_folder_is_handed_on_as_it_is_seen_from_here(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert serve.checkpoints("mine", threading.Event()) == (["--checkpoints", str(tmp_path / "mine")], {})
    monkeypatch.delenv(app.VARIABLE, raising=False)
    assert serve.checkpoints(None, threading.Event()) == ([], {})
