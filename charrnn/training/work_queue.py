"""Work queue over torchrun processes: each takes the next free run."""

import os
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
POLL_S = 0.2


class WorkQueue:
    """
    Queue of runs shared by the processes of one `torchrun`, or for one process.

    They share a counter and status reports; runs are independent, so results do not depend on the number of
    processes. If one dies, torchrun terminates the others.
    """

    def __init__(self) -> None:
        self.rank, self.size, self._store = 0, 1, None
        self._reports: dict[str, str] = {}
        if is_distributed():
            from torch.distributed.rendezvous import rendezvous  # slow to import, and seldom needed

            self._store, self.rank, self.size = next(rendezvous("env://"))

    def share(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items taken by this process; all processes pass the same list."""
        if self._store is None:
            yield from items
            return
        taken = self._store.add("taken", 1) - 1
        for number, item in enumerate(items):
            if number == taken:
                yield item
                taken = self._store.add("taken", 1) - 1

    def report(self, item: str, text: str) -> None:
        """Publish a report about an item to all processes."""
        self._reports[item] = text
        if self._store is not None:
            self._store.set(f"report {item}", text)

    def reports(self, items: Iterable[str]) -> dict[str, str]:
        """Return the reports about these items; complete after `wait`."""
        if self._store is None:
            return dict(self._reports)
        reported = [item for item in items if self._store.check([f"report {item}"])]
        return {item: self._store.get(f"report {item}").decode() for item in reported}

    def wait(self) -> None:
        """Wait until all processes arrive."""
        if self._store is not None:
            count = self._store.add("arrived", 1)
            while count < self.size:
                time.sleep(POLL_S)
                count = self._store.add("arrived", 0)


def is_distributed() -> bool:
    """Return whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ
