"""Clients of an app under attack: plain HTTP, and sessions without a browser."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

JSON = {"Content-Type": "application/json"}
STREAM_S = 60
SETTINGS = {"temperature": 0.8, "top_k": 0, "top_p": 1, "min_p": 0, "speed": 0, "seed": 5, "characters": 40}


@dataclass
class AttackedApp:
    """
    A running app.

    secrets: paths of this machine, which no answer may contain.
    """

    address: str
    pid: int
    log: Path
    secrets: Sequence[str]

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.address, timeout=STREAM_S)
        config = self.client.get("config").json()
        self.events = [
            (dependency, part, name) for dependency in config["dependencies"] for part, name in dependency["targets"]
        ]
        modules = {part["id"]: part["props"].get("props") for part in config["components"]}
        self.modules = {part: (props or {}).get("module", "") for part, props in modules.items()}
        self.endpoints = self.client.get("gradio_api/info").json()["named_endpoints"]

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request and search its answer for secrets."""
        answer = self.client.request(method, path, **more)
        self.check_for_secrets(answer.text, answer.headers)
        return answer

    def post(self, path: str, sent: Any) -> httpx.Response:
        """Send a value as JSON, NaN and infinities included, or bytes unchanged."""
        content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        return self.request("POST", path, content=content, headers=JSON)

    def continue_text(self, request: Any) -> dict[str, Any]:
        """Call the endpoint that writes text -> its answer; error for a refused body."""
        answer = self.post("gradio_api/run/continue_text", {"data": [request]})
        if answer.status_code == 422:
            return {"error": answer.json()["detail"]}
        assert answer.status_code == 200, answer.text
        return answer.json()["data"][0]

    def check_for_secrets(self, text: str, headers: httpx.Headers | None = None) -> None:
        """Fail if an answer contains a traceback or a path of this machine."""
        answer = text + "".join(f"\n{name}: {value}" for name, value in (headers or {}).items())
        for secret in ("Traceback", 'File "', "site-packages", *self.secrets):
            assert secret not in answer, f"an answer contains {secret!r}"

    def call(self, name: str, arguments: Any) -> tuple[bool, Any]:
        """Call a named endpoint -> whether it accepts the call, and answer or reason."""
        joined = self.post(f"gradio_api/call/{name}", {"data": arguments})
        if joined.status_code != 200:
            assert 400 <= joined.status_code < 500, joined.text
            return False, joined.json()["detail"]
        lines = self.request("GET", f"gradio_api/call/{name}/{joined.json()['event_id']}").text.strip().splitlines()
        data = json.loads(lines[-1].removeprefix("data: "))
        return (False, data["error"]) if lines[-2] == "event: error" else (True, data[0])

    def log_lines(self) -> list[str]:
        """Return the log without the address and uvicorn's warnings of invalid HTTP."""
        expected = (
            "Char-RNN Lab: ",
            "WARNING:  Invalid HTTP",
            "WARNING:  Unsupported upgrade",
            "WARNING:  No supported We",
        )
        return [line for line in self.log.read_text().splitlines() if not line.startswith(expected)]

    def resident_bytes(self) -> int:
        """Resident memory in bytes (Linux only)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


class PageSession:
    """One session of the page."""

    def __init__(self, app: AttackedApp, session: str | None = None):
        self.app = app
        self.session = session or uuid.uuid4().hex

    def load(self) -> list[str]:
        """Send the load event -> the values of its answers."""
        dependency, part, _ = next(event for event in self.app.events if event[2] == "load")
        return self.send(dependency, part, {})

    def send(self, dependency: dict[str, Any], part: int | None, data: Any) -> list[str]:
        """Send an event of the config -> its answers; those of failures begin with "!"."""
        body = {"data": [None] * len(dependency["inputs"]), "event_data": data, "fn_index": dependency["id"]}
        body |= {"trigger_id": part, "session_hash": self.session}
        joined = self.app.post("gradio_api/queue/join", body)
        assert joined.status_code == 200, joined.text
        return self._values(joined.json()["event_id"])

    def _values(self, event: str) -> list[str]:
        texts, value = [], ""
        for message in self.stream():
            if message["msg"] == "unexpected_error":
                return [*texts, f"!{message['message']}"]
            if message.get("event_id") != event or message["msg"] not in ("process_generating", "process_completed"):
                continue
            if not message["success"]:
                return [*texts, f"!{message['output'].get('error')}"]
            for part in message["output"].get("data") or []:
                value = updated(value, part)
                texts.append(value)
            if message["msg"] == "process_completed":
                break
        return texts

    def stream(self) -> Iterator[dict[str, Any]]:
        ends = time.monotonic() + STREAM_S
        with self.app.client.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                assert time.monotonic() < ends, f"the stream is open after {STREAM_S} s"
                if line.startswith("data:"):
                    self.app.check_for_secrets(line, stream.headers)
                    yield json.loads(line.removeprefix("data:"))


def updated(value: str, update: Any) -> str:
    """Apply an update of Gradio: a whole value, or differences from the last one."""
    if not isinstance(update, list):
        return update if isinstance(update, str) else json.dumps(update)
    for action, path, part in update:
        assert not path and action in ("replace", "append")
        value = part if action == "replace" else value + part
    return value


def in_parallel(send: Callable[[Any], Any], requests: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """Send requests from several threads -> each with its result, in order."""
    requests = list(requests)
    with ThreadPoolExecutor(6) as pool:
        yield from zip(requests, pool.map(send, requests), strict=True)
