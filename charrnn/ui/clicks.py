"""In which order a visitor clicked: events may arrive late, and one that waited in the queue can be overtaken."""

from collections.abc import Callable


class Clicks:
    """The last click that ended writing, and the newest event of each name; the page numbers both."""

    def __init__(self) -> None:
        self.last = 0
        self.left = "paused"  # the state in which the last click left what it overtook
        self.sent: dict[str, int] = {}

    def note(self, click: int, left: str) -> None:
        """A click that ends writing."""
        if click >= self.last:
            self.last, self.left = click, left

    def overtook(self, click: int) -> bool:
        """Whether a later click took back this one."""
        return click < self.last

    def newest(self, event: str, sent: int) -> Callable[[], bool]:
        """Note that the page has sent an event -> whether it is the newest of its name."""
        self.sent[event] = max(sent, self.sent.get(event, 0))
        return lambda: sent >= self.sent[event]
