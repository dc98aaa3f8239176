"""Many processes that share a list of runs: each takes the next that nobody has taken."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
POLL_S = 0.2


class Crew:
    """
    The processes that `torchrun` started together, on one machine or many; without it, this one alone.

    They share a counter and what they report: no run knows of another, so what comes out does not depend on how many
    there are. Where one of them dies, torchrun ends the others.
    """

    def __init__(self) -> None:
        self.rank, self.size, self._store = 0, 1, None
        self._reports: dict[str, str] = {}
        if is_shared():
            from torch.distributed.rendezvous import rendezvous  # slow to import, and seldom needed

            self._store, self.rank, self.size = next(rendezvous("env://"))

    def share(self, items: Iterable[Item]) -> Iterator[Item]:
        """Those of the items that fall to this process; once. Everybody gives the same ones, in the same order."""
        if self._store is None:
            yield from items
            return
        taken = self._store.add("taken", 1) - 1
        for number, item in enumerate(items):
            if number == taken:
                yield item
                taken = self._store.add("taken", 1) - 1

    def report(self, item: str, text: str) -> None:
        """Say something of an item, for every process to know."""
        self._reports[item] = text
        if self._store is not None:
            self._store.set(f"report {item}", text)

    def reports(self, items: Iterable[str]) -> dict[str, str]:
        """What any process said of these items; complete after `wait`."""
        if self._store is None:
            return dict(self._reports)
        said = [item for item in items if self._store.check([f"report {item}"])]
        return {item: self._store.get(f"report {item}").decode() for item in said}

    def wait(self) -> None:
        """Until everybody has come here."""
        if self._store is not None:
            count = self._store.add("here", 1)
            while count < self.size:
                time.sleep(POLL_S)
                count = self._store.add("here", 0)


def is_shared() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ
