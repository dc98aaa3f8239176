"""What stands on one visitor's page: the text, the model that reads it, what can be taken back, and how it is told."""

import asyncio
from typing import Any

from charrnn.sampling import Dice
from charrnn.ui import example
from charrnn.ui.draft import Draft
from charrnn.ui.history import History, Version
from charrnn.ui.messages import Columns, columns_part, dropped_notice, notice
from charrnn.ui.reader import Reader
from charrnn.ui.telling import Telling, writers_told
from charrnn.ui.wishes import LONGEST_TEXT


class Standing:
    """
    One visitor's text and the model that reads it, and the messages that show them. Whoever changes either, or makes a
    message with columns in it, holds `lock`.

    state: empty, writing, paused or finished.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.reader: Reader | None = None
        self.settings = example.SETTINGS
        self.draft = Draft.of(0, "", Dice(example.SEED), example.CHARACTERS)
        self.state = "empty"
        self.history = History()
        self.telling = Telling()
        self.runs = 0  # counts the texts

    @property
    def text(self) -> str:
        return self.draft.text

    @property
    def written(self) -> int:
        return self.draft.written

    # ------------------------------------------------------------------ the text and the model

    def replace(self, draft: Draft, remember: bool = True) -> None:
        """Another text stands on the page now; the one before can be had back."""
        if remember and self.state != "empty":
            self.history.add(self.version())
        self.telling.saying = {"notice": None}
        self.runs += 1
        draft.run = self.runs
        self.draft = draft
        self.reread()

    def reread(self) -> None:
        """The present model is to read the text; what it does not know is left out and told."""
        dropped = self.draft.known_to(self.opened())
        if dropped:
            self.telling.saying = {"notice": dropped_notice(dropped)}
        self.telling.is_due = True

    def opened(self) -> Reader:
        """The present model. Raises ValueError on a page that the server has forgotten."""
        if self.reader is None:
            raise ValueError("the server no longer knows this page: reload it")
        return self.reader

    def version(self) -> Version:
        """The text as it stands, to be had back."""
        return Version.of(self.draft, self.state)

    # ------------------------------------------------------------------ messages

    async def show(self) -> str:
        """Everything about the text, as the present model reads it."""
        async with self.lock:
            return await self.snapshot()

    async def snapshot(self, **more: int) -> str:
        """`show` for whoever holds the lock."""
        columns = await self.telling.read(self.opened(), self.draft)
        return self._start(columns, len(self.draft.text), **more)

    def _start(self, columns: Columns, instant: int, **more: int) -> str:
        kept = self.history.counts()
        return self.telling.start(self.opened(), self.draft, self.state, columns, instant, **kept, **more)

    async def one(self) -> str:
        """One more character, and everything before it where that is due."""
        if not self.telling.is_due:
            return await self.more(1)
        given = await self.telling.read(self.opened(), self.draft)
        return self._start(given.and_then(await self._written(1)), instant=len(self.draft.text) - 1)

    async def more(self, n: int, kind: str = "more", **parts: Any) -> str:
        """The message that brings n more characters; one of the kind branch also takes away what stood there."""
        start, before = len(self.draft.text), self.draft.writers
        part = columns_part(start, await self._written(n))
        if self.draft.writers != before or kind == "branch":
            parts["writers"] = writers_told(self.draft)
        return self.telling.message(kind, self.draft, self.state, **part, **parts)

    async def _written(self, n: int) -> Columns:
        return await self.telling.write(self.opened(), self.draft, self.settings, n)

    def trouble(self, error: ValueError) -> str:
        """What the page is told when an event could not be carried out; the text stays, and goes on."""
        return self.say(notice(str(error), problem=True))

    def told(self) -> str:
        """In which state the text is, and nothing more."""
        return self.telling.message("state", self.draft, self.state)

    def say(self, said: dict[str, str]) -> str:
        """A notice over the text."""
        return self.telling.message("state", self.draft, self.state, notice=said)

    def full(self) -> dict[str, str]:
        """The notice that there is no room for more."""
        return notice(f"The page holds {LONGEST_TEXT} characters: press Write for a new text.")
