"""One visitor without a browser: it speaks to the page as a browser does, over Gradio's queue, and draws nothing."""

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from types import TracebackType
from typing import Any

import httpx

SETTINGS = {"temperature": 0.8, "top_k": 0, "top_p": 1, "min_p": 0, "prompt": "ROMEO:"}


class RefusedError(Exception):
    """What the page was told instead of an answer."""


class Door:
    """Where visitors enter: a connection to the app, and which of its handlers listens to which event."""

    def __init__(self, client: httpx.AsyncClient, handlers: list[dict[str, Any]]):
        self.client = client
        self.handlers = handlers

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, address: str) -> "AsyncIterator[Door]":
        """The door of the app at this address. Raises httpx.HTTPError."""
        # A browser asks again where the server has just closed a connection it wanted to use once more:
        # here none is used twice.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(base_url=address, timeout=300, limits=limits) as client:
            config = await client.get("config")
            config.raise_for_status()
            yield cls(client, config.json()["dependencies"])

    def handler(self, event: str, nth: int = 0) -> dict[str, Any]:
        """The nth of those that listen to an event of this name, in the order of the page."""
        return [each for each in self.handlers if any(name == event for _, name in each["targets"])][nth]

    def count(self, event: str) -> int:
        """How many listen to it."""
        return sum(any(name == event for _, name in each["targets"]) for each in self.handlers)


class Visitor:
    """A page that is open: from the moment it is entered to its end the server hears its heart."""

    def __init__(self, door: Door):
        self.door = door
        self.name = uuid.uuid4().hex
        self.clicks = 0

    async def __aenter__(self) -> "Visitor":
        self._heart = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.cancel()
        with contextlib.suppress(asyncio.CancelledError, httpx.HTTPError):
            await self._heart

    async def _beat(self) -> None:
        async with self.door.client.stream("GET", f"gradio_api/heartbeat/{self.name}") as stream:
            async for _ in stream.aiter_raw():
                pass

    async def arrive(self) -> dict[str, Any]:
        """What the page opens with: the message that brings the example. Raises RefusedError, httpx.HTTPError."""
        return json.loads((await self.send("load"))[1])

    async def send(self, event: str, data: Any = None) -> list[Any]:
        """An event that is answered at once, with one value for each output. Raises RefusedError, httpx.HTTPError."""
        handler = self.door.handler(event)
        told = await self.door.client.post("gradio_api/run/predict", json=self._asked(handler, self._with_count(data)))
        if told.is_error:
            raise RefusedError(f"{event}: {told.text[:200]}")
        return told.json()["data"]

    async def writing(self, event: str = "write", **wish: Any) -> AsyncGenerator[dict[str, Any], None]:
        """The messages of a run, as they come. Raises RefusedError, httpx.HTTPError."""
        values = self.values(event, SETTINGS | {"checkpoint": None, "seed": 7, **wish})
        async with contextlib.aclosing(values):
            async for value in values:
                yield json.loads(value)

    async def values(self, event: str, data: Any, nth: int = 0) -> AsyncGenerator[str, None]:
        """What a view is given, value by value. Raises RefusedError, httpx.HTTPError."""
        handler, client = self.door.handler(event, nth), self.door.client
        joined = await client.post("gradio_api/queue/join", json=self._asked(handler, self._with_count(data)))
        if joined.is_error:
            raise RefusedError(f"{event}: {joined.text[:200]}")
        mine, value = joined.json()["event_id"], ""
        async with client.stream("GET", "gradio_api/queue/data", params={"session_hash": self.name}) as stream:
            async for line in stream.aiter_lines():
                told = json.loads(line[5:]) if line.startswith("data:") else {}
                if told.get("event_id", mine) != mine:
                    continue  # what is left of an event that was given up
                if told.get("msg") == "process_generating":
                    value = _patched(value, told["output"]["data"][0])
                    if isinstance(value, str):  # else a sign of life, which changes nothing
                        yield value
                elif told.get("msg") == "process_completed" and not told["success"]:
                    raise RefusedError(f"{event}: {told['output'].get('error')}")
                elif told.get("msg") == "unexpected_error":
                    raise RefusedError(f"{event}: {told.get('message')}")
                elif told.get("msg") in ("process_completed", "close_stream"):
                    return

    def _with_count(self, data: Any) -> Any:
        self.clicks += 1
        return {"click": self.clicks, "sent": self.clicks, **(data or {})}

    def _asked(self, handler: dict[str, Any], data: Any) -> dict[str, Any]:
        return {
            "data": [None] * len(handler["inputs"]),
            "event_data": data,
            "fn_index": handler["id"],
            "trigger_id": handler["targets"][0][0],
            "session_hash": self.name,
        }


def _patched(value: Any, told: Any) -> Any:
    """Gradio sends a value whole, or how it differs from the one before."""
    if not isinstance(told, list):
        return told
    for action, path, part in told:
        if path or action not in ("replace", "append"):
            raise ValueError(f"a change of a text by {action!r} at {path}")
        value = part if action == "replace" else value + part
    return value
