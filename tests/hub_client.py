"""
The test server in a process of its own, and clients that talk to it by the real Hub library.

That library reads its address when it is imported, so the client is a process too: it runs a list of calls and prints
what each gave.
"""

import base64
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.hub_server import TOKEN

ROOT = Path(__file__).resolve().parents[1]

CLIENT = """
import json, os, sys, urllib.request
from pathlib import Path
from charrnn import hub
for name, *arguments in json.loads(sys.argv[1]):
    try:
        if name == "fail":
            urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/faults", json.dumps(arguments[0]).encode()).close()
            continue
        if name == "push":
            pushed = hub.push(Path(arguments[0]), arguments[1])
            outcome = {"url": pushed.url, "commit": pushed.commit}
        else:
            folder = hub.resolve(arguments[0])
            outcome = {"folder": str(folder), "commit": hub.commit_of(folder)}
    except hub.HubError as error:
        outcome = {"error": str(error)}
    print(json.dumps(outcome))
"""


class Server:
    """The test server, its address, and a client that talks to it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.store = folder / "store"
        self.store.mkdir()
        command = [sys.executable, str(ROOT / "tests/hub_server.py"), str(self.store)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        self.environment = {
            "HF_ENDPOINT": self.address,
            "HF_HOME": str(folder / "home"),
            "HF_TOKEN": TOKEN,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }

    def call(self, *calls: list, **environment: str) -> list[dict[str, Any]]:
        """
        What each call gave, one after the other in one client process: ["push", folder, repo_id], ["resolve", source].

        ["fail", {route: [status, error code, message]}] makes routes fail from there on and gives nothing.
        """
        run = subprocess.run(
            [sys.executable, "-c", CLIENT, json.dumps(calls)],
            cwd=ROOT,
            env=os.environ | self.environment | environment,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr
        assert TOKEN not in run.stdout + run.stderr
        return [json.loads(line) for line in run.stdout.splitlines()]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def commit_files(server: Server, repo_id: str, files: dict[str, bytes]) -> None:
    """A repository with these files, made by hand: `push` would not send what is no checkpoint."""
    organization, name = repo_id.split("/")
    lines = [{"key": "header", "value": {"summary": "by hand"}}]
    for path, content in files.items():
        lines.append({"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode()}})
    commit = "\n".join(map(json.dumps, lines)).encode()
    bodies = {"repos/create": json.dumps({"name": name, "organization": organization}).encode()}
    for route, body in (bodies | {f"models/{repo_id}/commit/main": commit}).items():
        request = urllib.request.Request(f"{server.address}/api/{route}", body, {"Authorization": f"Bearer {TOKEN}"})
        urllib.request.urlopen(request).close()
