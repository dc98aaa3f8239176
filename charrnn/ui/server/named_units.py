"""Names for rows of the heatmap: concepts of units from the saved analyses."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from charrnn.checkpoint import CheckpointInfo
from charrnn.neurons import VALUES, BestUnit, leaderboards_from_record
from charrnn.ui.server.saved_analysis import saved_analysis

NAMES = {
    "line end": "newline comes next",  # the newline itself is another concept
    "position in line": "counts along the line",
    "position in word": "counts along the word",
    "position in sentence": "counts along the sentence",
    "line of the speech": "counts the lines of a speech",
}
MIN_COUNT = 0.5  # R²; with less, a unit has the name of its concept
NUMERIC = {concept.name for concept in VALUES}


def name_of(best: BestUnit) -> str:
    """Return what the page calls a unit."""
    return NAMES.get(best.concept, best.concept) if best.held_out >= MIN_COUNT else best.concept


@dataclass(frozen=True)
class NamedUnit:
    """A unit, the concept that it follows best, and its score on held-out text."""

    unit: int
    name: str
    numeric: bool  # a number, such as a position; else a label that a character has or lacks
    direction: int  # 1: high values stand for the concept; −1: low ones
    score: str

    @classmethod
    def of(cls, best: BestUnit) -> "NamedUnit":
        numeric = best.concept in NUMERIC
        score = f"{'R²' if numeric else 'AUC'} {best.held_out_text}, untrained networks {best.percentile:.2f}"
        return cls(best.unit, name_of(best), numeric, best.direction, score)


@dataclass(frozen=True)
class NamedUnits:
    """The named units of one view, those furthest above untrained networks first."""

    step: int  # of training, at which they were found
    characters: int  # held out, on which they were scored
    concepts: int  # with such a unit
    chance: float | None  # number of concepts that an untrained network has a unit for, on average
    units: tuple[NamedUnit, ...]

    @classmethod
    def of(cls, info: CheckpointInfo, view: str, rows: int) -> "NamedUnits | None":
        """Read the saved leaderboard of a view; None if absent or without a unit.

        rows: number of units of the view.
        """
        saved = saved_analysis(info, "units", leaderboards_from_record)
        board = saved.boards.get(view) if saved else None
        if saved is None or board is None or board.units != rows:
            return None
        found = sorted((best for best in board.best if best.found), key=lambda best: -best.margin)
        if not found:
            return None
        return cls(info.saved_steps[-1], saved.held_out_characters, len(found), board.chance, named(found))

    def to_json(self) -> dict[str, Any]:
        """Return the names as the page reads them."""
        return asdict(self)


def named(found: Sequence[BestUnit]) -> tuple[NamedUnit, ...]:
    """Name each unit after the first of its concepts."""
    first = {best.unit: best for best in reversed(found)}
    return tuple(NamedUnit.of(best) for best in found if first[best.unit] is best)
