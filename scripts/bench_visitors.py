"""
What many visitors at once get of the page, spoken to as a browser does: over Gradio's queue, without one to draw.

A part of `python scripts/bench.py page`. Each visitor writes at one speed; what comes is counted character by
character, and column by column of the heatmap.
"""

import asyncio
import base64
import json
import urllib.request
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

SETTLED_S = 2.0  # what comes before is the rush of the beginning
SETTINGS = {"temperature": 0.8, "top_k": 0, "top_p": 1, "min_p": 0, "prompt": "ROMEO:", "click": 1}

Choice = dict[str, Any] | None


@dataclass(frozen=True)
class Visit:
    """What one visitor got."""

    chars_per_second: float
    characters: int
    whole_columns: int  # as many as characters, where none is lost


def visitors(address: str, choices: Sequence[Choice], speed: float, seconds: float) -> list[Visit]:
    """
    Visitors who write at so many characters/s for so long, all at once.

    choices: for each of them a checkpoint and its step, by name; None for what the page opens with. Raises
    httpx.HTTPError.
    """
    return asyncio.run(_visitors(address, choices, speed, seconds))


def slowest_share(visits: list[Visit], speed: float) -> float:
    """The 5th percentile over visitors of the speed they got, as a share of the one they asked for."""
    return float(np.percentile([visit.chars_per_second for visit in visits], 5)) / speed


async def _visitors(address: str, choices: Sequence[Choice], speed: float, seconds: float) -> list[Visit]:
    with urllib.request.urlopen(f"{address}config", timeout=60) as response:
        handlers = json.load(response)["dependencies"]
    event = next(each for each in handlers for _, name in each["targets"] if name == "write")
    characters = round(speed * seconds)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=httpx.Limits(max_connections=None)) as client:
        wish = SETTINGS | {"speed": speed, "characters": characters}
        wishes = [wish | {"seed": seed, "checkpoint": choice} for seed, choice in enumerate(choices)]
        return await asyncio.gather(*(_visit(client, event, each) for each in wishes))


async def _visit(client: httpx.AsyncClient, event: dict[str, Any], wish: dict[str, Any]) -> Visit:
    name = uuid.uuid4().hex
    asked = {"data": [None], "event_data": wish, "fn_index": event["id"], "trigger_id": event["targets"][0][0]}
    joined = await client.post("gradio_api/queue/join", json=asked | {"session_hash": name})
    joined.raise_for_status()
    value, rows, prompt, columns = "", 0, 0, 0
    arrivals: list[tuple[float, int]] = []
    clock = asyncio.get_running_loop().time
    async with client.stream("GET", "gradio_api/queue/data", params={"session_hash": name}) as stream:
        async for line in stream.aiter_lines():
            told = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if told.get("msg") == "process_generating":
                value = _patched(value, told["output"]["data"][0])
                message = json.loads(value)
                if message["kind"] == "start":
                    rows, prompt = message["view"]["rows"], message["prompt"]
                if "text" in message:
                    columns += len(base64.b64decode(message["columns"])) // (2 * rows)  # half precision
                    arrivals.append((clock(), len(message["text"])))
            elif told.get("msg") in ("process_completed", "close_stream"):
                break
    written = sum(count for _, count in arrivals) - prompt
    steady = [(when, count) for when, count in arrivals if when >= arrivals[0][0] + SETTLED_S]
    lasted = steady[-1][0] - steady[0][0]
    return Visit(sum(count for _, count in steady[1:]) / lasted, characters=written, whole_columns=columns - prompt)


def _patched(value: str, told: str | list[Any]) -> str:
    """Gradio sends a value whole, or how it differs from the one before."""
    if isinstance(told, str):
        return told
    for action, path, part in told:
        if path or action not in ("replace", "append"):
            raise ValueError(f"a change of a text by {action!r} at {path}")
        value = part if action == "replace" else value + part
    return value
