"""
How many may be served at once, who waits for it, and how much of the machine those in a hurry may take.

asyncio's own threads, six on two cores, belong to those who write and read a text: these compute, briefly, and wait for
nobody. Whatever may wait for a lock, a file or the Hub, or measures for long, runs in anyio's threads instead.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

from anyio.to_thread import run_sync

from charrnn.ui.messages import notice
from charrnn.ui.spare_memory import give_back_aside

MOST_WRITING, MOST_WAITING = 120, 200
MOST_MEASURING, MOST_ASKING = 4, 100
MOST_CALLED, MOST_CALLING = 4, 50
TURN_S = 30.0  # of writing; then a place is left to those who wait
PATIENCE_S = 1.0  # of waiting, before anybody's turn ends for it
GLANCE_S = 0.25  # how often one who waits looks up
TOLD_S = 1.0  # how often one is told the position, at most
ALIVE_S = 5.0  # and anything, at least: is the page still there?
HURRY = 0.5  # of one core: what all who write as fast as it goes take together, less as the house fills
LEAST_HURRY = 0.05

T = TypeVar("T")


class BusyError(ValueError):
    """There is neither a place nor room to wait."""


class House:
    """
    A number of places, and a line before them; whoever comes first goes in first.

    Where others wait, a place is held for a turn and then taken again at the end of the line. All of it is used in the
    event loop alone.
    """

    def __init__(self, places: int = MOST_WRITING, room: int = MOST_WAITING, turn_s: float = TURN_S):
        self.places, self.room, self.turn_s = places, room, turn_s
        self.inside: dict[Any, float] = {}  # since when
        self.line: dict[Any, float] = {}
        self.hurrying: set[Any] = set()

    def __len__(self) -> int:
        return len(self.inside)

    @property
    def free(self) -> int:
        return self.places - len(self.inside)

    def ahead(self, who: Any) -> int | None:
        """
        Go in where there is a place -> None; else how many are ahead in the line.

        Raises BusyError where the line is full.
        """
        if who in self.inside:
            return None
        if who not in self.line and len(self.line) >= max(self.room, self.free):
            raise BusyError(self.full())
        self.line.setdefault(who, time.monotonic())
        ahead = list(self.line).index(who)
        if ahead >= self.free:
            return ahead
        del self.line[who]
        self.inside[who] = time.monotonic()
        return None

    def full(self) -> str:
        """Why nobody else can even wait."""
        return f"The lab is busy: {len(self.line)} wait for one of {self.places} places. Try again in a minute"

    async def wait(self, who: Any, wanted: Callable[[], bool] = lambda: True) -> AsyncIterator[int | None]:
        """
        Wait for a place, as long as it is wanted -> how many are ahead, when that has changed; None now and then.

        Raises BusyError where the line is full.
        """
        told, at = -1, 0.0
        while wanted() and (ahead := self.ahead(who)) is not None:
            now = time.monotonic()
            if ahead != told and now >= at + TOLD_S:
                told, at = ahead, now
                yield ahead
            elif now >= at + ALIVE_S:
                at = now
                yield None
            await asyncio.sleep(GLANCE_S)

    async def served(self, work: Callable[[], T]) -> T:
        """
        The result of `work`, done beside the event loop as soon as there is a place for it.

        Raises BusyError where the line is full.
        """
        me = object()
        try:
            async for _ in self.wait(me):
                pass
            return await run_sync(work)
        finally:
            self.leave(me)

    def leave(self, who: Any) -> None:
        """Whoever is gone holds no place, in the line neither; the last one's memory goes back to the system."""
        was_served = self.inside.pop(who, None) is not None
        self.line.pop(who, None)
        self.hurrying.discard(who)
        if was_served and not self.inside and not self.line:
            give_back_aside()

    def end_turn(self, who: Any) -> None:
        """Leave the place to those who wait, where it was held for a whole turn."""
        now = time.monotonic()
        if who not in self.inside or now < self.inside[who] + self.turn_s or self.free > 0 or not self.line:
            return
        if now >= next(iter(self.line.values())) + PATIENCE_S:
            del self.inside[who]
            self.line[who] = now

    def hurry(self, who: Any, speed: float) -> None:
        """Note whether this one writes as fast as it goes."""
        self.hurrying.discard(who) if speed else self.hurrying.add(who)

    def rest(self, worked_s: float) -> float:
        """How long one who is in a hurry rests after so much work: what those at reading speed leave is shared."""
        others = len(self.inside) - len(self.hurrying)
        if others <= 0:
            return 0.0
        share = max(LEAST_HURRY, HURRY * (1 - others / self.places)) / len(self.hurrying or (None,))
        return worked_s * (1 / share - 1)


class Together:
    """What several want at the same time, done once for all; who waits for it holds neither a thread nor a place."""

    def __init__(self) -> None:
        self._begun: dict[Any, asyncio.Task] = {}

    async def __call__(self, key: Any, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, begun by the first who wanted it under this key; it goes on if that one leaves."""

        async def done() -> T:
            try:
                return await work()
            finally:
                del self._begun[key]

        if key not in self._begun:
            self._begun[key] = asyncio.create_task(done())
        return await asyncio.shield(self._begun[key])


def busy_words(ahead: int) -> str:
    """What one who waits is told."""
    return "The lab is busy: you are next." if ahead == 0 else f"The lab is busy: {ahead} ahead of you."


def busy_notice(ahead: int) -> dict[str, str]:
    """The same over a text."""
    return notice(f"{busy_words(ahead)} Your text stays here, and goes on by itself when it is your turn.")
