"""
Measure the speed of many pages at once: `python scripts/bench.py load`.

Starts app.py on a free port. Each simulated page makes the calls of session/session.js and draws a character when it is
due and available. Then times one call by text length, and after an edit near the end. Nothing is asserted.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np

from charrnn.bench.app_process import serving
from charrnn.bench.result_tables import LOAD_HEADS, load_rows
from charrnn.flag_types import SECONDS
from charrnn.paths import CHECKPOINTS
from charrnn.profiling import machine
from charrnn.text_tables import columns

LENGTHS, ROUNDS = (1000, 5000, 10_000, 20_000), 15  # characters of a text; pieces timed at each
SPEED = 20  # characters per second and page
GOALS = {20: 95, 100: 90}  # pages -> % of its speed that the slowest page should get
IDLE_SECONDS = 2  # after which a connection is not reused; the server closes it after 5
FIRST_SECONDS, RESERVE_SECONDS = 0.25, 1.0  # as in session.js


@dataclass
class Page:
    """A simulated page that generates a text."""

    client: httpx.AsyncClient
    checkpoint: str
    seed: int
    text: str = "ROMEO:\n"
    prompt: int = 7
    busy: int = 0

    async def call(self, count: int) -> None:
        """Request the next characters, waiting if busy. Raises RuntimeError."""
        start = 0 if len(self.text) == self.prompt else len(self.text)
        request = {"checkpoint": {"name": self.checkpoint}, "text": self.text, "prompt": self.prompt}
        request |= {"start": start, "count": count, "seed": self.seed, "temperature": 0.8}
        while True:
            response = await self.client.post("gradio_api/run/continue_text", json={"data": [request]})
            answer = response.json()
            if response.status_code != 200 or "error" in answer["data"][0]:
                raise RuntimeError(f"status {response.status_code}: {response.text[:200]}")
            if wait := answer["data"][0].get("busy_ms"):
                self.busy += 1
                await asyncio.sleep(wait / 1000)
                continue
            self.text += answer["data"][0]["text"][len(self.text) if start == 0 else 0 :]
            return

    async def write(self, characters: int) -> float:
        """Generate a text at SPEED -> characters per second, first to last character."""
        await self.call(max(1, round(SPEED * FIRST_SECONDS)))
        began = last = time.perf_counter()
        drawn, had = 0.0, 0  # characters; time without a character to draw is lost
        while drawn < characters:
            now = time.perf_counter()
            drawn, last = min(drawn + SPEED * (now - last), had), now
            had = written = len(self.text) - self.prompt
            if written - drawn < SPEED * RESERVE_SECONDS and written < characters:
                await self.call(min(characters - written, round(SPEED * RESERVE_SECONDS)))
            else:
                await asyncio.sleep(0.02)
        return characters / (last - began)


async def pages(address: str, checkpoint: str, count: int, seconds: float) -> tuple[list[float], int]:
    """Run `count` pages at once -> the speed of each, and the number of busy answers."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=count, keepalive_expiry=IDLE_SECONDS)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60, trust_env=False) as client:
        writing = [Page(client, checkpoint, seed) for seed in range(count)]
        await asyncio.gather(*(page.call(0) for page in writing))  # as a page does when it opens
        return await asyncio.gather(*(page.write(round(SPEED * seconds)) for page in writing)), sum(
            p.busy for p in writing
        )


async def by_length(address: str, checkpoint: str) -> list[dict[str, float]]:
    """Time one call in ms by text length, without and after an edit near the end."""
    rows = []
    async with httpx.AsyncClient(base_url=address, timeout=60, trust_env=False) as client:
        page = Page(client, checkpoint, 0)
        for length in LENGTHS:
            while len(page.text) - page.prompt < length:
                await page.call(min(400, length - len(page.text) + page.prompt))
            times: dict[str, list[float]] = {"on_ms": [], "edited_ms": []}
            for name in ("on_ms", "edited_ms") * ROUNDS:
                page.text = page.text[: -10 if name == "edited_ms" else None] + ("e" if name == "edited_ms" else "")
                began = time.perf_counter()
                await page.call(SPEED)
                times[name].append(1000 * (time.perf_counter() - began))
            rows.append({"length": length} | {name: float(np.median(calls)) for name, calls in times.items()})
    return rows


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the record."""
    rows = []
    with serving(["app.py", "--checkpoints", str(CHECKPOINTS), "--port"], HF_HUB_OFFLINE="1") as (address, _):
        asyncio.run(pages(address, options.checkpoint, 1, 1))  # loads the network
        for count, goal in GOALS.items():
            speeds, busy = asyncio.run(pages(address, options.checkpoint, count, options.seconds))
            low, slowest = 100 * np.percentile(speeds, 5) / SPEED, 100 * min(speeds) / SPEED
            rows.append({"pages": count, "p5_percent": low, "slowest_percent": slowest, "busy": busy, "goal": goal})
        lengths = asyncio.run(by_length(address, options.checkpoint))
    settings = {"checkpoint": options.checkpoint, "seconds": options.seconds, "speed": SPEED}
    return {"verb": "load", **settings, "machine": machine("cpu"), "rows": rows, "by_length": lengths}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures and return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the speed that many pages get at once.")
    parser.add_argument("--checkpoint", default="rnn", help="the model that generates (%(default)s)")
    parser.add_argument("--seconds", type=SECONDS, default=20, help="of writing (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    options = parser.parse_args(arguments)
    record = measure(options)
    length_rows = [[f"{value:.1f}" for value in row.values()] for row in record["by_length"]]
    text = (
        f"{columns(LOAD_HEADS, load_rows(record))}\n\n{columns(['length', 'on, ms', 'after an edit, ms'], length_rows)}"
    )
    print(json.dumps(record, indent=1, ensure_ascii=False) if options.json else text)
    return 0
