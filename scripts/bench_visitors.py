"""
What many visitors at once get of the page, spoken to as a browser does: over Gradio's queue, without one to draw.

A part of `python scripts/bench.py page` and of `python scripts/bench.py load`. Each visitor writes at one speed; what
comes is counted character by character, and column by column of the heatmap.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scripts.visitor import Door, Visitor

SETTLED_S = 2.0  # what comes before is the rush of the beginning

Choice = dict[str, Any] | None


@dataclass(frozen=True)
class Visit:
    """What one visitor got."""

    chars_per_second: float
    characters: int
    whole_columns: int  # as many as characters, where none is lost
    messages: int = 0


def visitors(address: str, choices: Sequence[Choice], speed: float, seconds: float) -> list[Visit]:
    """
    Visitors who write at so many characters/s for so long, all at once.

    choices: for each of them a checkpoint and its step, by name; None for what the page opens with. Raises
    httpx.HTTPError, RefusedError.
    """

    async def all_of_them() -> list[Visit]:
        async with Door.open(address) as door:
            return await asyncio.gather(*(visit(door, choice, speed, seconds, i) for i, choice in enumerate(choices)))

    return asyncio.run(all_of_them())


def slowest_share(visits: list[Visit], speed: float) -> float:
    """The 5th percentile over visitors of the speed they got, as a share of the one they asked for."""
    return float(np.percentile([visit.chars_per_second for visit in visits], 5)) / speed


async def visit(door: Door, choice: Choice, speed: float, seconds: float, seed: int) -> Visit:
    """One visitor who writes at so many characters/s for so long. Raises httpx.HTTPError, RefusedError."""
    visitor = Visitor(door)
    rows, prompt, columns = 0, 0, 0
    arrivals: list[tuple[float, int]] = []
    clock = asyncio.get_running_loop().time
    wish = {"speed": speed, "characters": round(speed * seconds), "seed": seed, "checkpoint": choice}
    async for message in visitor.writing(**wish):
        if message["kind"] == "start":
            rows, prompt = message["view"]["rows"], message["prompt"]
        if "text" in message:
            columns += len(base64.b64decode(message["columns"])) // (2 * rows)  # half precision
            arrivals.append((clock(), len(message["text"])))
    written = sum(count for _, count in arrivals) - prompt
    return Visit(steady_speed(arrivals), written, columns - prompt, len(arrivals))


def steady_speed(arrivals: Sequence[tuple[float, int]]) -> float:
    """Characters/s of messages (when, characters), after the rush of the beginning."""
    steady = [(when, count) for when, count in arrivals if when >= arrivals[0][0] + SETTLED_S]
    return sum(count for _, count in steady[1:]) / (steady[-1][0] - steady[0][0])
