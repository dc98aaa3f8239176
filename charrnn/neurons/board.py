"""The leaderboard of one kind of unit: its best unit for each concept, and how such boards are kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from charrnn.findings import Findings, FindingsError
from charrnn.neurons.naming import Baseline, Best, Scores, Targets, best_units, names

MOST_UNITS, LONGEST_NAME = 4096, 40


@dataclass(frozen=True)
class Board:
    """What the units that go by one name (h, c, a gate, a layer) stand for, on one text."""

    view: str
    best: tuple[Best, ...]  # one for each concept that the text has enough of
    units: int
    named: int  # of them bear a name
    margin: float
    untrained_units: int
    rare: tuple[str, ...]  # concepts that the text has too little of

    @classmethod
    def of(cls, view: str, targets: Targets, scores: Scores, baseline: Baseline) -> "Board":
        bear = [name for name in names(targets, scores, baseline) if name is not None]
        best = tuple(best_units(targets, scores, baseline))
        units = scores.train.shape[1]
        return cls(view, best, units, len(bear), baseline.margin, baseline.units, targets.rare)


def as_findings(boards: Sequence[Board], characters: int) -> Findings:
    """Boards of one text, in the form in which they are kept beside a checkpoint."""
    rows = [(board.view, best) for board in boards for best in board.best]
    return Findings(
        {"characters_read": characters},
        {
            "views": {
                "view": [board.view for board in boards],
                "units": [board.units for board in boards],
                "named": [board.named for board in boards],
                "margin": [board.margin for board in boards],
                "untrained_units": [board.untrained_units for board in boards],
            },
            "best": {
                "view": [view for view, _ in rows],
                "concept": [best.concept for _, best in rows],
                "unit": [best.unit for _, best in rows],
                "direction": [best.direction for _, best in rows],
                "train": [best.train for _, best in rows],
                "held_out": [best.held_out for _, best in rows],
                "percentile": [best.percentile for _, best in rows],
            },
            "rare": {"concept": list(boards[0].rare) if boards else []},
        },
    )


def from_findings(kept: Findings) -> tuple[dict[str, Board], int]:
    """The boards by view, and how many characters were read for them. Raises FindingsError for what cannot be any."""
    rare = tuple(_names(kept, "rare", "concept"))
    boards = {}
    for view, *facts in zip(
        _names(kept, "views", "view"),
        kept.numbers("views", "units", 1, MOST_UNITS),
        kept.numbers("views", "named", 0, MOST_UNITS),
        kept.numbers("views", "margin", 0, 1e9),
        kept.numbers("views", "untrained_units", 1, 1e9),
        strict=True,
    ):
        units, named, margin, untrained = facts
        boards[view] = Board(view, (), int(units), int(named), margin, int(untrained), rare)
    rows = zip(
        _names(kept, "best", "view"),
        _names(kept, "best", "concept"),
        kept.numbers("best", "unit", 0, MOST_UNITS - 1),
        kept.numbers("best", "direction", -1, 1),
        *(kept.numbers("best", column, -1e9, 1) for column in ("train", "held_out", "percentile")),
        strict=True,
    )
    for view, concept, unit, direction, train, held_out, percentile in rows:
        board = boards.get(view)
        if board is None or unit >= board.units:
            raise FindingsError(f"there is no unit {unit:g} of {view}")
        way = 1 if direction >= 0 else -1
        best = Best(concept, int(unit), way, train, held_out, percentile, percentile + board.margin)
        boards[view] = replace(board, best=(*board.best, best))
    return boards, int(kept.number("characters_read", 1, 1e9))


def _names(kept: Findings, table: str, column: str) -> list[str]:
    told = kept.texts(table, column)
    for name in told:
        if not 0 < len(name) <= LONGEST_NAME:
            raise FindingsError(f"{table}, {column} has a name of {len(name)} characters")
    return told
