"""
A long day of mixed visitors: `make soak`, or `python scripts/soak.py --seconds 1800`.

Starts app.py on a free port. Visitors come all the time and do what visitors do: write at several speeds, let the text
branch, change the model, ask for analyses, call the endpoints, leave in mid-text. Memory and errors are printed as it
goes on. The day has five shifts; at the end of each all have left, and the memory of the empty house is taken. The exit
code is 1 where that has grown since the second, or where anything but “busy” went wrong.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from charrnn import command

command.begin(__name__)

import httpx

from charrnn.ranges import Range
from charrnn.ui.store import Store
from scripts.bench_page import resident_bytes, serving
from scripts.flags import COUNT, SECONDS, Number, name_or_path
from scripts.visitor import Door, RefusedError, Visitor

SHIFTS, WARM = 5, 1  # the shifts of a day; the one at whose end every cache is in use
MOST_GROWTH_MB = 20.0  # of the empty house
SPEEDS = (1, 5, 20, 60, 120, 0)
PROMPTS = ("", "ROMEO:", "KING RICHARD III:\n", "To be, or not to be, ", "Ünknown € characters")
PATIENCE_S = 120.0  # for an answer of any kind


@dataclass
class Log:
    """What happened so far."""

    done: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: collections.Counter[str] = field(default_factory=collections.Counter)
    busy: int = 0
    empty_mb: list[float] = field(default_factory=list)  # the memory at the end of each shift
    told: set[str] = field(default_factory=set)

    def refused(self, what: str, words: str) -> None:
        """Something was not answered: because the lab is busy, or because something is wrong."""
        if "The lab is busy" in words:
            self.busy += 1
        else:
            self.wrong[f"{what}: {words[:300]}"] += 1

    def growth_mb(self) -> float:
        """By how much the memory of the empty house has grown since the caches are in use."""
        return self.empty_mb[-1] - self.empty_mb[min(WARM, len(self.empty_mb) - 1)]

    def news(self) -> list[str]:
        """What went wrong for the first time."""
        new = [words for words in self.wrong if words not in self.told]
        self.told.update(new)
        return new

    def line(self, memory_mb: float) -> str:
        acts = ", ".join(f"{count} {name}" for name, count in sorted(self.done.items()))
        return f"{memory_mb:7.0f} MB   {sum(self.wrong.values())} wrong, {self.busy} busy   {acts}"


class Guest:
    """One visitor who does a few things and leaves, some of them in mid-text."""

    def __init__(self, visitor: Visitor, models: Sequence[dict[str, Any]], dice: random.Random, log: Log):
        self.visitor, self.models, self.dice, self.log = visitor, models, dice, log
        self.run, self.given, self.length = 0, 0, 0

    async def stay(self) -> None:
        """From the first look at the page to the last."""
        self.hear(await self.visitor.arrive())
        acts: list[Callable[[], Awaitable[None]]] = [self.write, self.write, self.branch, self.change_model]
        acts += [self.ask, self.call, self.change_view, self.undo]
        for act in self.dice.choices(acts, k=self.dice.randint(1, 5)):
            try:
                await asyncio.wait_for(act(), PATIENCE_S)
                self.log.done[act.__name__.replace("_", " ")] += 1
            except TimeoutError:
                self.log.wrong[f"{act.__name__}: no answer within {PATIENCE_S:.0f} s"] += 1
            except (RefusedError, httpx.HTTPError) as error:
                self.log.refused(act.__name__, f"{type(error).__name__}: {error}")

    def hear(self, message: dict[str, Any]) -> None:
        """What a message does to the text on the page."""
        if message["kind"] == "start":
            self.run, self.given = message["run"], message["prompt"]
        if "text" in message:
            self.length = message["from"] + len(message["text"])

    async def write(self) -> None:
        wish = {"speed": self.dice.choice(SPEEDS), "characters": self.dice.randint(1, 400)}
        await self._writes("write", **wish, prompt=self.dice.choice(PROMPTS), checkpoint=self.dice.choice(self.models))

    async def branch(self) -> None:
        if self.length > self.given:
            await self._writes("branch", run=self.run, position=self.length - 1, character="e", speed=0)

    async def _writes(self, event: str, **wish: Any) -> None:
        """Some wait for the end of the text, most for some seconds of it: they leave, or begin something else."""
        ends = time.monotonic() + self.dice.expovariate(1 / 5)
        async with contextlib.aclosing(self.visitor.writing(event, seed=self.dice.randint(0, 9), **wish)) as messages:
            async for message in messages:
                self.hear(message)
                said = message.get("notice") or {}
                if said.get("kind") == "problem":
                    self.log.refused(event, said["text"])
                if time.monotonic() > ends:
                    break

    async def change_model(self) -> None:
        await self.visitor.send("model", {"checkpoint": self.dice.choice(self.models)})

    async def change_view(self) -> None:
        await self.visitor.send("show", {"view": self.dice.choice("hcifogrzn")})

    async def undo(self) -> None:
        (told,) = await self.visitor.send("undo")
        self.hear(json.loads(told))

    async def ask(self) -> None:
        door, model = self.visitor.door, self.dice.choice(self.models)
        question = {"number": self.dice.randint(1, 10**6), "width": 900, "checkpoint": model, "names": [model["name"]]}
        ends = time.monotonic() + self.dice.expovariate(1 / 10)
        answers = self.visitor.values("ask", question, self.dice.randrange(door.count("ask")))
        async with contextlib.aclosing(answers):
            async for value in answers:
                self.log.busy += "The lab is busy" in value
                if time.monotonic() > ends:
                    break

    async def call(self) -> None:
        given = ["ROMEO:", "rnn", self.dice.randint(1, 200), 0.8, 0, 1, 0, self.dice.randint(0, 9), -1]
        client = self.visitor.door.client
        joined = await client.post("gradio_api/call/write", json={"data": given})
        joined.raise_for_status()
        told = await client.get(f"gradio_api/call/write/{joined.json()['event_id']}")
        if "event: error" in told.text:
            raise RefusedError(told.text.strip())


async def newcomers(door: Door, models: Sequence[dict[str, Any]], until: float, at_once: int, log: Log) -> None:
    """Visitors one after the other at each of so many doors, until it is time."""

    async def one_door(number: int) -> None:
        dice = random.Random(number)
        while time.monotonic() < until:
            try:
                async with Visitor(door) as visitor:
                    await Guest(visitor, models, dice, log).stay()
            except (RefusedError, httpx.HTTPError) as error:
                log.refused("arrive", f"{type(error).__name__}: {error}")
            log.done["visitors"] += 1

    await asyncio.gather(*map(one_door, range(at_once)))


async def soak(address: str, pid: int, options: argparse.Namespace) -> Log:
    """The whole day."""
    log, began = Log(), time.monotonic()
    infos = Store(Path(options.checkpoints)).infos()
    models = [{"name": info.name, "step": step} for info in infos for step in {info.saved_steps[0], info.step}]

    def tell(what: str = "") -> float:
        memory_mb = (resident_bytes(pid) or 0) / 1e6
        print(
            f"{time.monotonic() - began:6.0f} s {log.line(memory_mb)}{what}", *log.news(), sep="\n         ", flush=True
        )
        return memory_mb

    async with Door.open(address) as door:
        for shift in range(1, SHIFTS + 1):
            until = began + options.seconds * shift / SHIFTS
            guests = asyncio.create_task(newcomers(door, models, until, options.visitors, log))
            while not (await asyncio.wait([guests], timeout=options.every))[0]:
                tell()
            guests.result()
            await asyncio.sleep(min(5, options.seconds / 60))  # what only waited for them to leave is given back
            log.empty_mb.append(tell("   empty"))
    return log


def verdict(log: Log, seconds: float, most_growth_mb: float) -> list[str]:
    """What is wrong with such a day; nothing where it was a good one."""
    found = [f"{count} × {words}" for words, count in log.wrong.most_common(20)]
    if (growth := log.growth_mb()) > most_growth_mb:
        found.append(f"memory grew by {growth:.0f} MB in {seconds:.0f} s, more than {most_growth_mb:.0f}")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Let mixed visitors use the app for a long time.")
    parser.add_argument("--seconds", type=SECONDS, default=1800, help="how long (%(default)s)")
    parser.add_argument("--visitors", type=COUNT, default=30, help="at once (%(default)s)")
    parser.add_argument("--every", type=SECONDS, default=60, help="seconds between two lines (%(default)s)")
    parser.add_argument(
        "--growth",
        type=Number(Range(0, 10**6)),
        default=MOST_GROWTH_MB,
        help="most MB that memory may grow (%(default)s)",
    )
    parser.add_argument(
        "--checkpoints", type=name_or_path, default=str(ROOT / "checkpoints"), help="folder of the checkpoints"
    )
    options = parser.parse_args(arguments)
    command = ["app.py", "--checkpoints", options.checkpoints, "--port"]
    with serving(command, HF_HUB_OFFLINE="1", GRADIO_ANALYTICS_ENABLED="False") as (address, pid):
        log = asyncio.run(soak(address, pid, options))
    found = verdict(log, options.seconds, options.growth)
    for line in found or [f"nothing wrong; memory grew by {log.growth_mb():.0f} MB"]:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(command.run(main))
