"""Start the fake Hub and call it by the real Hub library."""

import atexit
import base64
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from charrnn.metrics import Metrics
from charrnn.registry import build_model
from charrnn.vocab import Vocab
from tests.checkpoint_files import write_model
from tests.cli import ROOT, MainResult
from tests.fake_hub import TOKEN
from tests.random_weights import randomize


@cache
def client_process() -> subprocess.Popen[str]:
    """Start the process that forks the clients; it ends with this one."""
    command = [sys.executable, str(ROOT / "tests/hub_calls.py")]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(process.__exit__, None, None, None)
    return process


class Server:
    """The fake Hub, its address, and a client for it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.store = folder / "store"
        self.store.mkdir()
        command = [sys.executable, str(ROOT / "tests/fake_hub.py"), str(self.store)]
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
        Make calls one after the other in one client process; the result of each.

        Calls: ["push", folder, repo_id, flags], ["push_space", root, repo_id, checkpoints, flags], ["resolve", source],
        ["fetch_with_fallback", source, bundled, always], ["main", command, arguments]. ["fail", {route: [status, error
        code, message, headers, times]}] makes routes fail from then on and has no result.
        """
        process, out, err = client_process(), self.folder / "out", self.folder / "err"
        assert process.stdin is not None and process.stdout is not None
        request = {"calls": calls, "environment": os.environ | self.environment | environment}
        print(json.dumps(request | {"out": str(out), "err": str(err)}), file=process.stdin, flush=True)
        assert process.stdout.readline() == "0\n", err.read_text()
        assert TOKEN not in out.read_text() + err.read_text()
        return [json.loads(line) for line in out.read_text().splitlines()]

    def main(self, command: str, *words: object) -> MainResult:
        """Call the `main` of a command in a client process."""
        (done,) = self.call(["main", command, *map(str, words)])
        return MainResult(**done)

    def request(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send a JSON request with the token; return the JSON answer."""
        return self.post(path, None if body is None else json.dumps(body).encode())

    def post(self, path: str, body: bytes | None) -> Any:
        """Send any body with the token; return the JSON answer."""
        return json.loads(self._answer(path, body))

    def content(self, repo_id: str, path: str, **headers: str) -> bytes:
        """Read a file of a repository's newest commit."""
        return self._answer(f"/{repo_id}/resolve/main/{path}", None, headers)

    def _answer(self, path: str, body: bytes | None, headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
        authorized = {"Authorization": f"Bearer {TOKEN}", **headers}
        request = urllib.request.Request(self.address + path, body, authorized)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    def files(self, repo_id: str) -> set[str]:
        """List the paths in a repository's newest commit."""
        return {file["rfilename"] for file in self.request(f"/api/models/{repo_id}")["siblings"]}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def commit_files(server: Server, repo_id: str, files: dict[str, bytes]) -> None:
    """Commit arbitrary files to a repository, which `push` would refuse."""
    organization, name = repo_id.split("/")
    lines = [{"key": "header", "value": {"summary": "files"}}]
    for path, content in files.items():
        lines.append({"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode()}})
    commit = "\n".join(map(json.dumps, lines)).encode()
    bodies = {"repos/create": json.dumps({"name": name, "organization": organization}).encode()}
    for route, body in (bodies | {f"models/{repo_id}/commit/main": commit}).items():
        server.post(f"/api/{route}", body)


RNN = {"cell": "rnn", "hidden_dim": 4}


def write_checkpoint(folder: Path, seed: int, steps: list[int], config: dict[str, Any] = RNN) -> Path:
    """Write a small checkpoint with saved steps and a run state beside it."""
    model, vocab = randomize(build_model(config, 5), 0.3, seed), Vocab("\n abc")
    losses = {"train_loss_nats": 1.3, "val_stream_nats": 1.5, "val_cold_nats": 1.6}
    fields = {"step": 2000, "seed": seed, "recipe": {"steps": 2000, "learning_rate": 0.003}, "data_sha256": "0" * 64}
    fields |= {"metrics": losses | {"minutes": 2.25, "sample": "abc ``` abc"}, "passage": "cab abc"}
    history = [Metrics(0, 1.7, 1.7, 0.4, 1e-4, 0.0), Metrics(2000, 1.3, 1.5, 0.4, 1e-4, 130.0)]
    write_model(folder, model, vocab, **fields, history=history, saved={step: model.state_dict() for step in steps})
    (folder / "training.safetensors").write_bytes(b"the optimizer's state")
    (folder / "notes.txt").write_text("mine")
    return folder
