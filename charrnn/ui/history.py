"""What a visitor can take back: the texts that stood on the page before, and those that were taken back."""

from typing import NamedTuple

from charrnn.ui.draft import Draft

MOST_VERSIONS = 50


class Version(NamedTuple):
    """A text as it stood, and in which state."""

    draft: Draft
    state: str

    @classmethod
    def of(cls, draft: Draft, state: str) -> "Version":
        """The text is read again when it comes back: what the model carries would fill the memory."""
        kept = draft.copy()
        kept.forget()
        return cls(kept, "paused" if state == "writing" else state)


class History:
    """Versions before the present one and after it, the nearest last; the oldest are forgotten."""

    def __init__(self) -> None:
        self.past: list[Version] = []
        self.future: list[Version] = []

    def add(self, present: Version) -> None:
        """The present is about to be replaced by something new."""
        self.past = [*self.past, present][-MOST_VERSIONS:]
        self.future = []

    def undo(self, present: Version) -> Version | None:
        """What stood before; None where there is nothing."""
        return self._move(self.past, self.future, present)

    def redo(self, present: Version) -> Version | None:
        """What was taken back last; None where there is nothing."""
        return self._move(self.future, self.past, present)

    def counts(self) -> dict[str, int]:
        """How many versions can be had back, each way."""
        return {"undo": len(self.past), "redo": len(self.future)}

    @staticmethod
    def _move(from_: list[Version], to: list[Version], present: Version) -> Version | None:
        if not from_:
            return None
        to.append(present)
        return from_.pop()
