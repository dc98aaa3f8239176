"""
What a house full of visitors gets: `python scripts/bench_load.py`, `--json` for machines.

Starts app.py on a free port and plays the visitors beside it, each over a connection of its own (scripts/visitor.py):
twenty and a hundred who write at reading speed, one who writes as fast as it goes beside twenty, three hundred at once,
and a thousand who come and go. Nothing is asserted: a person judges the figures, on a quiet machine. The load on the
machine before and after is part of the record.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from charrnn import command

command.begin(__name__)

import httpx
import numpy as np

from charrnn.step_profile import machine
from charrnn.ui.store import Store
from scripts.bench_page import resident_bytes, serving
from scripts.bench_visitors import Visit, slowest_share, visit
from scripts.flags import COUNT, SECONDS, name_or_path
from scripts.tables import columns
from scripts.visitor import Door, RefusedError, Visitor

SPEED = 20  # characters/s
FEW, MANY, CROWD = 20, 100, 300
FIRST, AT_ONCE = 100, 20  # sessions before memory is first looked at; pages open at a time
GOALS = {
    "few_p5_percent": ("20 visitors at 20 characters/s: the slowest (p5), % of their speed", "≥ 95"),
    "many_p5_percent": ("100 visitors at 20 characters/s: the slowest (p5), % of their speed", "≥ 95"),
    "beside_full_speed_percent": ("20 visitors beside one at full speed: the very slowest, % of their speed", "≥ 90"),
    "full_speed_chars_per_second": ("… and the one at full speed, characters/s", ""),
    "lost_columns": ("columns lost by any of these", "0"),
    "crowd_errors": ("300 visitors at once: errors other than “busy”", "0"),
    "crowd_busy": ("… who were told to wait", ""),
    "crowd_whole_texts": ("… who got their whole text", "300"),
    "memory_growth_mb": ("memory after all sessions, over that after the first 100, MB", "≤ 20"),
}


async def paced(door: Door, count: int, seconds: float) -> list[Visit]:
    """So many visitors at reading speed, all at once. Raises RefusedError, httpx.HTTPError."""
    return await asyncio.gather(*(visit(door, None, SPEED, seconds, seed) for seed in range(count)))


async def at_full_speed(door: Door, checkpoint: dict[str, Any] | None, until: asyncio.Event) -> float:
    """One visitor who writes as fast as it goes, text after text -> characters/s."""
    async with Visitor(door) as visitor:
        clock = asyncio.get_running_loop().time
        began, written = clock(), 0
        while not until.is_set():
            async for message in visitor.writing(speed=0, characters=3000, checkpoint=checkpoint):
                written += len(message.get("text", ""))
                if until.is_set():
                    break
        return written / (clock() - began)


async def beside_full_speed(door: Door, fastest: Sequence[Any], seconds: float) -> tuple[list[Visit], list[float]]:
    """Visitors at reading speed, and what those at full speed beside them got."""
    over = asyncio.Event()
    runs = [asyncio.create_task(at_full_speed(door, checkpoint, over)) for checkpoint in fastest]
    await asyncio.sleep(0.5)
    try:
        found = await paced(door, FEW, seconds)
    finally:
        over.set()
    return found, await asyncio.gather(*runs)


async def one_of_a_crowd(door: Door, characters: int, seed: int) -> tuple[str, bool, bool]:
    """One who comes and writes a text -> what went wrong, whether told to wait, whether the whole text came."""
    busy, written = False, 0
    try:
        async with Visitor(door) as visitor:
            await visitor.arrive()
            async for message in visitor.writing(speed=SPEED, characters=characters, seed=seed):
                busy |= "ahead" in message
                if message["kind"] == "start":
                    written = -message["prompt"]
                written += len(message.get("text", ""))
    except (RefusedError, httpx.HTTPError) as error:
        return f"{type(error).__name__}: {error}", busy, False
    return "", busy, written == characters


async def crowd(door: Door, count: int, characters: int) -> dict[str, Any]:
    """So many visitors at once."""
    found = await asyncio.gather(*(one_of_a_crowd(door, characters, seed) for seed in range(count)))
    errors = [wrong for wrong, _, _ in found if wrong and "busy" not in wrong]
    return {
        "crowd_errors": len(errors),
        "crowd_error_words": sorted(set(errors))[:5],
        "crowd_busy": sum(busy for _, busy, _ in found),
        "crowd_whole_texts": sum(whole for _, _, whole in found),
    }


async def come_and_go(door: Door, count: int) -> None:
    """So many visitors, a few at a time: each sees the page, writes a little, looks at a tab, and leaves."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(seed: int) -> None:
        async with turns, Visitor(door) as visitor:
            await visitor.arrive()
            async for _ in visitor.writing(speed=0, characters=200, seed=seed):
                pass
            async for _ in visitor.values("ask", {"number": 1, "width": 900, "checkpoint": None}):
                break

    await asyncio.gather(*map(one, range(count)))


