"""Start the app, or another server, as a child process on a free port."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from charrnn.paths import REPOSITORY


@contextmanager
def running_app(checkpoints: str, **environment: str) -> Iterator[str]:
    """Start app.py on a free port; yield its address. Raises RuntimeError."""
    with serving(["app.py", "--checkpoints", checkpoints, "--port"], **environment) as (address, _):
        yield address


@contextmanager
def serving(command: Sequence[str], **environment: str) -> Iterator[tuple[str, int]]:
    """Start a Python server on a free port; yield its address and process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, *command, str(port)],
            cwd=REPOSITORY,
            stdout=log,
            stderr=log,
            env={**os.environ, **environment},
        )
        try:
            while not _answers(address):
                if process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(f"{command[0]} ended with exit code {process.returncode}: {log.read()}")
                time.sleep(0.05)
            yield address, process.pid
        finally:
            process.terminate()
            process.wait(20)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=60):
            return True
    except (urllib.error.URLError, ConnectionError):
        return False
