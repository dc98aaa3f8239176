"""A real app.py to be attacked, and pages without a browser that speak to it as a page, or anything else, could."""

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

JSON = {"Content-Type": "application/json"}
STREAM_S = 60
MANNER = {"temperature": 0.8, "top_k": 0, "top_p": 1, "min_p": 0, "speed": 0, "seed": 5, "characters": 40}


@dataclass
class Attacked:
    """
    The app, what must never be heard from it, and what it has told so far.

    secrets: paths of the machine.
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

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request, whose answer is searched for what must not be in it."""
        answer = self.client.request(method, path, **more)
        self.search(answer.text, answer.headers)
        return answer

    def post(self, path: str, sent: Any) -> httpx.Response:
        """The value as JSON, with NaN and infinities as Python writes them; bytes as they are."""
        content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        return self.ask("POST", path, content=content, headers=JSON)

    def continued(self, request: Any) -> dict[str, Any]:
        """The call of a page's text -> its answer."""
        answer = self.post("gradio_api/run/continue_text", {"data": [request]})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"][0]

    def search(self, text: str, headers: httpx.Headers | None = None) -> None:
        """Fails if a traceback or a path of the machine is in the answer."""
        said = text + "".join(f"\n{name}: {value}" for name, value in (headers or {}).items())
        for secret in ("Traceback", 'File "', "site-packages", *self.secrets):
            assert secret not in said, f"{secret!r} was told"

    def call(self, name: str, values: Any) -> tuple[bool, Any]:
        """A named endpoint as any client may call it -> whether it answers, and its answer or its refusal."""
        joined = self.post(f"gradio_api/call/{name}", {"data": values})
        if joined.status_code != 200:
            assert 400 <= joined.status_code < 500, joined.text
            return False, joined.json()["detail"]
        told = self.ask("GET", f"gradio_api/call/{name}/{joined.json()['event_id']}").text.strip().splitlines()
        data = json.loads(told[-1].removeprefix("data: "))
        return (False, data["error"]) if told[-2] == "event: error" else (True, data[0])

    def logged(self) -> list[str]:
        """The lines of its log but the one that tells the address, and what uvicorn says of what is no HTTP."""
        expected = (
            "Char-RNN Lab: ",
            "WARNING:  Invalid HTTP",
            "WARNING:  Unsupported upgrade",
            "WARNING:  No supported We",
        )
        return [line for line in self.log.read_text().splitlines() if not line.startswith(expected)]

    def resident(self) -> int:
        """Bytes of memory it has now; Linux alone tells."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


class Page:
    """One session of the page."""

    def __init__(self, app: Attacked, session: str | None = None):
        self.app = app
        self.session = session or uuid.uuid4().hex

    def send(self, name: str, sent: Any, part: int | None = None) -> list[str]:
        """The event of this name, of this part where several have it -> all that is told until it is over."""
        dependency, place, _ = next(e for e in self.app.events if e[2] == name and part in (None, e[1]))
        return self.fire(dependency, place, sent)

    def loads(self) -> list[str]:
        """Open the page."""
        return self.send("load", {})

    def fire(self, dependency: dict[str, Any], part: int | None, sent: Any) -> list[str]:
        """An event of the page by its way in the config -> the texts told; a failure is one that begins with "!"."""
        body = {"data": [None] * len(dependency["inputs"]), "event_data": sent, "fn_index": dependency["id"]}
        body |= {"trigger_id": part, "session_hash": self.session}
        joined = self.app.post("gradio_api/queue/join", body)
        assert joined.status_code == 200, joined.text
        return self.told(joined.json()["event_id"])

    def told(self, event: str) -> list[str]:
        texts, value = [], ""
        for message in self.stream():
            if message["msg"] == "unexpected_error":
                return [*texts, f"!{message['message']}"]
            if message.get("event_id") != event or message["msg"] not in ("process_generating", "process_completed"):
                continue
            if not message["success"]:
                return [*texts, f"!{message['output'].get('error')}"]
            for part in message["output"].get("data") or []:
                value = patched(value, part)
                texts.append(value)
            if message["msg"] == "process_completed":
                break
        return texts

    def stream(self) -> Iterator[dict[str, Any]]:
        ends = time.monotonic() + STREAM_S
        with self.app.client.stream("GET", "gradio_api/queue/data", params={"session_hash": self.session}) as stream:
            for line in stream.iter_lines():
                assert time.monotonic() < ends, "no end of it"
                if line.startswith("data:"):
                    self.app.search(line, stream.headers)
                    yield json.loads(line.removeprefix("data:"))


def patched(value: str, told: Any) -> str:
    """Gradio sends a value whole, or how it differs from the one before."""
    if not isinstance(told, list):
        return told if isinstance(told, str) else json.dumps(told)
    for action, path, part in told:
        assert not path and action in ("replace", "append")
        value = part if action == "replace" else value + part
    return value