async def memory(door: Door, pid: int, sessions: int) -> dict[str, Any]:
    """What so many finished sessions leave behind."""
    found = {}
    for name, count in (("first", FIRST), ("last", sessions - FIRST)):
        await come_and_go(door, count)
        await asyncio.sleep(5)  # the server notices that they are gone
        found[f"memory_{name}_mb"] = (resident_bytes(pid) or 0) / 1e6
    return found | {"memory_growth_mb": found["memory_last_mb"] - found["memory_first_mb"]}


async def measured(address: str, pid: int, options: argparse.Namespace) -> dict[str, Any]:
    """All figures, one after the other."""
    best = next((info for info in Store(Path(options.checkpoints)).infos() if info.name == "best"), None)
    largest = {"name": best.name, "step": best.saved_steps[-1]} if best else None
    async with Door.open(address) as door:
        few, many = [await paced(door, count, options.seconds) for count in (FEW, MANY)]
        beside, full = await beside_full_speed(door, [largest], options.seconds)
        of_all = [*few, *many, *beside]
        return {
            "few_p5_percent": 100 * slowest_share(few, SPEED),
            "many_p5_percent": 100 * slowest_share(many, SPEED),
            "beside_full_speed_percent": 100 * min(each.chars_per_second for each in beside) / SPEED,
            "full_speed_chars_per_second": float(np.mean(full)),
            "lost_columns": sum(round(SPEED * options.seconds) - each.whole_columns for each in of_all),
            **await crowd(door, CROWD, round(SPEED * options.seconds)),
            **await memory(door, pid, options.sessions),
        }


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The record of a run."""
    loads = [os.getloadavg()[0]]
    command = ["app.py", "--checkpoints", options.checkpoints, "--port"]
    with serving(command, HF_HUB_OFFLINE="1") as (address, pid):
        figures = asyncio.run(measured(address, pid, options))
    loads.append(os.getloadavg()[0])
    settings = {"seconds": options.seconds, "sessions": options.sessions}
    return {"verb": "load", **settings, "machine": machine("cpu"), "load_average": loads, "figures": figures}


def shown(figures: dict[str, Any]) -> list[list[str]]:
    """A row for each figure: what it is, how much, what it should be."""
    form = "{:.1f}".format
    rows = [[words, figures[name], goal] for name, (words, goal) in GOALS.items()]
    return [[words, str(got) if isinstance(got, int) else form(got), goal] for words, got, goal in rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the figures."""
    parser = argparse.ArgumentParser(description="Measure what a house full of visitors gets.")
    parser.add_argument(
        "--checkpoints", type=name_or_path, default=str(ROOT / "checkpoints"), help="folder of the checkpoints"
    )
    parser.add_argument("--seconds", type=SECONDS, default=20, help="of each crowd's writing (%(default)s)")
    parser.add_argument("--sessions", type=COUNT, default=1000, help="pages that come and go (%(default)s)")
    parser.add_argument("--json", action="store_true", help="figures for a machine")
    options = parser.parse_args(arguments)
    if options.sessions <= FIRST:
        parser.error(f"--sessions {options.sessions}: more than {FIRST}, after which memory is first looked at")
    record = measure(options)
    if options.json:
        print(json.dumps(record, indent=1, ensure_ascii=False))
        return 0
    print(columns(["", "got", "goal"], shown(record["figures"])))
    print("load average before and after: {:.1f}, {:.1f}".format(*record["load_average"]))
    for words in record["figures"]["crowd_error_words"]:
        print(words)
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
