"""Leaderboards: the best unit per concept, and their stored form."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from charrnn.analysis_record import AnalysisRecord, RecordError
from charrnn.bootstrap import Interval
from charrnn.neurons.activations import iter_activations
from charrnn.neurons.scoring import (
    UNNAMED_PERCENT,
    Baseline,
    BestUnit,
    ConceptTargets,
    Scores,
    best_units,
    score,
    unit_names,
    with_intervals,
)
from charrnn.registry import Network

MAX_UNITS, MAX_NAME_CHARS = 4096, 40
STORED = ("concept", "unit", "direction", "train", "held_out", "percentile")  # fields of the best units


@dataclass(frozen=True)
class Leaderboard:
    """The best unit per concept among the units of one name (h, c, a gate, a layer)."""

    view: str
    best: tuple[BestUnit, ...]  # one per concept
    units: int
    named: int  # units with a name
    margin: float
    untrained_units: int
    rare: tuple[str, ...]  # concepts that occur too rarely in the text
    chance: float | None = None  # number of concepts that an untrained network finds, on average; None: not measured

    @property
    def found(self) -> int:
        """Number of concepts that have a unit."""
        return sum(best.found for best in self.best)

    @property
    def named_by_chance(self) -> float:
        """Number of units of an untrained network that get a name, on average."""
        return self.units * (100 - UNNAMED_PERCENT) / 100

    @classmethod
    def of(cls, view: str, targets: ConceptTargets, scores: Scores, baseline: Baseline) -> "Leaderboard":
        """Name the units of one view and find the best unit per concept."""
        named = [name for name in unit_names(targets, scores, baseline) if name is not None]
        best = tuple(best_units(targets, scores, baseline))
        units = scores.train.shape[1]
        return cls(view, best, units, len(named), baseline.margin, baseline.units, targets.rare, baseline.chance)


def best_of_views(boards: Iterable[Leaderboard]) -> list[tuple[str, BestUnit]]:
    """Return the best unit and view of each concept over all views, by margin."""
    rows = sorted(((board.view, best) for board in boards for best in board.best), key=lambda row: -row[1].margin)
    by_concept: dict[str, tuple[str, BestUnit]] = {}
    for row in rows:
        by_concept.setdefault(row[1].concept, row)
    return list(by_concept.values())


def leaderboards(
    model: Network,
    untrained: Iterable[Network],
    targets: ConceptTargets,
    ids: Sequence[int],
    others: Iterable[Network] = (),
) -> list[Leaderboard]:
    """
    Compute a leaderboard per view, relative to untrained networks.

    ids: of the text that the targets were evaluated on. others: more untrained networks, which give the number of
    concepts found by chance.
    """
    scores = [
        [{view: score(targets, values) for view, values in _all_activations(network, ids)} for network in networks]
        for networks in (untrained, others)
    ]
    boards = []
    for view, activations in _all_activations(model, ids):
        baseline = Baseline.of(*([scores_of[view] for scores_of in networks] for networks in scores))
        board = Leaderboard.of(view, targets, score(targets, activations), baseline)
        boards.append(replace(board, best=tuple(with_intervals(targets, activations, board.best))))
    return boards


def _all_activations(model: Network, ids: Sequence[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the activations (N, U) of each view."""
    decoder = model.decoder()
    views = tuple(decoder.read(ids[:1]).activations)
    chunks = list(iter_activations(decoder, ids, views))
    yield from ((view, np.concatenate([chunk[view] for chunk in chunks])) for view in views)


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a text, which identifies it."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def leaderboard_record(boards: Sequence[Leaderboard], text: str) -> AnalysisRecord:
    """Convert the leaderboards of one text to a record stored beside a checkpoint."""
    rows = [(board.view, best) for board in boards for best in board.best]
    return AnalysisRecord(
        {"characters_read": len(text), "text_sha256": sha256_of(text)},
        {
            "views": {
                name: [getattr(board, name) for board in boards]
                for name in ("view", "units", "named", "margin", "untrained_units", "chance")
            },
            "best": {
                "view": [view for view, _ in rows],
                **{name: [getattr(best, name) for _, best in rows] for name in STORED},
                **{end: [best.interval and getattr(best.interval, end) for _, best in rows] for end in ("low", "high")},
            },
            "rare": {"concept": list(boards[0].rare) if boards else []},
        },
    )


