"""
The text of a page without a link: colored by a unit that counts along the line.

The unit is the best one in the analyses saved beside the checkpoints; a set of checkpoints can have none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.neurons import BestUnit, leaderboards_from_record
from charrnn.number_format import percent
from charrnn.ui.server.checkpoint_store import Store
from charrnn.ui.server.generation_defaults import PROMPT
from charrnn.ui.server.named_units import MIN_COUNT
from charrnn.ui.server.saved_analysis import saved_analysis
from charrnn.ui.server.share_link import LinkQuery

CONCEPT = "position in line"
STATES = ("h", "c")  # views of the recurrent state


@dataclass(frozen=True)
class Opening:
    """A unit that counts along the line, and its score on `characters`."""

    info: CheckpointInfo
    view: str
    best: BestUnit
    numbers: Mapping[str, int]  # of each view of the state
    characters: int

    @property
    def link(self) -> dict[str, str]:
        """Return the parameters of a link that opens the text."""
        return {"model": self.info.name, "view": self.view}

    def words(self) -> list[str]:
        """Return the sentence above the text, and what was measured."""
        interval = self.best.interval
        certainty = f" (95 % interval: {percent(interval.low)} to {percent(interval.high)})" if interval else ""
        parts = ", ".join(f"{units} in {view}" for view, units in self.numbers.items())
        return [
            "This network wrote this, one letter at a time. "
            f"One of the {sum(self.numbers.values())} numbers of its memory counts how far along the line it is: "
            f"watch the colour “unit {self.best.unit}”. Nobody told it to.",
            f"Measured on {self.characters:,} characters that it was not trained on: unit {self.best.unit} of "
            f"{self.view} explains {percent(self.best.held_out)}{certainty} of the variance of the position in the "
            f"line; 99 of 100 untrained units explain less than {percent(self.best.percentile)}. The numbers of its "
            f"memory: {parts}.",
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the opening as the page reads it. untrained: whether step 0 is saved."""
        return {
            "prompt": self.info.vocab.default_prompt(PROMPT),
            "checkpoint": {"name": self.info.name, "step": self.info.saved_steps[-1]},
            "view": self.view,
            "unit": self.best.unit,
            "words": self.words(),
            "untrained": self.info.saved_steps[0] == 0,
        }


def find_opening(store: Store) -> Opening | None:
    """
    Find the unit with the best held-out score of the position in the line, or None.

    Networks whose untrained weights are saved come first, since the page offers to show their text untrained.
    """
    found = [opening for info in store.checkpoints() for opening in _openings(info)]
    return max(found, key=lambda each: (each.info.saved_steps[0] == 0, each.best.held_out), default=None)


def _openings(info: CheckpointInfo) -> list[Opening]:
    """Return the openings of a checkpoint: by state, its unit that counts best."""
    saved = saved_analysis(info, "units", leaderboards_from_record)
    if saved is None:
        return []
    boards = [saved.boards[view] for view in STATES if view in saved.boards]
    return [
        Opening(info, board.view, best, {each.view: each.units for each in boards}, saved.held_out_characters)
        for board in boards
        for best in board.best
        if best.concept == CONCEPT and best.found and best.held_out >= MIN_COUNT
    ]


def opening_of(store: Store, sent: Mapping[str, str]) -> Opening | None:
    """Return the opening of a page with this query; None if it has a link's parameter."""
    return None if LinkQuery.model_fields.keys() & sent.keys() else store.cache.compute(find_opening, store)