@dataclass(frozen=True)
class StoredLeaderboards:
    """Stored leaderboards by view, with length and digest of the text they are of."""

    boards: Mapping[str, Leaderboard]
    characters: int
    text_sha256: str

    @property
    def held_out_characters(self) -> int:
        """Number of characters in the second half, on which units are scored."""
        return self.characters - self.characters // 2

    def baseline(self, view: str, targets: ConceptTargets) -> Baseline | None:
        """Return the stored baseline if it is for this text and these concepts, else None."""
        board = self.boards.get(view)
        if board is None or self.text_sha256 != sha256_of(targets.text):
            return None
        if tuple(best.concept for best in board.best) != targets.names:
            return None
        percentiles = np.array([best.percentile for best in board.best])
        return Baseline(percentiles, board.margin, board.untrained_units, board.chance)


def leaderboards_from_record(record: AnalysisRecord) -> StoredLeaderboards:
    """Restore leaderboards from their record. Raises RecordError for invalid values."""
    rare = tuple(_names(record, "rare", "concept"))
    names = _names(record, "views", "view")
    boards = {}
    for view, *facts in zip(
        names,
        record.numbers("views", "units", 1, MAX_UNITS),
        record.numbers("views", "named", 0, MAX_UNITS),
        record.numbers("views", "margin", 0, 1e9),
        record.numbers("views", "untrained_units", 1, 1e9),
        _numbers_or_none(record, "views", "chance", len(names), 0),
        strict=True,
    ):
        units, named, margin, untrained, chance = facts
        boards[view] = Leaderboard(view, (), int(units), int(named), margin, int(untrained), rare, chance)
    concepts = _names(record, "best", "concept")
    rows = zip(
        _names(record, "best", "view"),
        concepts,
        record.numbers("best", "unit", 0, MAX_UNITS - 1),
        record.numbers("best", "direction", -1, 1),
        *(record.numbers("best", column, -1e9, 1) for column in ("train", "held_out", "percentile")),
        *(_numbers_or_none(record, "best", column, len(concepts), -1e9) for column in ("low", "high")),
        strict=True,
    )
    for view, concept, unit, direction, train, held_out, percentile, low, high in rows:
        board = boards.get(view)
        if board is None or unit >= board.units:
            raise RecordError(f"there is no unit {unit:g} of {view}: give a unit of a view in the table views")
        sign = 1 if direction >= 0 else -1
        interval = None if low is None or high is None else Interval(low, high)
        to_beat = percentile + board.margin
        best = BestUnit(concept, int(unit), sign, train, held_out, percentile, to_beat, interval)
        boards[view] = replace(board, best=(*board.best, best))
    return StoredLeaderboards(boards, int(record.number("characters_read", 1, 1e9)), record.text("text_sha256"))


def _numbers_or_none(record: AnalysisRecord, table: str, column: str, rows: int, low: float) -> list[float | None]:
    """Return a column of numbers and nulls; all null if absent. Raises RecordError."""
    if column not in record.tables.get(table, {}):
        return [None] * rows
    return record.numbers_or_none(table, column, low, 1e9)


def _names(record: AnalysisRecord, table: str, column: str) -> list[str]:
    found = record.texts(table, column)
    for name in found:
        if not 0 < len(name) <= MAX_NAME_CHARS:
            raise RecordError(f"{table}, {column} has a name of {len(name)} characters: give 1 to {MAX_NAME_CHARS}")
    return found
